package provider

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// clientOf returns the client of an entry that is written as YAML in dir.
func clientOf(t *testing.T, dir, text string) (*Client, error) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{Name: "test", Timeout: 2 * time.Second, text: asJSON, dir: dir}
	var c Connection
	if err := e.Decode(&c); err != nil {
		return nil, err
	}
	return e.Client(c, "")
}

func TestEveryRequestHasTheHeaders(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	secret := write(t, dir, "secret", "first\n")
	c, err := clientOf(t, dir, "{address: "+s.URL+", tenant: shop, headers: {X-Team: platform}, "+
		"headerFiles: {X-Key: secret}, bearerTokenFile: secret}")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} { // the second is read without a restart
		if err := os.WriteFile(secret, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Send(t.Context(), Request{Path: "/x"}); err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"X-Scope-OrgID": "shop", "X-Team": "platform", "X-Key": want, "Authorization": "Bearer " + want,
		} {
			if got.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, got.Get(name), value)
			}
		}
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), Request{}); err == nil || !strings.Contains(err.Error(), secret) {
		t.Errorf("without the file: %v", err)
	}
}

func TestBasicAuth(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "headgate" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	write(t, dir, "password", "s3cret")
	c, err := clientOf(t, dir, "{address: "+s.URL+", basicAuth: {username: headgate, passwordFile: password}}")
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Send(t.Context(), Request{}); err != nil || resp.Status != 200 {
		t.Errorf("got %d, %v", resp.Status, err)
	}
	write(t, dir, "password", "wrong")
	resp, err := c.Send(t.Context(), Request{})
	if err == nil {
		err = resp.Failed("no")
	}
	if err == nil || err.Error() != "it refuses Headgate's credentials (401 Unauthorized)" {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	write(t, dir, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	for settings, want := range map[string]string{
		"{}":                         "x509: certificate signed by unknown authority",
		"{caFile: ca.crt}":           "",
		"{insecureSkipVerify: true}": "",
		"{caFile: ca.crt, serverName: other.test}": "x509: certificate is valid for example.com, *.example.com, not other.test",
	} {
		t.Run(settings, func(t *testing.T) {
			c, err := clientOf(t, dir, "{address: "+s.URL+", tls: "+settings+"}")
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Send(t.Context(), Request{})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The server gets the certificate of the files.
func TestClientCertificate(t *testing.T) {
	var got *x509.Certificate
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.TLS.PeerCertificates[0]
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	own := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})))
	write(t, dir, "tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	c, err := clientOf(t, dir, "{address: "+s.URL+", tls: {caFile: tls.crt, certFile: tls.crt, keyFile: tls.key}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), Request{}); err != nil {
		t.Fatal(err)
	}
	if got == nil || !got.Equal(s.Certificate()) {
		t.Errorf("the server got another certificate: %v", got)
	}
}

func TestClientErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                 "there is no address: write for example address: https://metrics.example.com",
		"{address: metrics}": `address "metrics" is not an http or https URL: write for example address: https://metrics.example.com`,
		`{address: "http://me:s3cret@metrics"}`: "address has a user name: " +
			"write it as basicAuth: {username: NAME, passwordFile: FILE}",
		`{address: "http://me:s3cret@metrics:port"}`: "address is not a URL: write for example address: https://metrics.example.com",
		"{address: 'http://metrics?key=s3cret'}": "address has a query or a fragment: " +
			"write for example address: https://metrics.example.com/api",
		"{address: http://m, addr: x}":             `unknown field "addr": docs/providers.md lists the fields of each type`,
		"{address: http://m, bearerToken: s3cret}": `unknown field "bearerToken": docs/providers.md lists the fields of each type`,
		"{address: http://m, basicAuth: {username: me}}": "basicAuth needs both fields: " +
			"write for example basicAuth: {username: headgate, passwordFile: password}",
		"{address: http://m, bearerTokenFile: t, basicAuth: {username: me, passwordFile: p}}": "basicAuth and bearerTokenFile " +
			"exclude each other: both are the header Authorization",
		"{address: http://m, headers: {Authorization: s3cret}}": `header "Authorization" cannot be set here: ` +
			"write bearerTokenFile, basicAuth or tenant",
		`{address: http://m, headers: {"X Y": s3cret}}`:     `header "X Y" is not valid in HTTP: write for example headers: {X-Team: platform}`,
		`{address: http://m, headers: {X-Y: "s3\r\ncret"}}`: `header "X-Y" is not valid in HTTP: write for example headers: {X-Team: platform}`,
		`{address: http://m, tenant: "a\nb"}`:               "tenant is not valid in HTTP: write for example tenant: shop",
		"{address: http://m, tls: {certFile: a}}": "tls needs certFile and keyFile together: " +
			"write for example tls: {certFile: tls.crt, keyFile: tls.key}",
		"{address: http://m, tls: {caFile: none}}": "tls: open DIR/none: no such file or directory",
	} {
		t.Run(text, func(t *testing.T) {
			dir := t.TempDir()
			_, err := clientOf(t, dir, text)
			if err == nil {
				t.Fatal("it was accepted")
			}
			got := strings.ReplaceAll(err.Error(), dir, "DIR")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(got, "s3cret") {
				t.Error("the error shows a secret")
			}
		})
	}
}

