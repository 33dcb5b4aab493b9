package autoscaler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// targetIndex finds autoscalers by the name of the Deployment that they scale.
const targetIndex = "headgate.target"

// markedIndex finds the autoscalers with a mark, by the name of the Deployment that
// they scale and by the name in the mark.
const markedIndex = "headgate.marked"

// SetupIndexes registers the indexes that a Holder reads by. Call it before the
// cache starts.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for index, keys := range map[string]client.IndexerFunc{targetIndex: targetKeys, markedIndex: markedKeys} {
		if err := indexer.IndexField(ctx, &autoscalingv2.HorizontalPodAutoscaler{}, index, keys); err != nil {
			return fmt.Errorf("indexing HorizontalPodAutoscalers: %w", err)
		}
	}
	return nil
}

func targetKeys(obj client.Object) []string {
	if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok && targetOf(hpa) != "" {
		return []string{targetOf(hpa)}
	}
	return nil
}

func markedKeys(obj client.Object) []string {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	m, marked := markOf(hpa)
	if !marked {
		return nil
	}
	names := targetKeys(hpa)
	if m.Deployment != "" && !slices.Contains(names, m.Deployment) {
		names = append(names, m.Deployment)
	}
	return names
}

// HeldFor returns the Deployments to reconcile so that obj, an autoscaler with a
// mark, is freed: the one that it scales and the one in the mark. It returns them
// also where they are gone or not Headgate's any more. Without a mark: none.
func (h *Holder) HeldFor(obj client.Object) []types.NamespacedName {
	var deployments []types.NamespacedName
	for _, name := range markedKeys(obj) {
		deployments = append(deployments, types.NamespacedName{Namespace: obj.GetNamespace(), Name: name})
	}
	return deployments
}

// Changed says whether an update of an autoscaler matters to a rollout. Most do
// not: the status is written every 15 seconds, and only wantsToShrink reads it.
// The generation cannot tell: before Kubernetes 1.37 it is always 0 on an
// autoscaler.
func (h *Holder) Changed(before, after client.Object) bool {
	was, ok := before.(*autoscalingv2.HorizontalPodAutoscaler)
	is, also := after.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || !also {
		return true
	}
	return wantsToShrink(was) != wantsToShrink(is) ||
		!maps.Equal(was.Annotations, is.Annotations) ||
		!apiequality.Semantic.DeepEqual(was.Spec, is.Spec)
}
