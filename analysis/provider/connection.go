package provider

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"k8s.io/client-go/transport"

	"github.com/headgate/headgate/rollout/spec"
)

// Connection is how to reach a provider and to log in: the fields that every type of
// provider has. A secret is always in a file, which is read for each request, so a
// rotated secret is used without a restart.
type Connection struct {
	header

	Address         string            `json:"address"`
	Headers         map[string]string `json:"headers"`
	HeaderFiles     map[string]string `json:"headerFiles"` // by name of the header
	BearerTokenFile string            `json:"bearerTokenFile"`
	BasicAuth       *BasicAuth        `json:"basicAuth"`
	TLS             TLS               `json:"tls"`
	Tenant          string            `json:"tenant"` // the header X-Scope-OrgID
}

// BasicAuth is a user name, and the file with the password.
type BasicAuth struct {
	Username     string `json:"username"`
	PasswordFile string `json:"passwordFile"`
}

// TLS is how to verify a provider, and the certificate for it.
type TLS struct {
	CAFile             string `json:"caFile"`
	CertFile           string `json:"certFile"`
	KeyFile            string `json:"keyFile"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify"`
	ServerName         string `json:"serverName"`
}

// tenantHeader names the tenant for Mimir, Cortex, Loki and Thanos Receive.
const tenantHeader = "X-Scope-OrgID"

// AddHeaderFile adds a header of a provider's own, whose value is in a file.
func (c *Connection) AddHeaderFile(name, file string) {
	c.HeaderFiles = maps.Clone(c.HeaderFiles)
	if c.HeaderFiles == nil {
		c.HeaderFiles = map[string]string{}
	}
	c.HeaderFiles[name] = file
}

// Client sends requests to one provider. It is safe for concurrent use.
type Client struct {
	Address *url.URL // its path has no slash at its end
	HTTP    *http.Client
	Timeout time.Duration // of one request
}

// Client returns a client for the provider of the entry. An entry that writes no address
// has its InitialAddress, or else known, the address of a service that everybody uses.
func (e Entry) Client(c Connection, known string) (*Client, error) {
	if c.Address != "" && e.InitialAddress != "" && c.Address != e.InitialAddress {
		return nil, errors.New("it has another address in HEADGATE_PROMETHEUS_ADDRESS: write the address in one place")
	}
	address, err := parseAddress(cmp.Or(c.Address, e.InitialAddress, known))
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	tls, err := transport.New(c.TLS.config(e))
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &Client{
		Address: address,
		HTTP:    &http.Client{Transport: limited{c.login(e, tls)}, CheckRedirect: stayOnHost},
		Timeout: e.Timeout,
	}, nil
}

func (c Connection) check() error {
	if c.BasicAuth != nil && (c.BasicAuth.Username == "" || c.BasicAuth.PasswordFile == "") {
		return errors.New("basicAuth needs both fields: write for example basicAuth: {username: headgate, passwordFile: password}")
	}
	if c.BasicAuth != nil && c.BearerTokenFile != "" {
		return errors.New("basicAuth and bearerTokenFile exclude each other: both are the header Authorization")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return errors.New("tls needs certFile and keyFile together: write for example tls: {certFile: tls.crt, keyFile: tls.key}")
	}
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(c.Headers)), slices.Sorted(maps.Keys(c.HeaderFiles))) {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(c.Headers[name]) {
			return fmt.Errorf("header %q is not valid in HTTP: write for example headers: {X-Team: platform}", name)
		}
		if slices.Contains(reservedHeaders, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("header %q cannot be set here: write bearerTokenFile, basicAuth or tenant", name)
		}
	}
	if !httpguts.ValidHeaderFieldValue(c.Tenant) {
		return errors.New("tenant is not valid in HTTP: write for example tenant: shop")
	}
	return nil
}

// reservedHeaders are set by other fields, or are the HTTP client's own.
var reservedHeaders = []string{
	"Authorization", "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "X-Scope-Orgid",
}

// config is t for client-go, which reads the files again when they change.
func (t TLS) config(e Entry) *transport.Config {
	return &transport.Config{TLS: transport.TLSConfig{
		CAFile:         e.File(t.CAFile),
		CertFile:       e.File(t.CertFile),
		KeyFile:        e.File(t.KeyFile),
		ReloadTLSFiles: t.CertFile != "",
		ReloadCAFiles:  t.CAFile != "",
		Insecure:       t.InsecureSkipVerify,
		ServerName:     t.ServerName,
	}}
}

// login adds to every request the headers that the operator wrote.
type login struct {
	next       http.RoundTripper
	headers    map[string]string // with their values
	files      map[string]string // with the files of their values
	bearerFile string
	basic      *BasicAuth
}

func (c Connection) login(e Entry, next http.RoundTripper) login {
	l := login{next: next, headers: maps.Clone(c.Headers), files: map[string]string{}, bearerFile: e.File(c.BearerTokenFile)}
	for name, file := range c.HeaderFiles {
		l.files[name] = e.File(file)
	}
	if c.Tenant != "" {
		if l.headers == nil {
			l.headers = map[string]string{}
		}
		l.headers[tenantHeader] = c.Tenant
	}
	if c.BasicAuth != nil {
		l.basic = &BasicAuth{Username: c.BasicAuth.Username, PasswordFile: e.File(c.BasicAuth.PasswordFile)}
	}
	return l
}

// RoundTrip sends req with the headers and credentials.
func (l login) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := l.addTo(req); err != nil {
		if req.Body != nil {
			req.Body.Close() // a RoundTripper closes it in every case
		}
		return nil, err
	}
	return l.next.RoundTrip(req)
}

func (l login) addTo(req *http.Request) error {
	req.Header.Set("User-Agent", spec.ManagedBy)
	for name, value := range l.headers {
		req.Header.Set(name, value)
	}
	for name, file := range l.files {
		value, err := ReadSecret(file)
		if err != nil {
			return err
		}
		req.Header.Set(name, value)
	}
	if l.bearerFile != "" {
		token, err := ReadSecret(l.bearerFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if l.basic != nil {
		password, err := ReadSecret(l.basic.PasswordFile)
		if err != nil {
			return err
		}
		req.SetBasicAuth(l.basic.Username, password)
	}
	return nil
}

// ReadSecret reads a file that holds one secret, without the white space around it. The
// error names the file.
func ReadSecret(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", fmt.Errorf("the file %s is empty", file)
	}
	return secret, nil
}

// stayOnHost follows a redirect only to the same scheme and host: the credentials are
// sent again, and another host must not get them.
func stayOnHost(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if len(before) >= 5 || next.URL.Scheme != first.Scheme || !strings.EqualFold(next.URL.Host, first.Host) {
		return http.ErrUseLastResponse
	}
	return nil
}
