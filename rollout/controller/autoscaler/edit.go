package autoscaler

import (
	"encoding/json"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// edit is one write to an autoscaler.
type edit struct {
	mark     *mark           // nil removes the mark
	behavior json.RawMessage // a merge patch of spec.behavior; nil leaves it as it is
	note     rollout.Note    // to report after the write; without a Reason nothing is reported
}

// patch returns e as a merge patch that the API server applies only to that
// resourceVersion.
func (e *edit) patch(resourceVersion string) ([]byte, error) {
	var annotation any // null removes it
	if e.mark != nil {
		text, err := json.Marshal(e.mark)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", spec.AnnotationScaleDown, err)
		}
		annotation = string(text)
	}
	patch := map[string]any{"metadata": map[string]any{
		"resourceVersion": resourceVersion,
		"annotations":     map[string]any{spec.AnnotationScaleDown: annotation},
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

// holdEdit returns the write that holds hpa for the rollout of deployment. nil:
// nothing is to be written, because hpa is held or must not be.
func holdEdit(hpa *autoscalingv2.HorizontalPodAutoscaler, deployment string) *edit {
	m, marked := markOf(hpa)
	switch {
	case marked && (m.Lost || !canShrink(hpa)):
		return nil
	case marked:
		// Switching it off once more starts a fight: a GitOps tool switches it on
		// again each time.
		m.Lost = true
		return &edit{mark: &m, note: rollout.Note{Reason: reason.ScaleDownNotHeld, Message: fmt.Sprintf(
			"somebody switched the scale-down of HorizontalPodAutoscaler %s on again. It stays on, and a rollback may meet too few pods. "+
				"Remove spec.behavior.scaleDown.selectPolicy from git", hpa.Name)}}
	case !canShrink(hpa) || whyNotWritten(hpa) != "":
		return nil
	}
	m.Deployment = deployment
	if hpa.Spec.Behavior != nil {
		m.SelectPolicy = ptr.To(autoscalingv2.MaxChangePolicySelect)
	}
	return &edit{mark: &m, behavior: selectPolicy(autoscalingv2.DisabledPolicySelect), note: rollout.Note{
		Reason: reason.ScaleDownHeld, Message: fmt.Sprintf(
			"HorizontalPodAutoscaler %s does not scale down until the rollout is over: stable may get its traffic back at any moment", hpa.Name)}}
}

// freeEdit returns the write that frees hpa. It leaves what somebody else wrote
// during the hold. nil: hpa has no mark.
func freeEdit(hpa *autoscalingv2.HorizontalPodAutoscaler) *edit {
	m, marked := markOf(hpa)
	if !marked {
		return nil
	}
	e := &edit{}
	if m.Lost || policyOf(hpa) != autoscalingv2.DisabledPolicySelect {
		return e
	}
	e.note = rollout.Note{
		Reason:  reason.ScaleDownRestored,
		Message: fmt.Sprintf("HorizontalPodAutoscaler %s scales down again as before", hpa.Name),
	}
	e.behavior = selectPolicy(autoscalingv2.MaxChangePolicySelect)
	// There was no spec.behavior, and nobody added a rule to it during the hold.
	if m.SelectPolicy == nil && apiequality.Semantic.DeepEqual(hpa.Spec.Behavior, onlyDisabled) {
		e.behavior = json.RawMessage("null")
	}
	return e
}

func selectPolicy(p autoscalingv2.ScalingPolicySelect) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"scaleDown":{"selectPolicy":%q}}`, p))
}

// onlyDisabled is what the API server stores for a behavior that sets nothing but
// scaleDown.selectPolicy: Disabled. These defaults are part of autoscaling/v2 and
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
