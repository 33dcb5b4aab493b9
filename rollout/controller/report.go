package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// report writes the condition, if that is still to do. If that changes it, report also
// emits an event with the same reason and message. The condition shows the next
// reconcile what was reported, so that nothing is reported twice.
func (r *Reconciler) report(ctx context.Context, s *snapshot, d rollout.Decision) error {
	key := client.ObjectKeyFromObject(s.dep)
	r.Metrics.record(key, s.Observation, d)
	conditions, news := append(s.recordConditions(d), s.forgetState()...), s.isNews(d)
	if news && !s.told {
		conditions = append(conditions, s.outcomeCondition(d))
	}
	conditions = append(conditions, s.kstatusConditions(d)...)
	err := r.writeConditions(ctx, s, conditions)
	if err != nil || !news && !r.untold.is(key, d.Message) {
		return err
	}
	r.untold.forget(key)
	r.emit(ctx, s, eventAction(d), rollout.Note{Reason: d.Reason, Message: d.Message})
	return nil
}

// isNews says whether the condition of d differs from the one that was observed.
func (s *snapshot) isNews(d rollout.Decision) bool {
	c := s.condition
	return d.Reason != "" && (c == nil || c.Reason != string(d.Reason) || c.Message != d.Message)
}

// tellEarly returns the conditions of d for a write that comes before the rest of d is
// done. A refusal of the rest takes the place of that condition. The event comes once the
// rest is done. None: they are there, or are to come last. More traffic, and the end of a
// rollout, are told when they are written: before, a person would read of a weight that
// is not there yet, or of a promotion while kubectl still refuses to undo it.
func (r *Reconciler) tellEarly(s *snapshot, d rollout.Decision) []condition {
	if !s.early || s.told {
		return nil
	}
	conditions := append(s.recordConditions(d), s.forgetState()...)
	ends := d.Hold == rollout.Release && d.Phase == ""
	switch {
	case ends && !s.isNews(d): // then no other write comes after the release
		conditions = append(conditions, s.kstatusConditions(d)...)
	case s.isNews(d) && !d.Routes.Adds(s.Traffic) && !ends:
		s.told = true
		r.untold.set(client.ObjectKeyFromObject(s.dep), d.Message)
		conditions = append(conditions, s.outcomeCondition(d))
		conditions = append(conditions, s.kstatusConditions(d)...)
	}
	return conditions
}

// recordRelease records the template that d releases, before it is released. A kill
// between the two leaves a template that is on record and held; the other order would
// leave one that went out and that nobody accounted for.
func (r *Reconciler) recordRelease(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Hold != rollout.Release {
		return nil
	}
	conditions := r.tellEarly(s, d)
	if !s.early {
		conditions = s.recordConditions(d)
	}
	return r.writeConditions(ctx, s, conditions)
}

// reportNotes emits what happened and does not belong in the condition.
func (r *Reconciler) reportNotes(ctx context.Context, s *snapshot, d rollout.Decision) error {
	for i, note := range d.Notes {
		action := eventAction(d)
		if i > 0 {
			// Two notes of one reason, such as two policies that miss the canary, are
			// two events.
			action += fmt.Sprintf("Note%d", i+1)
		}
		if note.Reason == reason.AnalysisEdited && d.Canary != nil {
			action += "Edit" + d.Canary.State.EditTold // two edits at one weight are two events
		}
		r.emit(ctx, s, action, note)
	}
	return nil
}

// emit sends one event, writes one log line and counts it. client-go merges events
// that differ only in their text, and keeps the first text, so action tells them
// apart.
func (r *Reconciler) emit(ctx context.Context, s *snapshot, action string, note rollout.Note) {
	kind := corev1.EventTypeNormal
	if note.Reason.Warning() {
		kind = corev1.EventTypeWarning
	}
	r.Events.Eventf(s.dep, nil, kind, string(note.Reason), action, "%s", note.Message)
	ctrl.LoggerFrom(ctx).Info(string(note.Reason), "message", note.Message, "rollout", s.target.Rollout)
	r.Metrics.countEvent(note.Reason)
}

