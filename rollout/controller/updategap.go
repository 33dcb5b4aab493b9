package controller

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// updateGap says why the rolling update of dep may leave it without an Available
// pod. "": it leaves some. The arithmetic is that of the Deployment controller
// (ResolveFenceposts in pkg/controller/deployment/util of Kubernetes): a surge is
// rounded up and what may be unavailable down, and if both are 0, one pod may be
// unavailable.
//
// Example: 1 replica with the defaults (25% and 25%): a surge of 1 and none
// unavailable. 1 replica with maxSurge 0: that pod is stopped first. 4 replicas with
// maxUnavailable 100%: all four may be.
func updateGap(dep *appsv1.Deployment) string {
	if dep.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return "strategy Recreate stops every stable pod before the first new one starts"
	}
	update := ptr.Deref(dep.Spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
	quarter := intstr.FromString("25%")
	replicas := int(ptr.Deref(dep.Spec.Replicas, 1))
	surge, errSurge := intstr.GetScaledValueFromIntOrPercent(ptr.To(ptr.Deref(update.MaxSurge, quarter)), replicas, true)
	unavailable, errUnavailable := intstr.GetScaledValueFromIntOrPercent(ptr.To(ptr.Deref(update.MaxUnavailable, quarter)), replicas, false)
	if errSurge != nil || errUnavailable != nil || replicas == 0 {
		return "" // the API server accepts no such value
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	if unavailable < replicas {
		return ""
	}
	return fmt.Sprintf("with %d replicas, maxSurge %s and maxUnavailable %s every stable pod may be stopped before a new one is Available",
		replicas, ptr.To(ptr.Deref(update.MaxSurge, quarter)), ptr.To(ptr.Deref(update.MaxUnavailable, quarter)))
}
