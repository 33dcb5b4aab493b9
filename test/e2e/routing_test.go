package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// crowd is a load that only one version must answer; "": no version.
type crowd struct {
	who     string
	load    *load.Load
	version string
}

// routed waits until the router has applied every change so far, and returns the time.
// Requests that are sent after it are routed by what the API server had when routed was
// called: who answers them does not depend on how fast the machine is.
func (s *service) routed() time.Time {
	s.Helper()
	s.must(shared.Ingress.CatchUp(s.within(20 * time.Second)))
	return time.Now()
}

// onlyAnswers checks that version alone answers l, once the router knows what the API
// server has now. It finds a version that is left in the routes, or that is missing there.
func (s *service) onlyAnswers(l *load.Load, version string) {
	s.Helper()
	s.split(crowd{"from now on", l, version})
}

// onlyServes waits until the pods of version, and no others, are behind the Services of
// the namespace, and then is onlyAnswers.
func (s *service) onlyServes(version string) {
	s.Helper()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		pods := s.podNames(version)
		endpoints := s.endpoints()
		if !slices.Equal(pods, endpoints) {
			return fmt.Errorf("the Services lead to %v; pods of %s are %v", endpoints, version, pods)
		}
		return nil
	}))
	s.onlyAnswers(s.load, version)
}

// split checks that each of crowds is answered by its version alone, once the router knows
// what the API server has now.
func (s *service) split(crowds ...crowd) {
	s.Helper()
	since := s.routed()
	for _, c := range crowds {
		r := s.answers(c.load, since, 30)
		if got := r.Versions(); got[c.version] != len(r.Answers) {
			s.Errorf("%s at weight %d: answers came from %v, want %q alone", c.who, s.weights.now(), got, c.version)
		}
	}
}

// answers waits for n answers of l to requests sent since then.
func (s *service) answers(l *load.Load, then time.Time, n int) load.Report {
	s.Helper()
	var r load.Report
	s.must(lab.Poll(s.within(time.Minute), func() error {
		if r = l.Report().Since(then); len(r.Answers) < n {
			return fmt.Errorf("%d answers, want %d", len(r.Answers), n)
		}
		return nil
	}))
	return r
}

// unbroken stops l and checks that the rollout failed none of its answers.
func (s *service) unbroken(l *load.Load, whose string) load.Report {
	s.Helper()
	r := l.Stop()
	if len(r.FailedByRollout()) > 0 {
		s.Errorf("the rollout broke answers of %s: %s", whose, r)
	}
	return r
}

// writes returns the verbs of Headgate's writes to an object of s, in order.
func (s *service) writes(resource, name string) []string {
	s.Helper()
	all, err := shared.HeadgateWrites()
	s.must(err)
	var verbs []string
	for _, w := range all {
		if w.Namespace == s.Namespace && w.Resource == resource && w.Name == name && w.Code < http.StatusBadRequest {
			verbs = append(verbs, w.Verb)
		}
	}
	return verbs
}

// routeWrites returns the verbs of Headgate's writes to the canary Ingress.
func (s *service) routeWrites() []string {
	s.Helper()
	return s.writes("ingresses", s.canaryIngress().Name)
}

// emptied waits until the canary, which was rolled back, has no pods.
func (s *service) emptied(limit time.Duration) {
	s.Helper()
	canary := s.canary()
	s.must(shared.Await(s.within(limit), canary, func() error { return none(canary) }))
}

// carrying waits for weight and checks that the canary has that many Available pods.
func (s *service) carrying(weight int, pods int32) {
	s.Helper()
	s.awaitWeight(time.Minute, weight)
	canary := s.canary()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(canary), canary))
	if got := canary.Status.AvailableReplicas; got != pods {
		s.Errorf("at weight %d %d canary pods are Available, want %d", weight, got, pods)
	}
}
