package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

const ladder = "10%, 5s, 50%, 5s, 100%, 5s"

func TestGoodVersionIsPromoted(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: ladder, spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	if !s.applied.Spec.Paused || s.applied.Annotations[spec.AnnotationRollout] == "" {
		t.Errorf("the answer to the apply shows no hold: paused %v, annotations %v", s.applied.Spec.Paused, s.applied.Annotations)
	}
	s.await(2*time.Minute, reason.Promoted)
	if n := len(s.podNames("v1")); n > 0 {
		t.Errorf("it is said to be promoted while %d pods run v1", n)
	}
	s.gone(20 * time.Second)
	s.onlyServes("v2")
	s.sharesMatch(s.over(), "v2", 10, 50, 100)
	if got := s.weights.all(); !slices.Equal(got, []int{0, 10, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

func TestBadVersionIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "25%, 8s, 50%, 8s, 100%, 8s", spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"ERROR_RATE": "0.2"})
	message := s.await(2*time.Minute, reason.AnalysisFailed)
	s.onlyAnswers(s.load, "v1") // the verdict is not told before the traffic is taken away
	if !strings.Contains(message, "success-rate") || !strings.Contains(message, "want >= 100%") {
		t.Errorf("the condition does not say what was measured: %s", message)
	}
	canary := s.canary()
	s.must(shared.Await(s.within(30*time.Second), canary, func() error {
		if *canary.Spec.Replicas > 0 || canary.Status.Replicas > 0 {
			return fmt.Errorf("the canary has %d replicas", canary.Status.Replicas)
		}
		return nil
	}))
	s.onlyAnswers(s.load, "v1")
	s.over()
	if got := s.weights.all(); got[len(got)-1] != -1 || slices.Contains(got, 100) {
		t.Errorf("weights were %v", got)
	}
	dep := s.deployment()
	s.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(dep), dep))
	if !dep.Spec.Paused || dep.Annotations[spec.AnnotationPhase] != string(spec.RolledBack) {
		t.Errorf("after the rollback: paused %v, phase %q; want held and RolledBack", dep.Spec.Paused, dep.Annotations[spec.AnnotationPhase])
	}
}

func TestThirdVersionWhileTheSecondIsAtFifty(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.awaitWeight(time.Minute, 50)
	s.bothAnswer(s.load)
	s.Annotations[spec.AnnotationSteps] = "50%, 2s, 100%, 1s"
	s.ship("v3", nil)
	s.await(2*time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	s.onlyServes("v3")
	r := s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, -1, 0, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
	last := r.LastOf("v2")
	if last.IsZero() {
		t.Error("v2 gave no answer")
	}
	if early := r.Between(time.Time{}, last).Versions()["v3"]; early > 0 {
		t.Errorf("v3 gave %d answers while v2 still had traffic", early)
	}
}

func TestRevertToStableInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.awaitWeight(time.Minute, 50)
	s.await(20*time.Second, reason.AwaitingPromotion)
	pods := s.podNames("v1")
	s.ship("v1", nil)
	s.await(20*time.Second, reason.StableRestored)
	s.onlyAnswers(s.load, "v1")
	s.gone(30 * time.Second)
	s.over()
	if now := s.podNames("v1"); !slices.Equal(pods, now) {
		t.Errorf("stable pods were replaced: %v, now %v", pods, now)
	}
	if got := s.weights.all(); got[len(got)-1] != -1 {
		t.Errorf("weights were %v", got)
	}
}

func TestCanaryThatNeverBecomesReady(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: ladder, spec.AnnotationProgressDeadline: "8s"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"NEVER_READY": "true"})
	s.await(time.Minute, reason.ProgressDeadlineExceeded)
	s.emptied(time.Minute)
	s.onlyAnswers(s.load, "v1")
	r := s.over()
	if n := r.Versions()["v2"]; n > 0 {
		t.Errorf("%d answers came from a version that was never ready", n)
	}
	if got := s.weights.all(); slices.Max(got) > 0 {
		t.Errorf("it got a weight: %v", got)
	}
}

func TestScalingInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%, 2s"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.Replicas = 8
	s.patch(map[string]any{"spec": map[string]any{"replicas": 8}})
	canary := s.canary()
	s.must(shared.Await(s.within(30*time.Second), canary, func() error {
		if canary.Status.AvailableReplicas != 4 {
			return fmt.Errorf("the canary for half of 8 has %d pods Available", canary.Status.AvailableReplicas)
		}
		return nil
	}))
	s.awaitPods(20*time.Second, "v1", 8)
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(2*time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	s.over()
}

func TestDeploymentDeletedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	r := s.load.Stop()
	if failed := r.FailedByRollout(); len(failed) > 0 {
		t.Errorf("the rollout broke answers: %s", r)
	}
	s.must(shared.Client().Delete(t.Context(), s.deployment()))
	s.gone(30 * time.Second)
	s.awaitPods(30*time.Second, "v2", 0)
}

func TestOptInRemovedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.Annotations = nil
	s.ship("v2", nil)
	if s.applied.Spec.Paused {
		t.Error("the request that ends the opt-in did not release the template")
	}
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.gone(30 * time.Second)
	s.onlyServes("v2")
	s.over()
}
