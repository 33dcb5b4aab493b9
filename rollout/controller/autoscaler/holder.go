package autoscaler

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Holder holds and frees the autoscalers of Deployments. It keeps nothing in
// memory: the marks say which autoscalers are held.
type Holder struct {
	// Client reads from a cache with the indexes of SetupIndexes.
	Client client.Client
}

// Gaps returns a note for each autoscaler that may shrink deployment although a
// rollout holds its autoscalers, because Headgate must not write it.
func (h *Holder) Gaps(ctx context.Context, deployment types.NamespacedName) ([]rollout.Note, error) {
	autoscalers, err := h.list(ctx, targetIndex, deployment)
	if err != nil {
		return nil, err
	}
	var gaps []rollout.Note
	for i := range autoscalers {
		hpa := &autoscalers[i]
		if why := whyNotWritten(hpa); why != "" && canShrink(hpa) {
			gaps = append(gaps, rollout.Note{Reason: reason.ScaleDownNotHeld, Message: fmt.Sprintf(
				"HorizontalPodAutoscaler %s may shrink stable while the canary has its traffic, "+
					"and a rollback may then meet too few pods. Headgate does not change it, because %s", hpa.Name, why)})
		}
	}
	return gaps, nil
}

// Hold holds every autoscaler of deployment that Headgate may write. It calls
// report after each write. An autoscaler that was written by somebody else since
// it was read is a conflict error.
func (h *Holder) Hold(ctx context.Context, deployment types.NamespacedName, report func(rollout.Note)) error {
	autoscalers, err := h.list(ctx, targetIndex, deployment)
	if err != nil {
		return err
	}
	for i := range autoscalers {
		hpa := &autoscalers[i]
		if err := h.write(ctx, hpa, holdEdit(hpa, deployment.Name), report); err != nil {
			return err
		}
	}
	return nil
}

// Free frees every autoscaler that is held for deployment, except those that goal
// keeps; kept says whether there are any. An autoscaler that has another target by
// now is always freed. Free calls report and fails as Hold does.
func (h *Holder) Free(
	ctx context.Context, deployment types.NamespacedName, goal rollout.ScaleDownGoal, report func(rollout.Note),
) (kept bool, err error) {
	autoscalers, err := h.list(ctx, markedIndex, deployment)
	if err != nil {
		return false, err
	}
	for i := range autoscalers {
		hpa := &autoscalers[i]
		if targetOf(hpa) == deployment.Name && keeps(goal, hpa) {
			kept = true
			continue
		}
		if err := h.write(ctx, hpa, freeEdit(hpa), report); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// keeps says whether hpa stays held.
func keeps(goal rollout.ScaleDownGoal, hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	switch goal {
	case rollout.KeepAll:
		return true
	case rollout.KeepShrinking:
		return wantsToShrink(hpa)
	case rollout.FreeAll:
	}
	return false
}

func (h *Holder) list(
	ctx context.Context, index string, deployment types.NamespacedName,
) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := h.Client.List(ctx, &list, client.InNamespace(deployment.Namespace), client.MatchingFields{index: deployment.Name})
	if err != nil {
		return nil, fmt.Errorf("listing the HorizontalPodAutoscalers of Deployment %s: %w", deployment, err)
	}
	return list.Items, nil
}

// write carries e out and then reports its note. nil writes nothing. An
// autoscaler that is gone needs no write.
func (h *Holder) write(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, e *edit, report func(rollout.Note)) error {
	if e == nil {
		return nil
	}
	patch, err := e.patch(hpa.ResourceVersion)
	if err != nil {
		return err
	}
	err = h.Client.Patch(ctx, hpa, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(spec.FieldOwner))
	if err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil
		}
		return fmt.Errorf("writing HorizontalPodAutoscaler %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	if e.note.Reason != "" {
		report(e.note)
	}
	return nil
}
