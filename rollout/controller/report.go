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
	"github.com/headgate/headgate/rollout/spec"
)

// report says where the rollout is: in the condition, and, where that changed, in
// an event and a log line of the same reason. The condition is what remembers
// that it has been said.
func (r *Reconciler) report(ctx context.Context, s *snapshot, d rollout.Decision) error {
	r.Metrics.record(client.ObjectKeyFromObject(s.dep), s.Observation, d)
	if d.Reason == "" || s.condition != nil && s.condition.Reason == string(d.Reason) && s.condition.Message == d.Message {
		return nil
	}
	if err := r.writeCondition(ctx, s, d); err != nil {
		return err
	}
	r.emit(ctx, s, d, rollout.Note{Reason: d.Reason, Message: d.Message})
	return nil
}

// reportNotes says what happened besides.
func (r *Reconciler) reportNotes(ctx context.Context, s *snapshot, d rollout.Decision) error {
	for _, note := range d.Notes {
		r.emit(ctx, s, d, note)
	}
	return nil
}

func (r *Reconciler) emit(ctx context.Context, s *snapshot, d rollout.Decision, note rollout.Note) {
	kind := corev1.EventTypeNormal
	if note.Reason.Warning() {
		kind = corev1.EventTypeWarning
	}
	// client-go folds events that differ in nothing but their text into one and
	// keeps the first text, so each step has an action of its own.
	r.Events.Eventf(s.dep, nil, kind, string(note.Reason), eventAction(d), "%s", note.Message)
	ctrl.LoggerFrom(ctx).Info(string(note.Reason), "message", note.Message, "rollout", s.target.Rollout)
	r.Metrics.countEvent(note.Reason)
}

func eventAction(d rollout.Decision) string {
	if d.Canary == nil {
		return "Rollout"
	}
	s := d.Canary.State
	return fmt.Sprintf("Rollout%sStep%dWeight%d", s.Rollout, s.Step, s.Weight)
}

func conditionOf(dep *appsv1.Deployment) *appsv1.DeploymentCondition {
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == spec.ConditionType {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// writeCondition patches one entry of a list that is merged by type: the
// Deployment controller's own conditions are left alone.
func (r *Reconciler) writeCondition(ctx context.Context, s *snapshot, d rollout.Decision) error {
	now := metav1.NewTime(s.Now)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []map[string]any{{
		"type":               spec.ConditionType,
		"status":             conditionStatus(d),
		"reason":             d.Reason,
		"message":            d.Message,
		"lastUpdateTime":     now,
		"lastTransitionTime": now,
	}}}})
	if err != nil {
		return fmt.Errorf("encoding a condition: %w", err)
	}
	if err := r.Client.Status().Patch(ctx, s.dep.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, patch), fieldOwner); err != nil {
		return fmt.Errorf("writing the condition: %w", err)
	}
	return nil
}

// conditionStatus is True when the Deployment runs what it should, False when a
// person is needed, and Unknown on the way.
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
