package metrics

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

var web = Target{Namespace: "shop", App: "web"}

func ask(t *testing.T, s *Server, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	form := strings.NewReader(url.Values{"query": {query}}.Encode())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/query", form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.query(w, r)
	return w.Body.String()
}

func TestServer(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ask(t, s, QueryIn(web)); !strings.Contains(got, `"1"`) {
		t.Errorf("a target without a value has the answer %s, want 1", got)
	}
	s.Set(web, 0.25)
	if at, _ := s.Answered(web); !at.IsZero() {
		t.Errorf("0.25 was answered at %s, before anybody asked", at)
	}
	before := time.Now()
	if got := ask(t, s, `bench_value{app="web",namespace="shop"}`); !strings.Contains(got, `"0.25"`) {
		t.Errorf("the answer is %s, want 0.25", got)
	}
	if at, _ := s.Answered(web); at.Before(before) {
		t.Errorf("0.25 was answered at %s, before it was asked for at %s", at, before)
	}
	s.Hang(func(hung Target) bool { return hung == web })
	if got := ask(t, s, QueryIn(web)); got != "" {
		t.Errorf("a query that hangs has the answer %s", got)
	}
	if got := ask(t, s, QueryIn(Target{Namespace: "shop", App: "other"})); got == "" {
		t.Error("a query about another target hangs too")
	}
	if n := s.Queries(web); n != 3 {
		t.Errorf("%d queries about the target, want 3", n)
	}
}
