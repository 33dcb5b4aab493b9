package controller

import (
	"context"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// targetIndex finds autoscalers by the name of the Deployment that they scale.
const targetIndex = "headgate.target"

// markedIndex finds the autoscalers that carry a mark, by the name of that
// Deployment and by the one in the mark.
const markedIndex = "headgate.marked"

func scales(obj client.Object) []string {
	if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok && targetOf(hpa) != "" {
		return []string{targetOf(hpa)}
	}
	return nil
}

func markedFor(obj client.Object) []string {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	mark, marked := markOf(hpa)
	if !marked {
		return nil
	}
	names := scales(hpa)
	if mark.Deployment != "" && !slices.Contains(names, mark.Deployment) {
		names = append(names, mark.Deployment)
	}
	return names
}

// autoscaled are the rollouts that an autoscaler may matter to, and the Deployments
// of one that carries a mark, whatever became of them: somebody has to take it off.
func (r *Reconciler) autoscaled(ctx context.Context, obj client.Object) []ctrl.Request {
	requests := r.rolloutsOf(ctx, obj)
	for _, name := range markedFor(obj) {
		requests = append(requests, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}})
	}
	return requests
}

// respecified leaves out the status, which is written every 15 seconds, but for
// what limited takes from it. The
// generation would not do: before Kubernetes 1.37 that of an autoscaler stays 0.
func respecified() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
		is, also := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
		return !ok || !also || limited(was) != limited(is) || !maps.Equal(was.Annotations, is.Annotations) || !apiequality.Semantic.DeepEqual(was.Spec, is.Spec)
	}}
}
