package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab/load"
)

// sendWith sends a light load to s, with these headers in every request: name, value,
// name, value and so on.
func (s *service) sendWith(headers ...string) *load.Load {
	h := http.Header{}
	for pair := range slices.Chunk(headers, 2) {
		h.Set(pair[0], pair[1])
	}
	return load.Start(s.Context(), load.Options{URL: shared.Ingress.URL() + "/", Host: s.Host(), Rate: 20, Header: h})
}

// TestHeaderAndCookie: at first only requests with the header or the cookie reach the
// new version. When there are weights too, such requests still always go to the new
// version, or never, until the rollout ends.
func TestHeaderAndCookie(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "0%, header=X-Canary:beta, cookie=canary, pause, 25%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.routed()
	chosen := []crowd{
		{"the header", s.sendWith("X-Canary", "beta"), "v2"},
		{"the header, and the cookie never", s.sendWith("X-Canary", "beta", "Cookie", "canary=never"), "v2"},
		{"the cookie always", s.sendWith("Cookie", "canary=always"), "v2"},
		{"the cookie never", s.sendWith("Cookie", "canary=never"), "v1"},
		{"the cookie never, and another header", s.sendWith("X-Canary", "gamma", "Cookie", "canary=never"), "v1"},
	}
	s.split(append(chosen, crowd{"users", s.load, "v1"})...)
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "weight 25")
	s.answers(s.load, s.routed(), 150)
	s.split(chosen...)
	for i, c := range chosen {
		if got := c.load.Report().Versions(); len(got) > 1 {
			t.Errorf("%s: answers came from %v", c.who, got)
		}
		chosen[i].version = "v1"
	}

	s.annotate(spec.AnnotationCommand, "abort")
	s.emptied(time.Minute)
	s.split(chosen...)
	for _, c := range chosen {
		s.unbroken(c.load, c.who)
	}
	s.sharesMatch(s.over(), "v2", 25)
	if got := s.weights.all(); !slices.Equal(got, []int{0, 25, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// TestTestersFindItBad: only requests that match a pattern reach the new version, and
// it is judged by these. The next write takes it away. No other request reached it.
func TestTestersFindItBad(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{
		spec.AnnotationSteps:    "0%, header=X-Region~^eu-(west|north)$, pause, 50%, 5s",
		spec.AnnotationAnalysis: good,
	})
	s.await(20*time.Second, reason.Ready)
	west, south := s.sendWith("X-Region", "eu-west"), s.sendWith("X-Region", "eu-south")
	s.ship("v2", map[string]string{"ERROR_RATE": "0.3"})
	if message := s.await(time.Minute, reason.AnalysisFailed); !strings.Contains(message, "at weight 0: success-rate") {
		t.Errorf("the condition does not say what was measured: %s", message)
	}
	s.split(crowd{"testers after the verdict", west, "v1"})
	s.emptied(time.Minute)
	if got := s.routeWrites(); !slices.Equal(got, []string{"create", "patch", "delete"}) {
		t.Errorf("the canary Ingress was written by %v", got)
	}
	if n := s.unbroken(west, "testers").Versions()["v2"]; n == 0 {
		t.Error("v2 gave testers no answer")
	}
	for whose, r := range map[string]load.Report{"others": s.unbroken(south, "others"), "users": s.over()} {
		if n := r.Versions()["v2"]; n > 0 {
			t.Errorf("v2 answered %s %d times", whose, n)
		}
	}
	if got := s.weights.all(); !slices.Equal(got, []int{0, -1}) {
		t.Errorf("weights were %v", got)
	}
}
