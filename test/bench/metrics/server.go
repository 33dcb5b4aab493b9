// Package metrics is the benchmark's metric server. It speaks as much of Prometheus's query
// API as an analysis needs, answers what it is told to, hangs when it is told to, and knows
// when it answered what. Both tools ask the same server, so neither has better metrics.
package metrics

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Target is what a query is about: {namespace="shop",app="web"}.
type Target struct{ Namespace, App string }

// Query is the PromQL that asks for the value of target's app. The namespace is left to the
// tool that asks.
func Query(app string) string { return fmt.Sprintf("bench_value{app=%q}", app) }

// QueryIn is Query with the namespace in it.
func QueryIn(t Target) string {
	return fmt.Sprintf("bench_value{namespace=%q,app=%q}", t.Namespace, t.App)
}

// Good is the value that a target has until Set gives it another one. An analysis passes
// with it.
const Good = 1

// Server answers queries until Close.
type Server struct {
	server *http.Server

	mu      sync.Mutex
	values  map[Target]float64
	queries map[Target]int
	first   map[Target]time.Time // first answer with the present value
	hang    func(Target) bool
	nudge   chan struct{} // closed, and made anew, at every answer
}

// Start serves at address.
func Start(address string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("start the metric server: %w", err)
	}
	s := &Server{
		values: map[Target]float64{}, queries: map[Target]int{}, first: map[Target]time.Time{},
		hang: func(Target) bool { return false }, nudge: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query", s.query)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }() // its end is Close
	return s, nil
}

// Close ends every connection, those that hang too.
func (s *Server) Close() { _ = s.server.Close() }

// Set gives target another value from now on.
func (s *Server) Set(t Target, value float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[t] = value
	delete(s.first, t)
}

// Hang makes every query for which hang returns true wait for as long as its sender does.
// hang is called by one query at a time.
func (s *Server) Hang(hang func(Target) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = hang
}

// Queries counts the queries about target that came in so far.
func (s *Server) Queries(t Target) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries[t]
}

// Answered returns when the present value of target was answered first; the zero time if it
// was not yet. The channel is closed at the next answer to any query.
func (s *Server) Answered(t Target) (time.Time, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first[t], s.nudge
}

var matcher = regexp.MustCompile(`\b(namespace|app)="([^"]*)"`)

func targetOf(query string) Target {
	var t Target
	for _, m := range matcher.FindAllStringSubmatch(query, -1) {
		if m[1] == "app" {
			t.App = m[2]
		} else {
			t.Namespace = m[2]
		}
	}
	return t
}

func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	t := targetOf(r.FormValue("query"))
	value, hangs := s.take(t)
	if hangs {
		<-r.Context().Done()
		return
	}
	now := time.Now()
	body, _ := json.Marshal(map[string]any{ // strings and numbers always can be
		"status": "success",
		"data": map[string]any{"resultType": "vector", "result": []any{map[string]any{
			"metric": map[string]string{"namespace": t.Namespace, "app": t.App},
			"value":  []any{float64(now.UnixMilli()) / 1000, strconv.FormatFloat(value, 'g', -1, 64)},
		}}},
	})
	w.Header().Set("Content-Type", "application/json")
	s.answering(t, value, now)
	_, _ = w.Write(body) // a sender that has gone away does not matter
}

// take counts a query, and returns what it is answered or that it hangs.
func (s *Server) take(t Target) (value float64, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries[t]++
	value, ok := s.values[t]
	if !ok {
		value = Good
	}
	return value, s.hang(t)
}

// answering notes the time just before the answer is sent: nobody can know it earlier.
func (s *Server) answering(t Target, value float64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if current, ok := s.values[t]; !ok || current == value {
		if s.first[t].IsZero() {
			s.first[t] = now
		}
	}
	close(s.nudge)
	s.nudge = make(chan struct{})
}
