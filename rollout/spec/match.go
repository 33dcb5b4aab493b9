package spec

import (
	"regexp"
	"strings"
)

// Match is which requests go to the canary whatever the weight. The zero value
// matches none. A header decides before a cookie.
type Match struct {
	Header string `json:"header,omitempty"` // name

	// Value is what Header must be, or Pattern is a regular expression for it. With
	// neither, a header with the value "always" goes to the canary and "never" to
	// stable.
	Value   string `json:"value,omitempty"`
	Pattern string `json:"pattern,omitempty"`

	Cookie string `json:"cookie,omitempty"` // name; its value is "always" or "never"
}

// None says whether no request matches.
func (m Match) None() bool { return m == Match{} }

// What ingress-nginx accepts in these annotations (annotations/canary/main.go). For
// any other character it drops the whole rule and says nothing.
var (
	matchName    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	matchValue   = regexp.MustCompile(`^[/\-._~a-zA-Z0-9:]+$`)
	matchPattern = regexp.MustCompile(`^[/\-._~a-zA-Z0-9:^$\[\](){}*+?|&=\\]+$`)
)

// parseHeader reads "NAME", "NAME:VALUE" or "NAME~PATTERN".
func parseHeader(text string) (Match, error) {
	end := strings.IndexAny(text, ":~")
	if end < 0 {
		end = len(text)
	}
	m := Match{Header: text[:end]}
	if !matchName.MatchString(m.Header) {
		return Match{}, wrong(text,
			"a header is a name (X-Canary), a name and a value (X-Canary:beta), or a name and a regular expression (X-Region~eu-.*)")
	}
	switch rest := text[end:]; {
	case strings.HasPrefix(rest, ":"):
		m.Value = rest[1:]
		return m, checkValue(m.Value)
	case strings.HasPrefix(rest, "~"):
		m.Pattern = rest[1:]
		return m, checkPattern(m.Pattern)
	}
	return m, nil
}

func checkValue(value string) error {
	if !matchValue.MatchString(value) {
		return wrong(value, "the value of a header has letters, digits and /-._~: only")
	}
	return nil
}

// checkPattern accepts what RE2 accepts: Traefik reads RE2 and ingress-nginx PCRE,
// so such a pattern works in both.
func checkPattern(pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil || !matchPattern.MatchString(pattern) {
		return wrong(pattern, `is not a regular expression that every router takes: it may have letters, digits and /-._~:^$[](){}*+?|&=\ only`)
	}
	return nil
}

func parseCookie(name string) (Match, error) {
	if !matchName.MatchString(name) {
		return Match{}, wrong(name, "is not the name of a cookie: name one whose value is always for the canary and never for stable")
	}
	return Match{Cookie: name}, nil
}

// header is what parseHeader reads.
func (m Match) header() string {
	switch {
	case m.Value != "":
		return m.Header + ":" + m.Value
	case m.Pattern != "":
		return m.Header + "~" + m.Pattern
	}
	return m.Header
}

// Besides says what goes to the canary besides a weight:
// ", besides header X-Canary".
func (m Match) Besides() string {
	var words string
	if m.Header != "" {
		words += ", besides header " + m.header()
	}
	if m.Cookie != "" {
		words += ", besides cookie " + m.Cookie
	}
	return words
}
