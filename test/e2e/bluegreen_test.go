package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// newBlueGreen is newService with 2 replicas and the strategy blue-green.
func newBlueGreen(t *testing.T, annotations map[string]string) *service {
	t.Helper()
	annotations[spec.AnnotationStrategy] = string(spec.BlueGreen)
	s := newService(t, annotations, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	return s
}

// TestBlueGreenByDefault has the strategy and a metric of requests only. The canary
// has full size before the switch. No metric can judge it then. The switch is one
// write, and the metric judges the version after it.
func TestBlueGreenByDefault(t *testing.T) {
	t.Parallel()
	s := newBlueGreen(t, map[string]string{spec.AnnotationAnalysis: good})
	s.ship("v2", nil)
	s.carrying(100, 2)
	s.await(time.Minute, reason.Waiting) // for 5m
	if notes := s.notes(reason.AnalysisSkipped); len(notes) != 1 || !strings.Contains(notes[0], "weight 0") {
		t.Errorf("events say of what was not judged: %q", notes)
	}
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Promoted)
	if notes := s.notes(reason.MeasurementPassed); len(notes) != 1 || !strings.Contains(notes[0], "at weight 100") {
		t.Errorf("events say of what was judged: %q", notes)
	}
	s.gone(30 * time.Second)
	s.sharesMatch(s.over(), "v2", 100)
	if got := s.weights.all(); !slices.Equal(got, []int{0, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
	if got := s.routeWrites(); !slices.Equal(got, []string{"create", "patch", "delete"}) {
		t.Errorf("the canary Ingress was written by %v", got)
	}
}

// TestBlueGreenSwitchesBack: a bad version goes live after a wait. One write takes
// its traffic away, and its preview too. A good version is promoted without a
// command.
func TestBlueGreenSwitchesBack(t *testing.T) {
	t.Parallel()
	s := newBlueGreen(t, map[string]string{
		spec.AnnotationSteps:    "0%, 2s, 100%, 5s",
		spec.AnnotationAnalysis: good,
	})
	s.Annotations[spec.AnnotationPreviewHost] = "preview." + s.Host()
	s.ship("v2", map[string]string{"ERROR_RATE": "0.3"})
	s.carrying(100, 2)
	s.await(time.Minute, reason.AnalysisFailed)
	s.onlyAnswers(s.load, "v1")
	s.must(shared.AwaitGone(s.within(20*time.Second), s.preview()))
	s.emptied(time.Minute)
	if got := s.routeWrites(); !slices.Equal(got, []string{"create", "patch", "delete"}) {
		t.Errorf("the canary Ingress was written by %v", got)
	}
	s.ship("v3", nil)
	s.await(2*time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	if n := s.over().Versions()["v2"]; n == 0 {
		t.Error("v2 gave no answer")
	}
	if got := s.weights.all(); !slices.Equal(got, []int{0, 100, -1, 0, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// TestBlueGreenPreview: testers see the new version under the preview host. All
// others see the old version until a person switches.
func TestBlueGreenPreview(t *testing.T) {
	t.Parallel()
	s := newBlueGreen(t, map[string]string{spec.AnnotationSteps: "0%, pause, 100%, 5s"})
	s.Annotations[spec.AnnotationPreviewHost] = "preview." + s.Host()
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.carrying(0, 2)
	s.must(shared.AwaitRoute(s.within(20*time.Second), "preview."+s.Host()))
	testers := s.send("preview." + s.Host())
	s.split(crowd{"testers", testers, "v2"}, crowd{"users", s.load, "v1"})
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Waiting)
	s.split(crowd{"testers", testers, "v2"}, crowd{"users", s.load, "v2"})
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.split(crowd{"testers after the end", testers, ""})
	if v1 := testers.Stop().Versions()["v1"]; v1 > 0 {
		t.Errorf("testers saw the old version %d times", v1)
	}
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// TestPreviewHostRefused: a preview host that the user may not use stops the rollout
// before any traffic moves, until that changes.
func TestPreviewHostRefused(t *testing.T) {
	t.Parallel()
	s := newBlueGreen(t, map[string]string{spec.AnnotationSteps: "0%, pause, 100%, pause"})
	ours := "preview." + s.Host()
	s.Annotations[spec.AnnotationPreviewHost] = "preview.example.org"
	s.ship("v2", nil)
	s.awaitWords(time.Minute, reason.PreviewHostRefused, "below no domain")
	theirs := s.elsewhere(ours)
	s.annotate(spec.AnnotationPreviewHost, ours)
	s.awaitWords(time.Minute, reason.PreviewHostRefused, "an Ingress of another namespace already serves")
	if got := s.routeWrites(); len(got) > 0 {
		t.Errorf("the canary Ingress was written all the same: %v", got)
	}
	s.must(shared.Client().Delete(t.Context(), theirs))
	s.await(time.Minute, reason.AwaitingPromotion)
	s.must(shared.AwaitRoute(s.within(20*time.Second), ours))
	s.annotate(spec.AnnotationCommand, "abort")
	s.emptied(time.Minute)
	s.must(shared.AwaitGone(s.within(20*time.Second), s.preview()))
	if got := s.weights.all(); !slices.Equal(got, []int{0, -1}) {
		t.Errorf("weights were %v", got)
	}
	s.unbroken(s.load, "users")
}

// TestPreviewHostIsTaken: another tenant takes the preview host in the middle of a
// rollout. The host is theirs. The rollout loses its preview and nothing else: it says
// so once, and goes on to its end. The preview comes back when the host is free.
func TestPreviewHostIsTaken(t *testing.T) {
	t.Parallel()
	s := newBlueGreen(t, map[string]string{spec.AnnotationSteps: "0%, pause, 100%, pause"})
	ours := "preview." + s.Host()
	s.Annotations[spec.AnnotationPreviewHost] = ours
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.must(shared.AwaitRoute(s.within(20*time.Second), ours))

	theirs := s.elsewhere(ours)
	s.must(shared.AwaitGone(s.within(20*time.Second), s.preview()))
	s.must(shared.AwaitGone(s.within(20*time.Second), s.previewService()))
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "an Ingress of another namespace already serves")
	s.annotate(spec.AnnotationCommand, "promote")
	s.carrying(100, 2)
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "weight 100")
	s.split(crowd{"users", s.load, "v2"})
	if notes := s.notes(reason.PreviewDropped); len(notes) != 1 || !strings.Contains(notes[0], "an Ingress of another namespace") {
		t.Errorf("events say of the preview: %q", notes)
	}

	s.must(shared.Client().Delete(t.Context(), theirs))
	s.must(shared.AwaitRoute(s.within(20*time.Second), ours))
	s.elsewhere(ours)
	s.must(shared.AwaitGone(s.within(20*time.Second), s.preview()))
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(2*time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// elsewhere is an Ingress for host in another user's namespace.
func (s *service) elsewhere(host string) *netv1.Ingress {
	s.Helper()
	ing := lab.Sample{Namespace: newNamespace(s.T), Name: "web"}.Ingress()
	ing.Spec.Rules[0].Host = host
	s.must(shared.Client().Create(s.Context(), ing))
	return ing
}
