package controller

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// report writes the condition. If that changes it, report also emits an event with
// the same reason and message. The condition shows the next reconcile what was
// reported, so that nothing is reported twice.
func (r *Reconciler) report(ctx context.Context, s *snapshot, d rollout.Decision) error {
	r.Metrics.record(client.ObjectKeyFromObject(s.dep), s.Observation, d)
	c := s.condition
	if d.Reason == "" || c != nil && c.Reason == string(d.Reason) && c.Message == d.Message {
		return nil
	}
	if err := r.writeCondition(ctx, s, d); err != nil {
		return err
	}
	r.emit(ctx, s, eventAction(d), rollout.Note{Reason: d.Reason, Message: d.Message})
	return nil
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
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == spec.ConditionType {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// writeCondition writes Headgate's condition. The API server merges the list of
// conditions by their type, so the conditions of the Deployment controller stay.
func (r *Reconciler) writeCondition(ctx context.Context, s *snapshot, d rollout.Decision) error {
	now := metav1.NewTime(s.Now)
	since := now
	if c := s.condition; c != nil && d.Reason == reason.WriteRefused && c.Reason == string(d.Reason) {
		since = c.LastTransitionTime // the deadline counts from the first refusal, whatever its words
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []map[string]any{{
		"type":               spec.ConditionType,
		"status":             conditionStatus(d),
		"reason":             d.Reason,
		"message":            d.Message,
		"lastUpdateTime":     now,
		"lastTransitionTime": since,
	}}}})
	if err != nil {
		return fmt.Errorf("encoding a condition: %w", err)
	}
	err = r.Client.Status().Patch(ctx, s.dep.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, patch), fieldOwner)
	if err != nil {
		return fmt.Errorf("writing the condition: %w", err)
	}
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
