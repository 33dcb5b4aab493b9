package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// metrics stands before the lab's Prometheus, and makes it slow for some namespaces.
var metrics metricsProxy

type metricsProxy struct {
	mu   sync.Mutex
	slow map[string]int // how many queries about a namespace hang, or did
}

// start serves at address, in front of the Prometheus at target.
func (p *metricsProxy) start(address, target string) (err error) {
	p.slow = map[string]int{}
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(u) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || p.isSlow(r.Form.Encode()) {
			<-r.Context().Done()
			return
		}
		// The body is read, so the query goes on in the address.
		r.Method, r.Body, r.ContentLength, r.URL.RawQuery = http.MethodGet, http.NoBody, 0, r.Form.Encode()
		proxy.ServeHTTP(w, r)
	}))
	if server.Listener, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("listen for queries: %w", err)
	}
	server.Start()
	return nil
}

// isSlow counts query, if it is about a slow namespace.
func (p *metricsProxy) isSlow(query string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for namespace := range p.slow {
		if strings.Contains(query, namespace) {
			p.slow[namespace]++
			return true
		}
	}
	return false
}

// slowFor makes every query about namespace hang until the test ends.
func (p *metricsProxy) slowFor(t *testing.T, namespace string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow[namespace] = 0
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.slow, namespace)
	})
}

func (p *metricsProxy) hanging(namespace string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slow[namespace]
}

// TestAbortIsObeyedWhileEveryQueryHangs: six rollouts, more than the manager has
// workers, are measured with queries that never return. One of them is aborted at once.
// Another, in a namespace whose Prometheus answers, goes on to its end.
func TestAbortIsObeyedWhileEveryQueryHangs(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: "50%, 100%", spec.AnnotationAnalysis: good}
	var all []*service
	for range 6 {
		s := newService(t, annotations, func(s *service) { s.Replicas = 1 })
		metrics.slowFor(t, s.Namespace)
		s.ship("v2", nil)
		all = append(all, s)
	}
	for _, s := range all {
		s.awaitWeight(time.Minute, 50)
	}
	aborted := all[0]
	for _, s := range append(all[1:len(all):len(all)], aborted) {
		before := metrics.hanging(s.Namespace)
		s.must(lab.Poll(s.within(time.Minute), func() error {
			if metrics.hanging(s.Namespace) == before {
				return errors.New("no query hangs")
			}
			return nil
		}))
	}
	began := time.Now() // its query has only just begun to hang
	aborted.annotate(spec.AnnotationCommand, spec.VerbAbort)
	aborted.awaitWeight(30*time.Second, -1)
	// The promise is a second. But an abort that waits for the query takes the 10 s after
	// which that times out, and a busy machine may take all the time before.
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the traffic was taken away %s after the abort", took)
	}
	aborted.await(30*time.Second, reason.AbortedByCommand)

	healthy := newService(t, annotations, func(s *service) { s.Replicas = 1 })
	healthy.ship("v2", nil)
	healthy.await(time.Minute, reason.Promoted)
	for _, s := range all[1:] {
		if now := s.weights.now(); now != 50 {
			t.Errorf("without an answer the weight became %d", now)
		}
	}
	aborted.over()
	healthy.over()
}