// Another host must not get the credentials, or be asked at all.
func TestARedirectStaysOnTheHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	t.Cleanup(other.Close)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/near":
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(s.Close)
	c, err := clientOf(t, "", "{address: "+s.URL+"}")
	if err != nil {
		t.Fatal(err)
	}
	const want = "it answered 307, a redirect, which is not followed"
	if _, err := c.Send(t.Context(), Request{Path: "/away"}); err == nil || err.Error() != want {
		t.Errorf("to another host: %v", err)
	}
	if resp, err := c.Send(t.Context(), Request{Path: "/near"}); err != nil || resp.Status != 200 {
		t.Errorf("to the same host: %d, %v", resp.Status, err)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := maxBody
		if r.URL.Path == "/more" {
			size++
		}
		_, _ = w.Write(make([]byte, size))
	}))
	t.Cleanup(s.Close)
	c, err := clientOf(t, "", "{address: "+s.URL+"}")
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Send(t.Context(), Request{Path: "/all"}); err != nil || len(resp.Body) != maxBody {
		t.Errorf("%d bytes, %v", len(resp.Body), err)
	}
	if _, err := c.Send(t.Context(), Request{Path: "/more"}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestExplainShowsNoAddress(t *testing.T) {
	err := &url.Error{Op: "Get", URL: "https://metrics/?key=s3cret", Err: x509.CertificateInvalidError{Reason: x509.Expired}}
	if got := Explain(err, time.Second).Error(); got != "its certificate has expired or is not valid yet" {
		t.Errorf("got %s", got)
	}
	err.Err = errors.New("broken")
	if got := Explain(err, time.Second).Error(); got != "broken" {
		t.Errorf("got %s", got)
	}
	_, missing := ReadSecret(filepath.Join(t.TempDir(), "none"))
	if got := Explain(&url.Error{Op: "Get", URL: "https://s3cret", Err: missing}, time.Second).Error(); strings.Contains(got, "s3cret") {
		t.Errorf("got %s", got)
	}
}

func TestReduce(t *testing.T) {
	points := []float64{1, 6, 2}
	for reduce, want := range map[Reduce]float64{"": 3, Average: 3, Sum: 9, Min: 1, Max: 6, Last: 2} {
		if got, ok := reduce.Of(points); got != want || !ok {
			t.Errorf("%q: %v, %v, want %v", reduce, got, ok, want)
		}
		if _, ok := reduce.Of(nil); ok {
			t.Errorf("%q: no points are a number", reduce)
		}
	}
	if err := Reduce("median").Check(); err == nil ||
		err.Error() != `reduce "median": want one of avg, sum, min, max, last: write for example reduce: sum` {
		t.Errorf("got %v", err)
	}
}
