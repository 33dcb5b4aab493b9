package autoscaler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
)

// A rollout changes one field of an autoscaler at most, and afterwards the
// autoscaler is as it was, whatever the API server had stored.
func TestFreeRestoresWhatWasThere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hpa := unheld()
		hpa.Spec.Behavior = drawBehavior(rt)
		withDefaults(hpa)
		f := newFixture(t, hpa)

		f.hold(t)
		during := f.autoscaler(t)
		want := hpa.DeepCopy()
		if policyOf(want) != autoscalingv2.MinChangePolicySelect {
			selects(autoscalingv2.DisabledPolicySelect)(want)
			withDefaults(want)
		}
		if diff := cmp.Diff(want.Spec, during.Spec); diff != "" {
			rt.Errorf("during the rollout (-want +got):\n%s", diff)
		}

		f.free(t, rollout.FreeAll)
		after := f.autoscaler(t)
		after.ResourceVersion = hpa.ResourceVersion
		if diff := cmp.Diff(hpa, after); diff != "" {
			rt.Errorf("after the rollout (-before +after):\n%s", diff)
		}
	})
}

func drawBehavior(rt *rapid.T) *autoscalingv2.HorizontalPodAutoscalerBehavior {
	if rapid.Bool().Draw(rt, "has no behavior") {
		return nil
	}
	return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: drawRules(rt, "up"), ScaleDown: drawRules(rt, "down")}
}

func drawRules(rt *rapid.T, way string) *autoscalingv2.HPAScalingRules {
	policy := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 60}
	largest, smallest := autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect
	disabled := autoscalingv2.DisabledPolicySelect
	half := resource.MustParse("500m")
	all := rapid.Just(&autoscalingv2.HPAScalingRules{
		SelectPolicy:               draw(rt, way+" policy", nil, &largest, &smallest, &disabled),
		StabilizationWindowSeconds: draw(rt, way+" window", nil, ptr.To[int32](0), ptr.To[int32](300)),
		Policies:                   draw(rt, way+" policies", nil, []autoscalingv2.HPAScalingPolicy{policy}),
		Tolerance:                  draw(rt, way+" tolerance", nil, &half),
	})
	return rapid.OneOf(all, rapid.Just[*autoscalingv2.HPAScalingRules](nil)).Draw(rt, way)
}

func draw[T any](rt *rapid.T, label string, of ...T) T { return rapid.SampledFrom(of).Draw(rt, label) }
