package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestForgottenPause: a rollout that waits for a person ends at its deadline. A
// command for another rollout does not end it.
func TestForgottenPause(t *testing.T) {
	t.Parallel()
	// A long deadline at first: a busy machine may need long to get to the pause.
	annotations := map[string]string{spec.AnnotationSteps: "50%, pause", spec.AnnotationRolloutDeadline: "10m"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	began := time.Now()
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)

	s.annotate(spec.AnnotationCommand, "abort:1")
	s.must(lab.Poll(s.within(10*time.Second), func() error {
		const refused = "abort:1 is refused: it names rollout 1"
		if notes := s.notes(reason.CommandRefused); len(notes) != 1 || !strings.Contains(notes[0], refused) {
			return fmt.Errorf("refused were %q, want abort:1", notes)
		}
		return nil
	}))
	if now, _ := s.condition(); now != string(reason.AwaitingPromotion) || s.weights.now() != 50 {
		t.Errorf("after a command for another rollout it is %s at weight %d, want AwaitingPromotion at 50", now, s.weights.now())
	}

	s.reannotate(map[string]string{spec.AnnotationRolloutDeadline: "20s"}) // of which some are over
	s.awaitWords(30*time.Second, reason.RolloutDeadlineExceeded, "it was not finished 20s after it began; it was at step 2 of 2")
	if took := time.Since(began); took < 20*time.Second {
		t.Errorf("it was rolled back after %s, want 20s", took)
	}
	s.onlyAnswers(s.load, "v1")
	s.emptied(time.Minute)
	if n := s.over().Versions()["v2"]; n == 0 {
		t.Error("v2 gave no answer before that")
	}
	if now := s.weights.now(); now != -1 {
		t.Errorf("after the rollback there is a canary Ingress, with weight %d", now)
	}
}

// TestCanaryThatCrashes: a canary that crashes is Ready now and then and never
// Available. That does not restart its deadline, and the message explains it.
func TestCanaryThatCrashes(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: ladder, spec.AnnotationProgressDeadline: "10m"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 1 })
	s.await(20*time.Second, reason.Ready)
	s.patch(map[string]any{"spec": map[string]any{"minReadySeconds": 3}})
	began := time.Now()
	s.ship("v2", map[string]string{"CRASH_AFTER": "1500ms"})
	const why = "container app ended with exit code 1 (Error)"
	s.awaitWords(20*time.Second, reason.CanaryStarting, why)
	s.annotate(spec.AnnotationProgressDeadline, "12s")
	s.Annotations[spec.AnnotationProgressDeadline] = "12s"
	s.awaitWords(30*time.Second, reason.ProgressDeadlineExceeded, "after 12s: 0 of 1 canary pods are Available: "+why)
	if took := time.Since(began); took < 12*time.Second {
		t.Errorf("it was rolled back after %s, want 12s", took)
	}
	s.neverSeen("v2")
}
