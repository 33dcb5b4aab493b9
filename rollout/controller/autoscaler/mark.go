package autoscaler

import (
	"encoding/json"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout/spec"
)

// mark is the value of spec.AnnotationScaleDown, as JSON. Example:
//
//	{"deployment":"web","selectPolicy":"Max"}
type mark struct {
	// Deployment is the name of the Deployment for whose rollout the autoscaler is
	// held. The autoscaler may have another target by now.
	Deployment string `json:"deployment"`

	// SelectPolicy is the value of spec.behavior.scaleDown.selectPolicy before the
	// hold: always Max, because an autoscaler with another value is not held. nil:
	// there was no spec.behavior at all. The API server keeps that apart from a
	// spec.behavior in which every field has its default.
	SelectPolicy *autoscalingv2.ScalingPolicySelect `json:"selectPolicy"`

	// Lost says that somebody else wrote the field during the hold, so it is not
	// put back.
	Lost bool `json:"lost,omitempty"`
}

// markOf returns the mark on hpa; marked says whether there is one. A mark that
// cannot be parsed counts as one with the default policy: otherwise scale-down
// would stay off for ever.
func markOf(hpa *autoscalingv2.HorizontalPodAutoscaler) (m mark, marked bool) {
	text, marked := hpa.Annotations[spec.AnnotationScaleDown]
	if !marked {
		return mark{}, false
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return mark{SelectPolicy: ptr.To(autoscalingv2.MaxChangePolicySelect)}, true
	}
	return m, true
}
