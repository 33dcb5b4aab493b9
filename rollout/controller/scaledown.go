package controller

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// observeScaleDown finds the autoscalers that may shrink stable all the same.
func (r *Reconciler) observeScaleDown(ctx context.Context, s *seen) error {
	autoscalers, err := r.autoscalers(ctx, targetIndex, client.ObjectKeyFromObject(s.dep))
	if err != nil {
		return err
	}
	for i := range autoscalers {
		hpa := &autoscalers[i]
		if why := untouchable(hpa); why != "" && shrinks(hpa) {
			s.Gaps = append(s.Gaps, rollout.Note{Reason: reason.ScaleDownNotHeld, Message: fmt.Sprintf(
				"HorizontalPodAutoscaler %s may shrink stable while the canary has its traffic, and a rollback then meets fewer pods. It is not written, because %s", hpa.Name, why)})
		}
	}
	return nil
}

func (r *Reconciler) holdScaleDown(ctx context.Context, s *seen, d rollout.Decision) error {
	if !d.HoldScaleDown {
		return nil
	}
	autoscalers, err := r.autoscalers(ctx, targetIndex, client.ObjectKeyFromObject(s.dep))
	if err != nil {
		return err
	}
	for i := range autoscalers {
		if err := r.edit(ctx, &autoscalers[i], holdEdit(&autoscalers[i], s.dep.Name), r.announcing(ctx, s, d)); err != nil {
			return err
		}
	}
	return nil
}

// freeScaleDown takes the mark off every autoscaler that need not carry it. One
// that was pointed at another Deployment meanwhile is put back even while the
// rollout goes on.
func (r *Reconciler) freeScaleDown(ctx context.Context, s *seen, d rollout.Decision) error {
	keep := func(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
		return targetOf(hpa) == s.dep.Name && (d.HoldScaleDown || s.blind(hpa, d))
	}
	return r.free(ctx, client.ObjectKeyFromObject(s.dep), keep, r.announcing(ctx, s, d))
}

// patience is how long an autoscaler gets to see that the traffic is back. It is
// the default of how long autoscalers themselves wait before they scale down.
const patience = 5 * time.Minute

// blind says whether hpa would shrink stable the moment it may. Its metrics are as
// old as the time when the canary had the traffic, or the load is really less:
// what it is shows with time.
func (s *seen) blind(hpa *autoscalingv2.HorizontalPodAutoscaler, d rollout.Decision) bool {
	over := s.Now
	if c := s.condition; c != nil && (d.Reason == "" || c.Reason == string(d.Reason)) {
		over = c.LastTransitionTime.Time
	}
	due := over.Add(patience)
	if !limited(hpa) || !due.After(s.Now) {
		return false
	}
	s.freeDue = due
	return true
}

// restoreScaleDown is freeScaleDown for a Deployment that is gone, or of which
// nothing is Headgate's any more.
func (r *Reconciler) restoreScaleDown(ctx context.Context, key types.NamespacedName) error {
	return r.free(ctx, key, func(*autoscalingv2.HorizontalPodAutoscaler) bool { return false }, func(note rollout.Note) {
		ctrl.LoggerFrom(ctx).Info(string(note.Reason), "message", note.Message)
	})
}

func (r *Reconciler) free(ctx context.Context, key types.NamespacedName, keep func(*autoscalingv2.HorizontalPodAutoscaler) bool, say func(rollout.Note)) error {
	autoscalers, err := r.autoscalers(ctx, markedIndex, key)
	if err != nil {
		return err
	}
	for i := range autoscalers {
		hpa := &autoscalers[i]
		if keep(hpa) {
			continue
		}
		if err := r.edit(ctx, hpa, freeEdit(hpa), say); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) autoscalers(ctx context.Context, index string, key types.NamespacedName) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := r.Client.List(ctx, &list, client.InNamespace(key.Namespace), client.MatchingFields{index: key.Name}); err != nil {
		return nil, fmt.Errorf("listing the HorizontalPodAutoscalers of Deployment %s: %w", key, err)
	}
	return list.Items, nil
}

// edit writes mark and field in one patch, for the hpa that was read: without the
// one nobody would know how to put back the other. It says so once it is so.
func (r *Reconciler) edit(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, e *hpaEdit, say func(rollout.Note)) error {
	if e == nil {
		return nil
	}
	patch, err := e.patch(hpa.ResourceVersion)
	if err != nil {
		return err
	}
	if err := r.Client.Patch(ctx, hpa, client.RawPatch(types.MergePatchType, patch), fieldOwner); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil // and with it what there was to do
		}
		return fmt.Errorf("writing HorizontalPodAutoscaler %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	if e.note.Reason != "" {
		say(e.note)
	}
	return nil
}

func (r *Reconciler) announcing(ctx context.Context, s *seen, d rollout.Decision) func(rollout.Note) {
	return func(note rollout.Note) {
		if s.target.Rollout != "" {
			note.Message = "rollout " + s.target.Rollout + ": " + note.Message
		}
		r.announce(ctx, s, d, note)
	}
}
