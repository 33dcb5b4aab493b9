package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/load"
)

// moreLoad sends so many requests in a second to a path of the service, besides its usual
// load, until the test ends or d has passed.
func (s *service) moreLoad(path string, rate int, d time.Duration) *load.Load {
	ctx, cancel := context.WithTimeout(s.Context(), d)
	s.Cleanup(cancel)
	return load.Start(ctx, load.Options{URL: shared.Ingress.URL() + path, Host: s.Host(), Rate: rate})
}

// isFound waits until the new version is rolled back, and checks that the condition says
// why and that nobody gets an answer of it any more.
func (s *service) isFound(within time.Duration, says ...string) {
	s.Helper()
	message := s.await(within, reason.AnalysisFailed)
	for _, text := range says {
		if !strings.Contains(message, text) {
			s.Errorf("the condition does not say what was found: %s", message)
		}
	}
	s.Log(message)
	s.onlyAnswers(s.load, "v1")
	s.over()
}

// A burst of errors that hits both versions says nothing about the new one. Any bound on
// the canary alone would roll it back: a third of its answers are errors.
func TestAutoPromotesThroughABurst(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "25%, 20s, 50%, 15s, 100%, 10s", spec.AnnotationAnalysis: "auto"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.awaitWeight(time.Minute, 25)
	burst := s.moreLoad(app.FailPath, 20, 15*time.Second)
	s.await(3*time.Minute, reason.Promoted)
	if r := burst.Stop(); len(r.Answers) < 100 {
		t.Errorf("the burst had %d answers, which is none", len(r.Answers))
	}
	s.onlyServes("v2")
	s.over()
}

// One more error in a hundred answers is found, and no number was set for it.
func TestAutoFindsOneMorePoint(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 6m, 100%", spec.AnnotationAnalysis: "auto"})
	s.moreLoad("/", 80, 8*time.Minute)
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"ERROR_RATE": "0.01"})
	s.isFound(6*time.Minute, "errors: canary ", "worse than 1.2 * stable + 0.05 points")
}

// The ingress controller's histogram has bounds at 0.1 and 0.3 s: a version that takes
// 0.2 s is found by comparing how many answers are above the first.
func TestAutoFindsASlowVersion(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "25%, 2m, 100%", spec.AnnotationAnalysis: "auto"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"LATENCY": "200ms"})
	s.isFound(2*time.Minute, "answers slower than 100ms")
}

// Ten healthy versions in a row, and a canary pod of every other one is deleted: none is
// rolled back. What the deletions cost in answers is not the question here.
func TestAutoRaisesNoFalseAlarm(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 5s, 100%, 2s", spec.AnnotationAnalysis: "auto"})
	s.await(20*time.Second, reason.Ready)
	for i := range 10 {
		version := fmt.Sprintf("v%d", i+2)
		s.ship(version, map[string]string{"LATENCY": fmt.Sprintf("%dms", 5*(i%3))})
		s.awaitWeight(time.Minute, 50)
		if names := s.podNames(version); i%2 == 1 && len(names) > 0 {
			s.must(shared.Client().Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: names[0]}}))
		}
		s.awaitRollout(3*time.Minute, s.applied.Annotations[spec.AnnotationRollout], reason.Promoted)
	}
	s.onlyServes("v11")
	s.load.Stop()
}

// With all the traffic there is no stable to compare with. What it did before is enough to
// see a disaster.
func TestAutoFindsADisasterAfterASwitch(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{
		spec.AnnotationStrategy: "blue-green", spec.AnnotationSteps: "0%, 100%, 3m", spec.AnnotationAnalysis: "auto",
	})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"ERROR_RATE": "0.5"})
	s.isFound(2*time.Minute, "and it has all the traffic: more than")
}
