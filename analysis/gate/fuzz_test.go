package gate

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/headgate/headgate/rollout/spec"
)

// A gate that is allowed leads to the host of the operator and below its path, as the HTTP
// client and a server that cleans paths read it.
func FuzzAllowed(f *testing.F) {
	for _, text := range []string{
		"https://gate.example.com/open", "https://gate.example.com/open/web?x=/../", "https://gate.example.com/open/../secret",
		"https://gate.example.com/openx", "https://gate.example.com:443/open", "https://user@gate.example.com/open",
		"https://gate.example.com@evil.example.org/open", `https://gate.example.com\@evil.example.org/open`,
		"https://gate.example.com/open/%2e%2e/secret", "https://gate.example.com/open;/../x", "HTTPS://GATE.EXAMPLE.COM/open/a",
		"https://gate.example.com/open#/../..", "//gate.example.com/open", "https://gate.example.com/open//x", "https:gate.example.com/open",
	} {
		f.Add(text)
	}
	var allowed Allowed
	if err := allowed.UnmarshalText([]byte("https://gate.example.com/open")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if allowed.Check([]spec.Gate{{URL: text}}) != nil {
			return
		}
		r, err := http.NewRequest(http.MethodPost, text, nil)
		if err != nil {
			return // it is never sent
		}
		host := strings.ToLower(r.URL.Hostname())
		if r.URL.Scheme != "https" || host != "gate.example.com" || r.URL.Port() != "" && r.URL.Port() != "443" || r.URL.User != nil {
			t.Errorf("%q is allowed and leads to %s", text, r.URL)
		}
		unescaped, err := url.PathUnescape(r.URL.EscapedPath())
		if cleaned := path.Clean("/" + unescaped); err != nil || cleaned != "/open" && !strings.HasPrefix(cleaned, "/open/") {
			t.Errorf("%q is allowed and leads to %q (%v)", text, cleaned, err)
		}
	})
}
