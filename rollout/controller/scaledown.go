package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// observeScaleDown finds the autoscalers that may shrink stable during a rollout.
func (r *Reconciler) observeScaleDown(ctx context.Context, s *snapshot) error {
	gaps, err := r.Autoscalers.Gaps(ctx, client.ObjectKeyFromObject(s.dep))
	s.Gaps = append(s.Gaps, gaps...)
	return err
}

// holdScaleDown holds the autoscalers of stable, if d says so.
func (r *Reconciler) holdScaleDown(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if !d.HoldScaleDown {
		return nil
	}
	return r.Autoscalers.Hold(ctx, client.ObjectKeyFromObject(s.dep), r.emitForRollout(ctx, s, d))
}

// freeScaleDown frees the autoscalers that are held for this Deployment and need
// not be. It runs during a rollout too: an autoscaler that has another target by
// now is freed at once.
func (r *Reconciler) freeScaleDown(ctx context.Context, s *snapshot, d rollout.Decision) error {
	goal, until := rollout.KeepScaleDownOff(d, s.condition, s.Observation)
	kept, err := r.Autoscalers.Free(ctx, client.ObjectKeyFromObject(s.dep), goal, r.emitForRollout(ctx, s, d))
	if kept {
		s.freeScaleDownAt = until
	}
	return err
}

// freeAllScaleDown is freeScaleDown for a Deployment that is gone or has nothing of
// Headgate's any more. No rollout is left for an event, so it only logs.
func (r *Reconciler) freeAllScaleDown(ctx context.Context, key types.NamespacedName) error {
	_, err := r.Autoscalers.Free(ctx, key, rollout.FreeAll, func(note rollout.Note) {
		ctrl.LoggerFrom(ctx).Info(string(note.Reason), "message", note.Message)
	})
	return err
}

// emitForRollout returns a function that emits a note and puts the rollout in front
// of its message: Autoscalers do not know the rollout.
func (r *Reconciler) emitForRollout(ctx context.Context, s *snapshot, d rollout.Decision) func(rollout.Note) {
	return func(note rollout.Note) {
		if s.target.Rollout != "" {
			note.Message = "rollout " + s.target.Rollout + ": " + note.Message
		}
		r.emit(ctx, s, eventAction(d), note)
	}
}
