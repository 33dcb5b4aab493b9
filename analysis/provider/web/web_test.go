package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// service is a provider whose address is path on a server that handler answers for.
func service(t *testing.T, path string, handler http.HandlerFunc) *Provider {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(file, []byte("{providers: [{name: scores, type: web, address: "+s.URL+path+"}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := provider.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries[0].Timeout = 2 * time.Second
	p, err := New(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func subject() rollout.Subject {
	return rollout.Subject{Namespace: "shop", Deployment: "web", CanaryTrack: `x/../y" &z=1`, Weight: 10}
}

func TestRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		question provider.Question
		want     string // method, target, type and body
	}{
		"a path":  {provider.Question{Path: "/{{namespace}}/{{deployment}}"}, "GET /eval/shop/web - "},
		"a query": {provider.Question{Path: "/x?app={{deployment}}&at=5%20m&{{namespace}}=1"}, "GET /eval/x?app=web&at=5+m&shop=1 - "},
		"a value that would begin another parameter": {
			provider.Question{Path: "/x?app={{canary-track}}"}, `GET /eval/x?app=x%2F..%2Fy%22+%26z%3D1 - `,
		},
		"a body": {
			provider.Question{Path: "/x", Method: "POST", Body: `{"app": "{{canary-track}}", "weight": {{weight}}}`},
			`POST /eval/x application/json {"app": "x/../y\" \u0026z=1", "weight": 10}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			p := service(t, "/eval/", func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				kind := r.Header.Get("Content-Type")
				if kind == "" {
					kind = "-"
				}
				got = r.Method + " " + r.RequestURI + " " + kind + " " + string(body)
			})
			if err := p.Check(tt.question); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Ask(t.Context(), tt.question, subject()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A user reaches nothing but what is below the operator's address.
func TestPathsThatLeadElsewhere(t *testing.T) {
	p := service(t, "/eval", func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.RequestURI) })
	for _, path := range []string{
		"x", "@other.test/", "http://other.test/", "//other.test/", "/..", "/../admin", "/a/../../admin", "/./a", "/a//b", "/a/.",
		"/%2e%2e/admin", "/..%2fadmin", "/%252e%252e/admin", "/..;/admin", "/a;b", `/..\admin`, "/a#b", "/a?b#c", "/a b", "/a\r\nX-Y: z",
		"/a?b\r\nc", "/a?b;c", "/a?%zz", "/\u2025/admin", "/{{canary-track}}",
	} {
		q := provider.Question{Path: path}
		if err := p.Check(q); err == nil && !strings.Contains(path, "{{") {
			t.Errorf("%q was accepted", path)
		}
		if _, err := p.Ask(t.Context(), q, subject()); err == nil {
			t.Errorf("%q was asked", path)
		}
	}
}

// A value is one segment.
func TestAValueWithASlash(t *testing.T) {
	p := service(t, "/eval", func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.RequestURI) })
	s := subject()
	s.CanaryTrack = "a/b"
	if _, err := p.Ask(t.Context(), provider.Question{Path: "/{{canary-track}}"}, s); err == nil {
		t.Error("it was asked")
	}
}

func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   provider.Answer
	}{
		"an object":   {200, `{"score": 0.9}`, provider.Answer{Status: 200, Body: map[string]any{"score": 0.9}}},
		"a number":    {200, `0.9`, provider.Answer{Status: 200, Body: 0.9}},
		"an error":    {503, `{"error": "x"}`, provider.Answer{Status: 503, Body: map[string]any{"error": "x"}}},
		"no JSON":     {200, `<html>`, provider.Answer{Status: 200}},
		"half JSON":   {200, `{"score": 0.9`, provider.Answer{Status: 200}},
		"nothing":     {204, ``, provider.Answer{Status: 204}},
		"rate limits": {429, ``, provider.Answer{Status: 429}},
	} {
		t.Run(name, func(t *testing.T) {
			p := service(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			got, err := p.Ask(t.Context(), provider.Question{Path: "/x"}, subject())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// On the same host there may be more than what the operator named.
func TestNoRedirectIsFollowed(t *testing.T) {
	p := service(t, "/eval", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/eval/x" {
			t.Errorf("%s was asked", r.URL)
		}
		http.Redirect(w, r, "/admin", http.StatusTemporaryRedirect)
	})
	_, err := p.Ask(t.Context(), provider.Question{Path: "/x"}, subject())
	if err == nil || err.Error() != "it answered 307, a redirect, which is not followed" {
		t.Errorf("got %v", err)
	}
}

func TestCheckErrors(t *testing.T) {
	p := service(t, "", nil)
	const example = "write for example path: /scores/{{namespace}}?app={{deployment}}"
	for name, tt := range map[string]struct {
		question provider.Question
		want     string
	}{
		"a query": {provider.Question{Query: "up"}, "query is for a provider of metrics, and this one is of type web: " + example},
		"no path": {provider.Question{}, "there is no path: " + example},
		"reduce": {
			provider.Question{Path: "/x", Reduce: "sum"},
			"reduce is for a provider that returns points of time: write the value in CEL, for example value: body.score",
		},
		"a method": {provider.Question{Path: "/x", Method: "DELETE"}, `method "DELETE": want GET or POST: write for example method: POST`},
		"a body":   {provider.Question{Path: "/x", Body: "{}"}, "a body needs method: POST"},
		"no JSON": {
			provider.Question{Path: "/x", Method: "POST", Body: "a=b"},
			`body is not JSON: write for example body: '{"app": "{{deployment}}", "weight": {{weight}}}'`,
		},
		"too long": {provider.Question{Path: "/" + strings.Repeat("x", 4096)}, "path and body may have at most 4096 bytes each"},
		"elsewhere": {
			provider.Question{Path: "/../x"},
			`path "/../x": want a path below the address of the provider, ` +
				`that begins with / and has no segment . or .., no empty segment, and none of % ; \ # : ` + example,
		},
		"no variable of ours": {
			provider.Question{Path: "/{{pod}}"},
			`path: unknown variable "{{pod}}": the variables are ` + strings.Join(provider.Variables(), ", "),
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.Check(tt.question)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a?b=c", "/../a", "/%2e", "//a", "/a;b", `/\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := requestFor(provider.Question{Path: text}, func(template string) (string, error) { return template, nil })
		if err == nil && (!strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path+"/", "/../") || strings.Contains(r.Path, "//")) {
			t.Errorf("%q leads to %q", text, r.Path)
		}
	})
}
