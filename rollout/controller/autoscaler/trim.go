package autoscaler

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/headgate/headgate/rollout"
)

// Trim removes from a HorizontalPodAutoscaler the status, the larger half of the object,
// except its conditions: they say whether it wants to scale down and may not. It is a
// transform for the cache that a Holder reads from: it changes obj, and a second call
// changes nothing. Any other object stays as it is.
func Trim(obj any) (any, error) {
	if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		rollout.TrimMeta(hpa)
		hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{Conditions: hpa.Status.Conditions}
	}
	return obj, nil
}
