// Package replay tests a provider against recorded answers of its API: a server replays
// them, and records what it is asked.
package replay

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// Secret is the content of the file secret, beside the settings.
const Secret = "s3cret"

// Asker is a provider of any type.
type Asker interface {
	Check(q provider.Question) error
	Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error)
}

// Server replays Status and Body, and keeps the last request.
type Server struct {
	Status  int // 0: 200
	Body    string
	Request *http.Request
	Sent    string // the body of the request
	url     string
}

// NewServer returns a running server.
func NewServer(t *testing.T) *Server {
	t.Helper()
	r := &Server{}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	s.Request, s.Sent = req, string(body)
	if s.Status != 0 {
		w.WriteHeader(s.Status)
	}
	_, _ = io.WriteString(w, s.Body)
}

// Entry is a provider at the server. settings are the fields after its address, in YAML on
// one line. Their files may name secret.
func (s *Server) Entry(t *testing.T, settings string) provider.Entry {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "providers.yaml")
	for name, content := range map[string]string{
		file:                         "{providers: [{name: test, address: " + s.url + ", " + settings + "}]}",
		filepath.Join(dir, "secret"): Secret + "\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := provider.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries[0].Timeout = 5 * time.Second
	return entries[0]
}

// Exchange is one recorded answer and what a provider must make of it.
type Exchange struct {
	Status int
	Body   string
	Reduce provider.Reduce
	Want   []float64
	Warns  bool
	Err    string // "": none
	Fault  bool   // the error is a provider.QueryFault
}

// Run replays every exchange to p, which asks query.
func (s *Server) Run(t *testing.T, p Asker, query string, exchanges map[string]Exchange) {
	t.Helper()
	for name, x := range exchanges {
		t.Run(name, func(t *testing.T) {
			s.Status, s.Body = x.Status, x.Body
			got, err := p.Ask(t.Context(), provider.Question{Query: query, Reduce: x.Reduce}, Subject())
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(x.Err, text); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if _, fault := err.(provider.QueryFault); fault != x.Fault { //nolint:errorlint // a provider returns it itself
				t.Errorf("the query is the cause: %v, want %v", fault, x.Fault)
			}
			if diff := cmp.Diff(x.Want, got.Numbers); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			if warns := len(got.Warnings) > 0; warns != x.Warns {
				t.Errorf("warnings %q", got.Warnings)
			}
		})
	}
}

// Subject is a canary in the namespace shop, with a window of 90 seconds.
func Subject() rollout.Subject {
	return rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", CanaryReplicaSet: "web-canary-6d4cf",
		Window: 90 * time.Second,
	}
}
