package rollout

import (
	"regexp"
	"strings"
)

// None says whether no request matches.
func (m Match) None() bool { return m == Match{} }

// What ingress-nginx accepts in these annotations (annotations/canary/main.go). It
// drops the whole rule, silently, for any other character.
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
		return Match{}, wrong(text, "a header is a name (X-Canary), a name and a value (X-Canary:beta), or a name and a regular expression (X-Region~eu-.*)")
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

// checkPattern: ingress-nginx reads PCRE and Traefik RE2, so what RE2 takes works
// in both.
func checkPattern(pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil || !matchPattern.MatchString(pattern) {
		return wrong(pattern, `is no regular expression for a header: it may have letters, digits and /-._~:^$[](){}*+?|&=\ only`)
	}
	return nil
}

func parseCookie(name string) (Match, error) {
	if !matchName.MatchString(name) {
		return Match{}, wrong(name, "is no name of a cookie; its value decides: always goes to the canary, never to stable")
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

// besides says what comes besides a weight.
func (m Match) besides() string {
	var words string
	if m.Header != "" {
		words += ", besides header " + m.header()
	}
	if m.Cookie != "" {
		words += ", besides cookie " + m.Cookie
	}
	return words
}

// match is what the steps up to the present one match: the last header and the
// last cookie that they name.
func (s State) match() Match {
	var m Match
	for _, step := range s.reachedSteps() {
		if step.Kind == MatchHeader {
			m.Header, m.Value, m.Pattern = step.Match.Header, step.Match.Value, step.Match.Pattern
		}
		if step.Kind == MatchCookie {
			m.Cookie = step.Match.Cookie
		}
	}
	return m
}
