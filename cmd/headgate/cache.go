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

// cacheOptions keeps in memory what decisions read, and no more: a cluster has
// ten old ReplicaSets for each Deployment, and nobody reads their templates
// whole.
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

// slimReplicaSet drops the template of a ReplicaSet without pods, but for what
// tells versions apart. One that is scaled up arrives again, whole. The template of
// an active one is the stable version.
func slimReplicaSet(obj any) (any, error) {
	rs, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return obj, nil // a tombstone
	}
	rs.ManagedFields = nil
	if rs.Status.Replicas == 0 && rs.Spec.Replicas != nil && *rs.Spec.Replicas == 0 {
		controller.Slim(rs)
	}
	return rs, nil
}

// slimAutoscaler drops the status, the larger half, but for what tells whether
// the autoscaler would scale down if it might.
func slimAutoscaler(obj any) (any, error) {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return obj, nil // a tombstone
	}
	hpa.ManagedFields = nil
	hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{Conditions: hpa.Status.Conditions}
	return hpa, nil
}
