package gate

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/headgate/headgate/rollout/spec"
)

// Allowed is the list of addresses that gates may have, from HEADGATE_GATE_ADDRESSES.
// The zero value allows no gate.
type Allowed []Prefix

// Prefix allows the URLs of one scheme, host and port whose path is Path or below it,
// with any query: /web allows /web and /web/a?b=c, and does not allow /website.
type Prefix struct {
	Scheme string // http or https
	Host   string // in lower case, with the port unless it is the default of the scheme
	Path   string // without a slash at its end; "" allows every path
}

// UnmarshalText reads prefixes of URLs separated by commas, such as
// "https://gate.example.com/headgate, http://gates.ci:8080". An empty text allows none.
func (a *Allowed) UnmarshalText(text []byte) error {
	*a = nil
	for word := range strings.SplitSeq(string(text), ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		p, err := parsePrefix(word)
		if err == nil && strings.ContainsAny(word, "?#") {
			err = fmt.Errorf("%q: a prefix must not have a query or a fragment", word)
		}
		if err != nil {
			return fmt.Errorf("%w: write for example https://gate.example.com/headgate", err)
		}
		*a = append(*a, p)
	}
	return nil
}

// Check returns an error that names the first gate that is not allowed, and lists what
// is allowed.
func (a Allowed) Check(gates []spec.Gate) error {
	for _, g := range gates {
		p, err := parsePrefix(g.URL)
		if err != nil {
			return err
		}
		if !a.covers(p) {
			return fmt.Errorf("%s is not allowed: %s", quoted(g.URL), a)
		}
	}
	return nil
}

// covers says whether address is at or below one of the prefixes.
func (a Allowed) covers(address Prefix) bool {
	for _, prefix := range a {
		below := address.Path == prefix.Path || strings.HasPrefix(address.Path, prefix.Path+"/")
		if address.Scheme == prefix.Scheme && address.Host == prefix.Host && below {
			return true
		}
	}
	return false
}

// String is the list as a sentence, for a person who named another address.
func (a Allowed) String() string {
	if len(a) == 0 {
		return "the operator allows no gates (HEADGATE_GATE_ADDRESSES)"
	}
	var words []string
	for _, p := range a {
		words = append(words, p.String())
	}
	return "the operator allows gates at " + strings.Join(words, ", ") + " (HEADGATE_GATE_ADDRESSES)"
}

// String is the prefix as a URL.
func (p Prefix) String() string { return p.Scheme + "://" + p.Host + p.Path }

// parsePrefix brings address into the form that is compared. It refuses a path that a
// server may read as another path: /open/../secret, the same with %2e, %2f or %252e, and
// /open/..;/secret, which Java servers cut at the semicolon. It refuses a host that is
// not ASCII, because different letters may look alike or have the same lower case.
func parsePrefix(address string) (Prefix, error) {
	u, err := url.Parse(address)
	if err != nil || !isPlain(u) {
		return Prefix{}, fmt.Errorf("%s: want an http or https URL with an ASCII host name and without a user name", quoted(address))
	}
	p := Prefix{Scheme: u.Scheme, Host: hostOf(u), Path: strings.TrimSuffix(u.EscapedPath(), "/")}
	if strings.ContainsAny(p.Path, "%;") || p.Path != strings.TrimSuffix(path.Clean("/"+p.Path), "/") {
		return Prefix{}, fmt.Errorf("%s: the path must not contain %%, ;, a segment . or .., or an empty segment", quoted(address))
	}
	return p, nil
}

// isPlain says whether u is of a web server, has an ASCII host and no user name.
func isPlain(u *url.URL) bool {
	_, web := defaultPort[u.Scheme]
	return web && u.Hostname() != "" && u.User == nil && !strings.ContainsFunc(u.Host, isNotASCII)
}

func isNotASCII(r rune) bool { return r > unicode.MaxASCII }

// defaultPort has the schemes that a gate may have.
var defaultPort = map[string]string{"http": "80", "https": "443"}

// hostOf is the host of u in lower case, without a port that is the default.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != defaultPort[u.Scheme] {
		host += ":" + port
	}
	return host
}
