package controller

import (
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// scaleDownMark is the value of AnnotationScaleDown.
type scaleDownMark struct {
	// Deployment is whose rollout switched scale-down off: an autoscaler may be
	// pointed at another one meanwhile.
	Deployment string `json:"deployment"`

	// SelectPolicy is what spec.behavior.scaleDown.selectPolicy was: Max, as nothing
	// else is written over. nil: there was no spec.behavior at all, which the API
	// server keeps apart from one with every default.
	SelectPolicy *autoscalingv2.ScalingPolicySelect `json:"selectPolicy"`

	// Lost says that somebody else wrote the field since: it is theirs.
	Lost bool `json:"lost,omitempty"`
}

// markOf is the mark on hpa, if there is one. One that somebody damaged stands
// for the default: a scale-down that stays off for ever would be worse.
func markOf(hpa *autoscalingv2.HorizontalPodAutoscaler) (mark scaleDownMark, marked bool) {
	text, marked := hpa.Annotations[spec.AnnotationScaleDown]
	if !marked {
		return scaleDownMark{}, false
	}
	if err := json.Unmarshal([]byte(text), &mark); err != nil {
		return scaleDownMark{SelectPolicy: ptr.To(autoscalingv2.MaxChangePolicySelect)}, true
	}
	return mark, true
}

// hpaEdit is one write to an autoscaler. A field it leaves nil is left alone,
// except that a nil mark takes the mark away.
type hpaEdit struct {
	mark     *scaleDownMark
	behavior json.RawMessage // for a merge patch of spec.behavior
	note     rollout.Note    // without a reason nothing is worth saying
}

// patch is e as a merge patch that only applies to that resourceVersion.
func (e *hpaEdit) patch(resourceVersion string) ([]byte, error) {
	var mark any // null removes
	if e.mark != nil {
		text, err := json.Marshal(e.mark)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", spec.AnnotationScaleDown, err)
		}
		mark = string(text)
	}
	patch := map[string]any{"metadata": map[string]any{
		"resourceVersion": resourceVersion,
		"annotations":     map[string]any{spec.AnnotationScaleDown: mark},
	}}
	if e.behavior != nil {
		patch["spec"] = map[string]any{"behavior": e.behavior}
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encoding a patch: %w", err)
	}
	return b, nil
}

// holdEdit switches the scale-down of hpa off for the rollout of deployment. nil:
// it is off, or not to be touched.
func holdEdit(hpa *autoscalingv2.HorizontalPodAutoscaler, deployment string) *hpaEdit {
	mark, marked := markOf(hpa)
	switch {
	case marked && (mark.Lost || !shrinks(hpa)):
		return nil
	case marked:
		// A GitOps tool would do it again, and again.
		mark.Lost = true
		return &hpaEdit{mark: &mark, note: rollout.Note{Reason: reason.ScaleDownNotHeld, Message: fmt.Sprintf(
			"somebody switched the scale-down of HorizontalPodAutoscaler %s on again: it stays on, and a rollback may meet fewer pods. Leave spec.behavior.scaleDown.selectPolicy out of git", hpa.Name)}}
	case !shrinks(hpa) || untouchable(hpa) != "":
		return nil
	}
	mark.Deployment = deployment
	if hpa.Spec.Behavior != nil {
		mark.SelectPolicy = ptr.To(autoscalingv2.MaxChangePolicySelect)
	}
	return &hpaEdit{mark: &mark, behavior: selectPolicy(autoscalingv2.DisabledPolicySelect), note: rollout.Note{
		Reason: reason.ScaleDownHeld, Message: fmt.Sprintf("HorizontalPodAutoscaler %s does not scale down until the rollout is over: traffic may come back at any moment", hpa.Name)}}
}

// freeEdit puts back what holdEdit changed, as far as nobody else did since. nil:
// there is no mark.
func freeEdit(hpa *autoscalingv2.HorizontalPodAutoscaler) *hpaEdit {
	mark, marked := markOf(hpa)
	if !marked {
		return nil
	}
	edit := &hpaEdit{}
	if mark.Lost || policyOf(hpa) != autoscalingv2.DisabledPolicySelect {
		return edit
	}
	edit.note = rollout.Note{Reason: reason.ScaleDownRestored, Message: fmt.Sprintf("HorizontalPodAutoscaler %s scales down again as before", hpa.Name)}
	edit.behavior = selectPolicy(autoscalingv2.MaxChangePolicySelect)
	if mark.SelectPolicy == nil && apiequality.Semantic.DeepEqual(hpa.Spec.Behavior, onlyDisabled) {
		edit.behavior = json.RawMessage("null") // else somebody gave it rules meanwhile
	}
	return edit
}

func selectPolicy(p autoscalingv2.ScalingPolicySelect) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"scaleDown":{"selectPolicy":%q}}`, p))
}

// onlyDisabled is what the API server makes of a behavior in which nothing but
// the scale-down is set, to Disabled. These defaults are part of autoscaling/v2 and
// cannot change within it (pkg/apis/autoscaling/v2/defaults.go of Kubernetes).
var onlyDisabled = &autoscalingv2.HorizontalPodAutoscalerBehavior{
	ScaleUp: &autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: ptr.To[int32](0),
		SelectPolicy:               ptr.To(autoscalingv2.MaxChangePolicySelect),
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
		},
	},
	ScaleDown: &autoscalingv2.HPAScalingRules{
		SelectPolicy: ptr.To(autoscalingv2.DisabledPolicySelect),
		Policies:     []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}},
	},
}

// shrinks says whether hpa may scale down as it is.
func shrinks(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return ptr.Deref(hpa.Spec.MinReplicas, 1) < hpa.Spec.MaxReplicas && policyOf(hpa) != autoscalingv2.DisabledPolicySelect
}

// limited says whether hpa would scale down, and may not because that is switched
// off. The reason is the autoscaler's own (pkg/controller/podautoscaler/horizontal.go
// of Kubernetes).
func limited(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return policyOf(hpa) == autoscalingv2.DisabledPolicySelect && slices.ContainsFunc(hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
		return c.Type == autoscalingv2.ScalingLimited && c.Status == corev1.ConditionTrue && c.Reason == "ScaleDownLimit"
	})
}

func policyOf(hpa *autoscalingv2.HorizontalPodAutoscaler) autoscalingv2.ScalingPolicySelect {
	if b := hpa.Spec.Behavior; b != nil && b.ScaleDown != nil && b.ScaleDown.SelectPolicy != nil {
		return *b.ScaleDown.SelectPolicy
	}
	return autoscalingv2.MaxChangePolicySelect
}

// untouchable is why the scale-down of hpa is not to be switched off. "": it may
// be.
func untouchable(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	owner := metav1.GetControllerOf(hpa)
	switch {
	case owner != nil && owner.Kind == "ScaledObject":
		return fmt.Sprintf("it belongs to ScaledObject %s: set spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy: Disabled there while you release", owner.Name)
	case owner != nil:
		return fmt.Sprintf("it belongs to %s %s: have that set spec.behavior.scaleDown.selectPolicy: Disabled while you release", owner.Kind, owner.Name)
	case policyOf(hpa) == autoscalingv2.MinChangePolicySelect:
		return "its spec.behavior.scaleDown.selectPolicy is Min, which is your choice: set Disabled while you release"
	}
	return ""
}

// targetOf is the name of the Deployment that hpa scales. "": it scales something
// else.
func targetOf(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	ref := hpa.Spec.ScaleTargetRef
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || gv.Group != appsv1.GroupName || ref.Kind != "Deployment" {
		return ""
	}
	return ref.Name
}
