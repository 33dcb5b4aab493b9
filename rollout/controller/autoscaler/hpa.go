package autoscaler

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// canShrink says whether the spec of hpa lets it scale down. One with minReplicas
// 3 and maxReplicas 3 cannot.
func canShrink(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return ptr.Deref(hpa.Spec.MinReplicas, 1) < hpa.Spec.MaxReplicas && policyOf(hpa) != autoscalingv2.DisabledPolicySelect
}

// wantsToShrink says whether hpa would scale down now if its scale-down were not
// switched off. The autoscaler itself reports that, with this reason
// (pkg/controller/podautoscaler/horizontal.go of Kubernetes).
func wantsToShrink(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return policyOf(hpa) == autoscalingv2.DisabledPolicySelect &&
		slices.ContainsFunc(hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == autoscalingv2.ScalingLimited && c.Status == corev1.ConditionTrue && c.Reason == "ScaleDownLimit"
		})
}

// policyOf returns spec.behavior.scaleDown.selectPolicy, or its default.
func policyOf(hpa *autoscalingv2.HorizontalPodAutoscaler) autoscalingv2.ScalingPolicySelect {
	if b := hpa.Spec.Behavior; b != nil && b.ScaleDown != nil && b.ScaleDown.SelectPolicy != nil {
		return *b.ScaleDown.SelectPolicy
	}
	return autoscalingv2.MaxChangePolicySelect
}

// whyNotWritten says why Headgate must not switch the scale-down of hpa off. "":
// it may.
func whyNotWritten(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	owner := metav1.GetControllerOf(hpa)
	switch {
	case owner != nil && owner.Kind == "ScaledObject":
		return fmt.Sprintf("it belongs to ScaledObject %s: "+
			"set spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy to Disabled there while you release", owner.Name)
	case owner != nil:
		return fmt.Sprintf("it belongs to %s %s: let that set spec.behavior.scaleDown.selectPolicy to Disabled while you release",
			owner.Kind, owner.Name)
	case policyOf(hpa) == autoscalingv2.MinChangePolicySelect:
		return "its spec.behavior.scaleDown.selectPolicy is Min, which is your choice: set it to Disabled while you release"
	}
	return ""
}

// targetOf returns the name of the Deployment that hpa scales. "": it scales
// something else.
func targetOf(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	ref := hpa.Spec.ScaleTargetRef
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || gv.Group != appsv1.GroupName || ref.Kind != "Deployment" {
		return ""
	}
	return ref.Name
}
