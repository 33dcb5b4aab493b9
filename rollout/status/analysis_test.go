package status

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// A measurement that says nothing yet is told by an event, and is not in the state. The
// counts that the state has are then those of the weight before.
func TestTheLastMeasurement(t *testing.T) {
	steps, err := spec.ParseSteps("20%, 1m, 50%, 1m")
	if err != nil {
		t.Fatal(err)
	}
	regarding := corev1.ObjectReference{UID: "web"}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	event := func(ago time.Duration, why reason.Reason, message string) eventsv1.Event {
		return eventsv1.Event{
			Regarding: regarding, ReportingController: spec.FieldOwner, Reason: string(why), Note: message,
			EventTime: metav1.NewMicroTime(now.Add(-ago)),
		}
	}
	before := event(2*time.Minute, reason.MeasurementPassed, "rollout 3: Pass at weight 20: good")
	unknown := event(10*time.Second, reason.MeasurementInconclusive, "rollout 3: Inconclusive at weight 50: too few")
	other := event(5*time.Second, reason.MeasurementFailed, "rollout 2: Fail at weight 50: bad")
	beside := event(5*time.Second, reason.DryRunFailed, "rollout 3: a metric that is only tried")
	for name, tt := range map[string]struct {
		tally    rollout.Tally
		events   []eventsv1.Event
		last     rollout.Verdict
		text     string
		observed bool
	}{
		"none at this weight":   {events: []eventsv1.Event{before}},
		"told by an event":      {events: []eventsv1.Event{before, unknown, beside}, last: rollout.Inconclusive, text: unknown.Note},
		"of an earlier rollout": {events: []eventsv1.Event{other}},
		"in the state, with an event": {
			tally: tallied(rollout.Inconclusive, now.Add(-10*time.Second)), events: []eventsv1.Event{unknown},
			last: rollout.Inconclusive, text: unknown.Note, observed: true,
		},
		"in the state, and newer": {
			tally: tallied(rollout.Pass, now.Add(-2*time.Second)), events: []eventsv1.Event{unknown}, last: rollout.Pass, observed: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := rollout.State{
				Form: 2, Rollout: "3", Template: "t", Mode: rollout.ModeProgressing, Steps: steps, Step: 3, Baseline: 4,
				Weight: 50, StepSince: now.Add(-time.Minute), Began: now.Add(-time.Hour), Tally: tt.tally,
			}
			text, err := state.Encode()
			if err != nil {
				t.Fatal(err)
			}
			o := Objects{Deployment: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "web", UID: regarding.UID,
				Annotations: map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationRollout: "3"},
			}}, Canary: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
				Annotations: map[string]string{spec.AnnotationState: text, spec.AnnotationAnalysisRules: "auto"},
			}}}
			o.Now, o.Events = now, tt.events
			o.Measured = func(string, string) []Metric {
				return []Metric{{Name: "errors", AtWeight: &Requests{Canary: 1, Stable: 3}}}
			}
			s := Of(o)
			if s.Analysis == nil || s.Weight == nil {
				t.Fatalf("analysis %v, weight %v, unread %v", s.Analysis, s.Weight, s.Unread)
			}
			if s.Analysis.Last != tt.last || s.Analysis.Text != tt.text || (s.Analysis.At != nil) != (tt.last != "") {
				t.Errorf("got %q at %v: %q", s.Analysis.Last, s.Analysis.At, s.Analysis.Text)
			}
			if observed := s.Weight.Observed != nil; observed != tt.observed {
				t.Errorf("a share is observed: %t", observed)
			}
		})
	}
}

func tallied(v rollout.Verdict, at time.Time) rollout.Tally { return rollout.Tally{Last: v, At: at} }
