package e2e

import (
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab/load"
)

// visit is a user whose browser keeps cookies, and the version that answered first.
func (s *service) visit() crowd {
	s.Helper()
	jar, err := cookiejar.New(nil)
	s.must(err)
	l := load.Start(s.Context(), load.Options{URL: shared.Ingress.URL() + "/", Host: s.Host(), Rate: 10, Jar: jar})
	return crowd{"a user", l, s.answers(l, time.Time{}, 1).Answers[0].Version}
}

// TestSessionsKeepTheirVersion: with session affinity a weight applies to new users.
// A user stays on the version that answered first. A rollback brings all users to
// stable.
func TestSessionsKeepTheirVersion(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "0%, pause, 50%, pause, 75%, pause"})
	ing := s.Ingress()
	ing.Annotations = map[string]string{"nginx.ingress.kubernetes.io/affinity": "cookie"}
	s.apply(ing)
	s.given = s.routes()
	s.await(20*time.Second, reason.Ready)
	s.routed() // only now the router gives cookies
	users := []crowd{s.visit(), s.visit(), s.visit()}
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.routed() // the settle time of the lab is shorter than the router may need for weight 0
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "weight 50")

	began := s.routed()
	for newcomers := map[string]int{}; newcomers["v1"] < 3 || newcomers["v2"] < 3; {
		u := s.visit()
		users = append(users, u)
		newcomers[u.version]++
	}
	s.answers(s.load, began, 150)
	s.split(users...)
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "weight 75")
	s.answers(s.load, s.routed(), 150)
	s.split(users...)
	for i, u := range users {
		if got := u.load.Report().Versions(); len(got) > 1 {
			t.Errorf("a user of %s had answers from %v", u.version, got)
		}
		users[i].version = "v1"
	}
	s.annotate(spec.AnnotationCommand, "abort")
	s.await(time.Minute, reason.AbortedByCommand)
	s.emptied(time.Minute)
	s.split(users...)
	for _, u := range users {
		s.unbroken(u.load, u.who)
	}
	s.sharesMatch(s.over(), "v2", 50, 75)
}