// eventAction returns the action of an event, such as Rollout7Step2Weight25.
func eventAction(d rollout.Decision) string {
	if d.Canary == nil {
		return "Rollout"
	}
	s := d.Canary.State
	return fmt.Sprintf("Rollout%sStep%dWeight%d", s.Rollout, s.Step, s.Weight)
}

// conditionOf returns Headgate's condition on dep. nil: there is none.
func conditionOf(dep *appsv1.Deployment) *appsv1.DeploymentCondition {
	return findCondition(dep, spec.ConditionType)
}

func findCondition(dep *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == kind {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// knownTemplate returns what is on record of the template of dep.
func knownTemplate(dep *appsv1.Deployment) rollout.KnownTemplate {
	if c := findCondition(dep, spec.ConditionKnown); c != nil {
		return rollout.ParseKnownTemplate(c.Message)
	}
	return rollout.KnownTemplate{}
}

// condition is a condition in a patch.
type condition map[string]any

// outcomeCondition is Headgate's condition as d wants it.
func (s *snapshot) outcomeCondition(d rollout.Decision) condition {
	now := metav1.NewTime(s.Now)
	since := now
	if c := s.condition; c != nil && d.Reason == reason.WriteRefused && c.Reason == string(d.Reason) {
		since = c.LastTransitionTime // the deadline counts from the first refusal, whatever its words
	}
	return condition{
		"type":               spec.ConditionType,
		"status":             conditionStatus(d),
		"reason":             d.Reason,
		"message":            d.Message,
		"lastUpdateTime":     now,
		"lastTransitionTime": since,
	}
}

// recordConditions returns the condition with the record that d wants, or with the
// order to delete it. None: the record is as it should be.
func (s *snapshot) recordConditions(d rollout.Decision) []condition {
	now := metav1.NewTime(s.Now)
	switch {
	case d.Known == nil || *d.Known == s.Stable.Known:
		return nil
	case *d.Known == (rollout.KnownTemplate{}):
		return []condition{{"type": spec.ConditionKnown, "$patch": "delete"}}
	}
	return []condition{{
		"type":               spec.ConditionKnown,
		"status":             corev1.ConditionTrue,
		"reason":             "Recorded",
		"message":            d.Known.String(),
		"lastUpdateTime":     now,
		"lastTransitionTime": now,
	}}
}

// writeConditions writes conditions of Headgate in one patch. The API server merges
// the list of conditions by their type, so the conditions of the Deployment controller
// stay. It fails with errStale if somebody changed the Deployment or the state since they
// were read. The write is no reason for the next one to fail: s.dep gets its version.
func (r *Reconciler) writeConditions(ctx context.Context, s *snapshot, conditions []condition) error {
	if len(conditions) == 0 {
		return nil
	}
	out := s.dep.DeepCopy()
	err := r.whileUnchanged(ctx, s.dep, func(version string) error {
		patch, err := encodeConditions(version, conditions)
		if err != nil {
			return err
		}
		return r.Client.Status().Patch(ctx, out, patch, fieldOwner)
	})
	if err != nil {
		return fmt.Errorf("writing the conditions: %w", err)
	}
	s.dep, s.Stable.Known = out, knownTemplate(out)
	return nil
}

// conditionStatus returns True when the Deployment runs the version that it asks for,
// False when a person has to act, and Unknown while a rollout goes on.
func conditionStatus(d rollout.Decision) corev1.ConditionStatus {
	switch {
	case d.Reason.Warning() || d.Phase == spec.RolledBack:
		return corev1.ConditionFalse
	case d.Phase == "":
		return corev1.ConditionTrue
	default:
		return corev1.ConditionUnknown
	}
}
