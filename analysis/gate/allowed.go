package gate

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/headgate/headgate/rollout/spec"
)

// Allowed are the addresses that gates may have: what the operator lists in
// HEADGATE_GATE_ADDRESSES. The zero value allows none.
type Allowed []Prefix

// Prefix allows the URLs of one scheme, host and port whose path is Path or below
// it, whatever their query.
type Prefix struct {
	Scheme string // http or https
	Host   string // in lower case, with the port unless that is the scheme's own
	Path   string // without a slash at its end; "" is the whole host
}

// UnmarshalText reads prefixes of URLs separated by commas, such as
// "https://gate.example.com/headgate, http://gates.ci:8080". Nothing is none.
func (a *Allowed) UnmarshalText(text []byte) error {
	*a = nil
	for word := range strings.SplitSeq(string(text), ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		p, err := parse(word)
		if err == nil && strings.ContainsAny(word, "?#") {
			err = fmt.Errorf("%q: a prefix ends with a path", word)
		}
		if err != nil {
			return fmt.Errorf("%w: write for example https://gate.example.com/headgate", err)
		}
		*a = append(*a, p)
	}
	return nil
}

// Check says which of gates is not allowed, and what is.
func (a Allowed) Check(gates []spec.Gate) error {
	for _, g := range gates {
		p, err := parse(g.URL)
		if err != nil {
			return err
		}
		if !a.allow(p) {
			return fmt.Errorf("%s is not allowed: %s", shown(g.URL), a)
		}
	}
	return nil
}

func (a Allowed) allow(p Prefix) bool {
	for _, prefix := range a {
		below := p.Path == prefix.Path || strings.HasPrefix(p.Path, prefix.Path+"/")
		if p.Scheme == prefix.Scheme && p.Host == prefix.Host && below {
			return true
		}
	}
	return false
}

// String is the list, for whoever named another address.
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

// parse brings address into the form that is compared. It refuses what a server
// may take for another path than is written here: /open/../secret, the same with
// %2e, %2f or %252e, and /open/..;/secret, which Java servers cut at the semicolon.
// So does it a host that is not ASCII: letters that look or fold alike.
func parse(address string) (Prefix, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(u.Host, isForeign) {
		return Prefix{}, fmt.Errorf("%s: want an http or https URL with a host in ASCII and without a user", shown(address))
	}
	p := Prefix{Scheme: u.Scheme, Host: hostOf(u), Path: strings.TrimSuffix(u.EscapedPath(), "/")}
	if strings.ContainsAny(p.Path, "%;") || p.Path != strings.TrimSuffix(path.Clean("/"+p.Path), "/") {
		return Prefix{}, fmt.Errorf("%s: a path has no %%, no ;, no . or .. and no empty part", shown(address))
	}
	return p, nil
}

func isForeign(r rune) bool { return r > unicode.MaxASCII }

var ownPort = map[string]string{"http": "80", "https": "443"}

func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != ownPort[u.Scheme] {
		host += ":" + port
	}
	return host
}
