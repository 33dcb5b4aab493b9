package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestRollbackWindow: a version that was stable at most 2 revisions ago is released at
// once. An older one goes through the steps.
func TestRollbackWindow(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: "50%, pause", spec.AnnotationRollbackWindow: "2"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 2 })
	s.load.Stop()                                        // the rollouts that only make history need no load
	for _, version := range []string{"v2", "v3", "v4"} { // revisions 2 to 4
		s.await(20*time.Second, reason.Ready, reason.Promoted)
		s.ship(version, nil)
		s.annotate(spec.AnnotationCommand, "promote-full")
		s.must(shared.Available(s.within(time.Minute), s.deployment()))
	}
	s.gone(30 * time.Second)
	s.load = s.send(s.Host())
	s.kubectl("rollout", "undo", web, "--to-revision=1").done()
	s.await(time.Minute, reason.AwaitingPromotion)
	s.kubectl("set", "image", web, image("v4")).done()
	s.await(20*time.Second, reason.StableRestored)
	s.gone(30 * time.Second)
	canaries := s.writes("deployments", s.canary().Name)

	s.kubectl("rollout", "undo", web, "--to-revision=2").done()
	s.awaitWords(20*time.Second, reason.WithinRollbackWindow, "revisions ago: 2")
	s.kubectl("rollout", "status", web, "--timeout=5m").done()
	s.awaitPods(20*time.Second, "v2", 2)
	s.awaitPods(20*time.Second, "v4", 0)
	if now := s.writes("deployments", s.canary().Name); !slices.Equal(now, canaries) {
		t.Errorf("the canary was written: before %v, now %v", canaries, now)
	}
	s.onlyServes("v2")
	traffic := slices.DeleteFunc(s.weights.all(), func(weight int) bool { return weight <= 0 })
	if !slices.Equal(traffic, []int{50}) {
		t.Errorf("the canaries had the weights %v, want 50 once", traffic)
	}
	s.unharmed()
}
