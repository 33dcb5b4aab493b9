package main

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/ingress"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
	"github.com/headgate/headgate/rollout/spec"
)

// cacheOptions keeps in memory only what is read from the cache. Without namespaces the cache
// has the objects of the whole cluster, and few of them have to do with Headgate. cert is nil
// where there is no webhook.
func cacheOptions(namespaces []string, cert certificate) cache.Options {
	byObject := map[client.Object]cache.ByObject{
		&appsv1.Deployment{}:                     {Transform: controller.Trim},
		&appsv1.ReplicaSet{}:                     {Transform: controller.Trim},
		&netv1.NetworkPolicy{}:                   {Transform: controller.Trim},
		&policyv1.PodDisruptionBudget{}:          {Transform: controller.Trim},
		&corev1.Service{}:                        {Transform: ingress.Trim},
		&netv1.Ingress{}:                         {Transform: ingress.Trim},
		&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: autoscaler.Trim},
		&batchv1.Job{}:                           {Label: labels.SelectorFromSet(labels.Set{spec.LabelManagedBy: spec.ManagedBy})},
	}
	if cert != nil {
		maps.Copy(byObject, cert.CacheOptions())
	}
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         byObject,
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}
