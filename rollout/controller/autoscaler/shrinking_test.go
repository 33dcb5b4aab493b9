package autoscaler

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout"
)

// shrinking makes an autoscaler report that it would scale down if it could.
func shrinking(hpa *hpaType) {
	hpa.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{
		{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "ReadyForNewScale"},
		{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "ScaleDownLimit"},
	}
}

// An autoscaler that is freed acts at once, on metrics that are older than the
// traffic it has.
func TestFreeKeepsShrinking(t *testing.T) {
	atMinimum := func(hpa *hpaType) { hpa.Status.Conditions[1].Reason = "TooFewReplicas" }
	tests := map[string]struct {
		changes []change
		goal    rollout.ScaleDownGoal
		kept    bool
	}{
		"it sees the load":                         {nil, rollout.KeepShrinking, false},
		"it would shrink stable":                   {[]change{shrinking}, rollout.KeepShrinking, true},
		"it would, and the delay is over":          {[]change{shrinking}, rollout.FreeAll, false},
		"somebody switched its scale-down on":      {[]change{shrinking, selects("Max")}, rollout.KeepShrinking, false},
		"it would shrink another Deployment":       {[]change{shrinking, scaling("Deployment", "api")}, rollout.KeepShrinking, false},
		"it has as few pods as minReplicas allows": {[]change{shrinking, atMinimum}, rollout.KeepShrinking, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := unheld()
			heldWith(`{"deployment":"web","selectPolicy":null}`)(hpa)
			for _, change := range tt.changes {
				change(hpa)
			}
			withDefaults(hpa)
			f := newFixture(t, hpa)
			kept := f.free(t, tt.goal)
			if _, marked := markOf(f.autoscaler(t)); kept != tt.kept || marked != tt.kept {
				t.Errorf("kept %v, marked %v; want %v", kept, marked, tt.kept)
			}
		})
	}
}
