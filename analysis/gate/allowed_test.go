package gate

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
)

func TestUnmarshalAllowed(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want Allowed
	}{
		"nothing":               {"", nil},
		"separators alone":      {" , ", nil},
		"a whole host":          {"https://gate.example.com", Allowed{{"https", "gate.example.com", ""}}},
		"the same with a slash": {"https://gate.example.com/", Allowed{{"https", "gate.example.com", ""}}},
		"two, with a port and a path": {
			"http://gates.ci:8080, https://gate.example.com/a/b/",
			Allowed{{"http", "gates.ci:8080", ""}, {"https", "gate.example.com", "/a/b"}},
		},
		"a port that goes without saying":   {"https://gate.example.com:443", Allowed{{"https", "gate.example.com", ""}}},
		"the port of the other scheme":      {"http://gate.example.com:443", Allowed{{"http", "gate.example.com:443", ""}}},
		"a host in capitals":                {"HTTPS://Gate.Example.COM/Web", Allowed{{"https", "gate.example.com", "/Web"}}},
		"an address of the new kind":        {"http://[FD00::1]:8080", Allowed{{"http", "[fd00::1]:8080", ""}}},
		"an address of that kind, its port": {"http://[fd00::1]:80", Allowed{{"http", "[fd00::1]", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Allowed{{"https", "from.before", ""}}
			if err := got.UnmarshalText([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

const (
	noURL = ": want an http or https URL with an ASCII host name and without a user name"
	dirty = ": the path must not contain %, ;, a segment . or .., or an empty segment"
)

func TestUnmarshalAllowedErrors(t *testing.T) {
	const example = ": write for example https://gate.example.com/headgate"
	for text, want := range map[string]string{
		"gate.example.com":                  `"gate.example.com"` + noURL,
		"gate.example.com:8080":             `"gate.example.com:8080"` + noURL,
		"https://a.example.com https://b":   `"https://a.example.com https://b"` + noURL,
		"ftp://gate.example.com":            `"ftp://gate.example.com"` + noURL,
		"https://*.example.com/../a":        `"https://*.example.com/../a"` + dirty,
		"https://gate.example.com/a?team=b": `"https://gate.example.com/a?team=b": a prefix must not have a query or a fragment`,
		"https://gate.example.com/a#b":      `"https://gate.example.com/a#b": a prefix must not have a query or a fragment`,
		"https://ok.example.com, https:///": `"https:///"` + noURL,
	} {
		t.Run(text, func(t *testing.T) {
			var a Allowed
			err := a.UnmarshalText([]byte(text))
			if err == nil {
				t.Fatalf("accepted: %v", a)
			}
			if diff := cmp.Diff(want+example, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	const list = "https://gate.example.com/open, http://gates.ci:8080"
	other := ` is not allowed: the operator allows gates at ` + list + ` (HEADGATE_GATE_ADDRESSES)`
	kelvin := "http://gates.c\u0130:8080" // its lower case begins with an i

	for name, tt := range map[string]struct{ url, want string }{
		"the prefix itself":             {"https://gate.example.com/open", ""},
		"with a slash":                  {"https://gate.example.com/open/", ""},
		"below it":                      {"https://gate.example.com/open/web", ""},
		"with a query":                  {"https://gate.example.com/open?team=a/../b", ""},
		"with the port written":         {"https://gate.example.com:443/open", ""},
		"with a port left empty":        {"https://gate.example.com:/open", ""},
		"in capitals":                   {"HTTPS://GATE.example.com/open", ""},
		"a whole host":                  {"http://gates.ci:8080/any/thing", ""},
		"a whole host, without a path":  {"http://gates.ci:8080", ""},
		"dots that are a name":          {"http://gates.ci:8080/v1...2/.well-known", ""},
		"the other scheme":              {"http://gate.example.com/open", `"http://gate.example.com/open"` + other},
		"the other scheme's port":       {"http://gate.example.com:443/open", `"http://gate.example.com:443/open"` + other},
		"another port":                  {"http://gates.ci:8081/", `"http://gates.ci:8081/"` + other},
		"no port":                       {"http://gates.ci/", `"http://gates.ci/"` + other},
		"another host":                  {"https://gate.example.org/open", `"https://gate.example.org/open"` + other},
		"a host below it":               {"https://evil.gate.example.com/open", `"https://evil.gate.example.com/open"` + other},
		"a host that begins like it":    {"https://gate.example.com.evil.org/open", `"https://gate.example.com.evil.org/open"` + other},
		"a host with a dot at its end":  {"https://gate.example.com./open", `"https://gate.example.com./open"` + other},
		"the host as a user":            {"https://gate.example.com@evil.org/open", `"https://gate.example.com@evil.org/open"` + noURL},
		"the host as user and password": {"https://gate.example.com:443@evil.org/open", `"https://gate.example.com:443@evil.org/open"` + noURL},
		"a backslash before the at":     {`https://evil.org\@gate.example.com/open`, `"https://evil.org\\@gate.example.com/open"` + noURL},
		"a letter that folds":           {kelvin, `"http://gates.cİ:8080"` + noURL},
		"no host":                       {"https:///open", `"https:///open"` + noURL},
		"no slashes":                    {"https:gate.example.com/open", `"https:gate.example.com/open"` + noURL},
		"another path":                  {"https://gate.example.com/secret", `"https://gate.example.com/secret"` + other},
		"no path":                       {"https://gate.example.com", `"https://gate.example.com"` + other},
		"a path that begins like it":    {"https://gate.example.com/opened", `"https://gate.example.com/opened"` + other},
		"a path in capitals":            {"https://gate.example.com/Open", `"https://gate.example.com/Open"` + other},
		"up and away":                   {"https://gate.example.com/open/../secret", `"https://gate.example.com/open/../secret"` + dirty},
		"up at the end":                 {"https://gate.example.com/open/..", `"https://gate.example.com/open/.."` + dirty},
		"up and back":                   {"https://gate.example.com/secret/../open", `"https://gate.example.com/secret/../open"` + dirty},
		"up, encoded":                   {"https://gate.example.com/open/%2e%2e/secret", `"https://gate.example.com/open/%2e%2e/secret"` + dirty},
		"up, encoded twice": {
			"https://gate.example.com/open/%252e%252e/secret",
			`"https://gate.example.com/open/%252e%252e/secret"` + dirty,
		},
		"up by an encoded slash": {"https://gate.example.com/open/..%2fsecret", `"https://gate.example.com/open/..%2fsecret"` + dirty},
		"up by a backslash":      {`https://gate.example.com/open\..\secret`, `"https://gate.example.com/open\\..\\secret"` + dirty},
		"up with a parameter":    {"https://gate.example.com/open/..;a=b/secret", `"https://gate.example.com/open/..;a=b/secret"` + dirty},
		"a slash too many":       {"https://gate.example.com//open", `"https://gate.example.com//open"` + dirty},
		"two slashes at the end": {"https://gate.example.com/open//", `"https://gate.example.com/open//"` + dirty},
		"a line break":           {"https://gate.example.com/open\r\nHost: evil", `"https://gate.example.com/open\r\nHost: evil"` + noURL},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := parseAllowed(t, list).Check([]spec.Gate{gateAt("http://gates.ci:8080/first"), gateAt(tt.url)}); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check(%q) (-want +got):\n%s", tt.url, diff)
			}
		})
	}
}

func TestByDefaultNoGateIsAllowed(t *testing.T) {
	err := Allowed(nil).Check([]spec.Gate{gateAt("https://gate.example.com/web?token=secret")})
	want := `"https://gate.example.com/web" is not allowed: the operator allows no gates (HEADGATE_GATE_ADDRESSES)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := Allowed(nil).Check(nil); err != nil {
		t.Errorf("no gates at all: %v", err)
	}
}

// However a server reads a path, what is allowed stays below the prefix.
func TestNothingAllowedLeavesItsPrefix(t *testing.T) {
	a := parseAllowed(t, "https://gate.example.com/open")
	part := rapid.SampledFrom([]string{
		"https://gate.example.com", "https://gate.example.com:443", "@", "evil.org", "/", "/", "/open", "/open", "/secret",
		"..", ".", "%2e", "%2E", "%2f", "%25", "%5c", `\`, ";", "?", "#", "a", ":",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "")
		if rapid.Bool().Draw(t, "plausible") {
			text = "https://gate.example.com/open" + text
		}
		if a.Check([]spec.Gate{gateAt(text)}) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() != "gate.example.com" {
			t.Fatalf("%q goes to %v, %v", text, u, err)
		}
		if read := lenient(u.EscapedPath()); read != "/open" && !strings.HasPrefix(read, "/open/") {
			t.Fatalf("%q is read as %s", text, read)
		}
	})
}

// lenient reads a path as the most careless of servers.
func lenient(p string) string {
	for range 3 {
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
	}
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(p, `\`, "/"), "/") {
		name, _, _ := strings.Cut(part, ";")
		parts = append(parts, name)
	}
	return path.Clean("/" + strings.Join(parts, "/"))
}
