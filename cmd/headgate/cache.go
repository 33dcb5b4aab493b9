package main

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/certs"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/spec"
)

// cacheOptions keeps in memory only what is read from the cache. That matters most
// for ReplicaSets: by default a Deployment keeps ten old ones (revisionHistoryLimit),
// and nothing reads their whole templates.
func cacheOptions(keeper *certs.Keeper) cache.Options {
	byObject := map[client.Object]cache.ByObject{
		&appsv1.ReplicaSet{}:                     {Transform: slimReplicaSet},
		&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: slimAutoscaler},
		&batchv1.Job{}:                           {Label: labels.SelectorFromSet(labels.Set{spec.LabelManagedBy: spec.ManagedBy})},
	}
	maps.Copy(byObject, keeper.CacheOptions())
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         byObject,
	}
}

// slimReplicaSet removes the template of a ReplicaSet without pods and keeps its
// identity, which tells versions apart (see controller.Slim). A ReplicaSet with pods
// keeps its template, which may be the stable version. When one without pods is
// scaled up, the watch delivers it again with its template.
func slimReplicaSet(obj any) (any, error) {
	rs, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return obj, nil // a tombstone: the object was deleted
	}
	rs.ManagedFields = nil
	if rs.Status.Replicas == 0 && rs.Spec.Replicas != nil && *rs.Spec.Replicas == 0 {
		controller.Slim(rs)
	}
	return rs, nil
}

// slimAutoscaler removes the status, the larger half of the object, except its
// conditions. They say whether the autoscaler wants to scale down and may not.
func slimAutoscaler(obj any) (any, error) {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return obj, nil // a tombstone: the object was deleted
	}
	hpa.ManagedFields = nil
	hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{Conditions: hpa.Status.Conditions}
	return hpa, nil
}
