package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestThirdVersion: a third version arrives at different points of the second's
// rollout. The second loses its traffic first and its pods after that. The third begins
// at the first step.
func TestThirdVersion(t *testing.T) {
	t.Parallel()
	for when, tt := range map[string]struct {
		steps string
		env   map[string]string // of v2
		by    string            // the promotion of v2
		reach func(*service) reason.Reason
		both  bool // v1 and v2 both serve during the rollout of v3
	}{
		"while the canary starts": {
			steps: "50%, pause",
			env:   map[string]string{"NEVER_READY": "true"},
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.CanaryStarting)
				return reason.CanaryStarting
			},
		},
		"while it is paused by command": {
			steps: "50%, pause",
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.AwaitingPromotion)
				return s.tell("pause", reason.PausedByCommand)
			},
		},
		"while it is rolled back": {
			steps: "50%, pause",
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.AwaitingPromotion)
				return s.tell("abort", reason.AbortedByCommand)
			},
		},
		"while it is promoted": {
			steps: "50%, pause",
			env:   map[string]string{"STARTUP_DELAY": "2s"},
			by:    "rolling",
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.AwaitingPromotion)
				s.tell("promote", reason.Releasing)
				dep := s.deployment()
				s.must(shared.Await(s.within(time.Minute), dep, func() error {
					if n := dep.Status.UpdatedReplicas; n < 1 || n > 3 {
						return fmt.Errorf("%d of 4 pods are updated", n)
					}
					return nil
				}))
				return reason.Releasing
			},
			both: true,
		},
		"while its pods are adopted": {
			steps: "50%, pause",
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.AwaitingPromotion)
				return s.tell("promote", reason.Adopting)
			},
		},
		// An autoscaler removes half of stable while the canary has all the traffic.
		// The part of the traffic that stable cannot carry stays with the canary.
		"while its traffic returns": {
			steps: "100%, pause",
			by:    "rolling",
			reach: func(s *service) reason.Reason {
				s.await(time.Minute, reason.AwaitingPromotion)
				s.Replicas = 2
				(&unscaled{s}).to(2)
				s.awaitPods(20*time.Second, "v1", 2)
				s.annotate(spec.AnnotationCommand, "promote")
				s.await(time.Minute, reason.TrafficReturning)
				s.awaitWeight(20*time.Second, 38)
				return reason.TrafficReturning
			},
		},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			annotations := map[string]string{spec.AnnotationSteps: tt.steps}
			if tt.by != "" {
				annotations[spec.AnnotationPromotion] = tt.by
			}
			s := newService(t, annotations)
			c := s.chronicle()
			s.await(20*time.Second, reason.Ready)
			s.ship("v2", tt.env)
			was := tt.reach(s)
			s.ship("v3", nil)
			third := s.applied.Annotations[spec.AnnotationRollout]
			s.awaitRollout(time.Minute, third, reason.AwaitingPromotion)
			if both := len(s.podNames("v1")) > 0 && len(s.podNames("v2")) > 0; both != tt.both {
				t.Errorf("beside v3 there are %v of v1 and %v of v2", s.podNames("v1"), s.podNames("v2"))
			}
			s.annotate(spec.AnnotationCommand, "promote:"+third)
			s.awaitRollout(time.Minute, third, reason.Promoted)
			s.onlyLeft("v3")
			if r := s.over(); tt.env["NEVER_READY"] != "" && r.Versions()["v2"] > 0 {
				t.Errorf("a version that was never ready answered: %s", r)
			}
			c.check()
			if all, want := c.reasons(), fmt.Sprintf("%s %s %s", was, reason.Superseded, reason.CanaryStarting); strings.Count(all, want) != 1 {
				t.Errorf("the condition said %s, want %s in it", all, want)
			}
			if n := len(s.notes(reason.Superseded)); n != 1 {
				t.Errorf("%d events say Superseded, want 1", n)
			}
		})
	}
}

// tell gives a command and waits for its effect.
func (s *service) tell(command string, want reason.Reason) reason.Reason {
	s.Helper()
	s.annotate(spec.AnnotationCommand, command)
	s.await(20*time.Second, want)
	return want
}

// TestAnnotationsEditedInTheMiddle: new steps apply from the next rollout on, because
// a position in one list means nothing in another, and so does a new analysis. To have the
// analysis removed applies at once: one that never passes need not hold a rollout for ever.
func TestAnnotationsEditedInTheMiddle(t *testing.T) {
	t.Parallel()
	const (
		patient = "{interval: 3s, minRequests: 1000000, metrics: [{name: success-rate, condition: '>= 100%'}]}"
		gloomy  = "{interval: 3s, failureLimit: 0, metrics: [{name: mood, query: 'vector(0)', condition: '>= 1'}]}"
	)
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 1s, 100%", spec.AnnotationAnalysis: patient})
	c := s.chronicle()
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingVerdict)
	s.reannotate(map[string]string{spec.AnnotationSteps: "25%, pause", spec.AnnotationAnalysis: good})
	s.awaitEdits(1)
	s.await(time.Second, reason.AwaitingVerdict)
	delete(s.Annotations, spec.AnnotationAnalysis)
	s.reannotate(nil)
	s.await(time.Minute, reason.Promoted)
	s.onlyLeft("v2")
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, 100, -1}) {
		t.Errorf("with the steps that it began with v2 gets 50 and 100; weights were %v", got)
	}

	s.Annotations[spec.AnnotationAnalysis] = good
	s.ship("v3", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.reannotate(map[string]string{spec.AnnotationAnalysis: gloomy})
	s.awaitEdits(3)
	s.await(time.Second, reason.AwaitingPromotion)
	s.ship("v4", nil)
	if message := s.await(time.Minute, reason.AnalysisFailed); !strings.Contains(message, "mood") {
		t.Errorf("the condition does not name the metric: %s", message)
	}
	s.annotate(spec.AnnotationCommand, "promote-full")
	s.await(time.Minute, reason.Promoted)
	s.onlyLeft("v4")
	s.over()
	c.check()
	if got := s.weights.all()[4:]; slices.Max(got) != 25 {
		t.Errorf("with the new steps v3 and v4 get 25; weights were %v", got)
	}
}

// awaitEdits waits until n events have told of an edit of the analysis.
func (s *service) awaitEdits(n int) {
	s.Helper()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		if told := s.notes(reason.AnalysisEdited); len(told) != n {
			return fmt.Errorf("%d events tell of an edit of the analysis, want %d: %v", len(told), n, told)
		}
		return nil
	}))
}

// reannotate applies the current version with other annotations.
func (s *service) reannotate(annotations map[string]string) {
	s.Helper()
	maps.Copy(s.Annotations, annotations)
	s.ship(s.Version, s.Env)
}
