package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

var start = rollout.GateQuestion{Before: spec.GateStart, Namespace: "shop", Deployment: "web", Rollout: "7"}

// serverOf answers by path and records the paths that it was asked for.
func serverOf(t *testing.T, handlers map[string]http.HandlerFunc) (address string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		handlers[r.URL.Path](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(paths)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// keeper allows every path of the servers at addresses.
func keeper(t *testing.T, addresses ...string) *Gatekeeper {
	t.Helper()
	return New(parseAllowed(t, strings.Join(addresses, ",")))
}

func parseAllowed(t interface {
	Helper()
	Fatal(...any)
}, text string) Allowed {
	t.Helper()
	var a Allowed
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

func gateAt(url string) spec.Gate {
	return spec.Gate{Before: spec.GateStart, URL: url, Timeout: time.Minute}
}

func TestOnlyAYesOpens(t *testing.T) {
	done := make(chan struct{})
	address, asked := serverOf(t, map[string]http.HandlerFunc{
		"/yes": status(200), "/created": status(201), "/empty": status(204),
		"/no": status(403), "/missing": status(404), "/down": status(503), "/busy": status(429), "/own": status(599),
		"/moved": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/yes", http.StatusTemporaryRedirect)
		},
		"/silent":  func(http.ResponseWriter, *http.Request) { <-done },
		"/hang-up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/forever": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, endless{}) },
		"/shouting": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(409)
			_, _ = w.Write([]byte("<b>secret</b>"))
		},
	})
	t.Cleanup(func() { close(done) })
	closed := httptest.NewServer(nil)
	closed.Close()
	https := httptest.NewUnstartedServer(status(200))
	https.Config.ErrorLog = log.New(io.Discard, "", 0) // that a client did not trust it
	https.StartTLS()
	t.Cleanup(https.Close)
	mistaken := strings.Replace(address, "http:", "https:", 1)
	k := keeper(t, address, closed.URL, https.URL, mistaken)

	for name, tt := range map[string]struct {
		url     string
		timeout time.Duration
		want    string // "" is open
	}{
		"200":                     {url: address + "/yes"},
		"201":                     {url: address + "/created"},
		"204":                     {url: address + "/empty"},
		"more than anybody reads": {url: address + "/forever"},
		"403":                     {url: address + "/no", want: `"{url}" answered 403 Forbidden`},
		"404":                     {url: address + "/missing", want: `"{url}" answered 404 Not Found`},
		"503":                     {url: address + "/down", want: `"{url}" answered 503 Service Unavailable`},
		"429":                     {url: address + "/busy", want: `"{url}" answered 429 Too Many Requests`},
		"a code without a name":   {url: address + "/own", want: `"{url}" answered 599 `},
		"a redirect to a yes":     {url: address + "/moved", want: `"{url}" answered 307 Temporary Redirect`},
		"a body is not shown":     {url: address + "/shouting", want: `"{url}" answered 409 Conflict`},
		"nothing in time": {
			url:     address + "/silent",
			timeout: 20 * time.Millisecond,
			want:    `"{url}" did not answer: timed out after 20ms`,
		},
		"a connection closed":       {url: address + "/hang-up", want: `"{url}" did not answer: the server closed the connection`},
		"nobody listens":            {url: closed.URL, want: `"{url}" did not answer: connection refused`},
		"an unknown certificate":    {url: https.URL, want: `"{url}" did not answer: x509: certificate signed by unknown authority`},
		"https where http is":       {url: mistaken + "/yes", want: `"{url}" did not answer: the server speaks http, not https`},
		"a query is not shown":      {url: address + "/no?token=secret", want: `"` + address + `/no" answered 403 Forbidden`},
		"an address nobody allowed": {url: "http://metadata.internal/", want: `"{url}" is not allowed: ` + fmt.Sprint(k.allowed)},
	} {
		t.Run(name, func(t *testing.T) {
			g := gateAt(tt.url)
			if tt.timeout > 0 {
				g.Timeout = tt.timeout
			}
			want := rollout.GateAnswer{Point: spec.GateStart, Open: tt.want == "", Message: strings.ReplaceAll(tt.want, "{url}", tt.url)}
			got := k.Ask(t.Context(), []spec.Gate{g}, start)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	followed := slices.DeleteFunc(asked(), func(path string) bool { return path != "/yes" })
	if len(followed) != 1 {
		t.Errorf("/yes was asked %d times, want once: a redirect was followed", len(followed))
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestTheQuestion(t *testing.T) {
	var body string
	var header http.Header
	var method string
	address, _ := serverOf(t, map[string]http.HandlerFunc{"/a": func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body, header, method = string(text), r.Header, r.Method
	}})
	g := gateAt(address + "/a")
	g.Before = spec.GateRise
	keeper(t, address).Ask(t.Context(), []spec.Gate{g}, rollout.GateQuestion{
		Before: spec.GateRise, Namespace: "shop", Deployment: "web", Rollout: "7", Weight: 25,
	})
	if want := `{"before":"rise","namespace":"shop","deployment":"web","rollout":"7","weight":25}`; body != want {
		t.Errorf("body %s, want %s", body, want)
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"headgate"},
		"Accept-Encoding": {"gzip"}, "Content-Length": {fmt.Sprint(len(body))},
	}
	if diff := cmp.Diff(want, header); diff != "" || method != http.MethodPost {
		t.Errorf("%s, -want +got:\n%s", method, diff)
	}
}

func TestGatesAreAskedInOrderUntilOneIsClosed(t *testing.T) {
	answers := map[string]http.HandlerFunc{"/a": status(200), "/b": status(200), "/no": status(403)}
	for name, tt := range map[string]struct {
		gates []string // point and path
		asked []string
		open  bool
	}{
		"all open":         {[]string{"start /a", "start /b"}, []string{"/a", "/b"}, true},
		"the first closed": {[]string{"start /no", "start /a"}, []string{"/no"}, false},
		"the last closed":  {[]string{"start /a", "start /no"}, []string{"/a", "/no"}, false},
		"another point":    {[]string{"rise /no", "start /a", "promotion /no"}, []string{"/a"}, true},
		"none here":        {[]string{"rise /no"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			address, asked := serverOf(t, answers)
			var gates []spec.Gate
			for _, text := range tt.gates {
				point, path, _ := strings.Cut(text, " ")
				g := gateAt(address + path)
				g.Before = spec.GatePoint(point)
				gates = append(gates, g)
			}
			if got := keeper(t, address).Ask(t.Context(), gates, start); got.Open != tt.open {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(tt.asked, asked()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"why": strings.Repeat("because ", 1000)})
	}))
	var mu sync.Mutex
	connections := 0
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			connections++
			mu.Unlock()
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	k := keeper(t, s.URL)
	for weight := range 5 {
		q := start
		q.Weight = weight
		if got := k.Ask(t.Context(), []spec.Gate{gateAt(s.URL)}, q); !got.Open {
			t.Fatal(got)
		}
	}
	if mu.Lock(); connections != 1 {
		t.Errorf("%d connections for 5 questions, want 1", connections)
	}
}
