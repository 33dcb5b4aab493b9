package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// wouldShrink is an autoscaler that says it sees too little load for what is
// there.
func wouldShrink(hpa *autoscalingv2.HorizontalPodAutoscaler) {
	hpa.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{
		{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "ReadyForNewScale"},
		{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "ScaleDownLimit"},
	}
}

// An autoscaler that is freed acts at once, on metrics that are older than the
// traffic it has.
func TestScaleDownStaysHeldUntilTheLoadIsSeen(t *testing.T) {
	type edit = func(*autoscalingv2.HorizontalPodAutoscaler)
	promoted := func(age time.Duration) *appsv1.DeploymentCondition {
		return &appsv1.DeploymentCondition{Reason: string(reason.Promoted), LastTransitionTime: metav1.NewTime(now.Add(-age))}
	}
	tests := map[string]struct {
		edits     []edit
		condition *appsv1.DeploymentCondition
		decision  rollout.Decision
		due       time.Time // zero: it is freed
	}{
		"it sees the load":                      {nil, promoted(0), rollout.Decision{}, time.Time{}},
		"it would shrink stable":                {[]edit{wouldShrink}, promoted(time.Minute), rollout.Decision{}, now.Add(4 * time.Minute)},
		"it would for five minutes":             {[]edit{wouldShrink}, promoted(5 * time.Minute), rollout.Decision{}, time.Time{}},
		"the rollout is over by this decision":  {[]edit{wouldShrink}, promoted(time.Hour), rollout.Decision{Reason: reason.AbortedByCommand}, now.Add(5 * time.Minute)},
		"nothing was said yet":                  {[]edit{wouldShrink}, nil, rollout.Decision{}, now.Add(5 * time.Minute)},
		"it shrinks slowly, by somebody's word": {[]edit{wouldShrink, selects("Max")}, promoted(0), rollout.Decision{}, time.Time{}},
		"it would shrink another Deployment":    {[]edit{wouldShrink, retargeted("Deployment", "api")}, promoted(0), rollout.Decision{}, time.Time{}},
		"it has as few pods as it may":          {[]edit{wouldShrink, tooFew}, promoted(0), rollout.Decision{}, time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := autoscaler()
			mark(hpa, `{"deployment":"web","selectPolicy":null}`)
			for _, edit := range tt.edits {
				edit(hpa)
			}
			defaulted(hpa)
			s := newScaledStage(t, hpa)
			s.seen.Now, s.condition = now, tt.condition
			s.pass(t, tt.decision)
			if diff := cmp.Diff(tt.due, s.freeDue); diff != "" {
				t.Errorf("when to look again (-want +got):\n%s", diff)
			}
			if _, marked := markOf(s.autoscaler(t)); marked == tt.due.IsZero() {
				t.Errorf("marked %v", marked)
			}
		})
	}
}

var now = time.Unix(1_000_000, 0)

func tooFew(hpa *autoscalingv2.HorizontalPodAutoscaler) {
	hpa.Status.Conditions[1].Reason = "TooFewReplicas"
}

func TestAutoscalerThatSeesTheLoadIsNews(t *testing.T) {
	was := autoscaler()
	mark(was, "{}")
	is := was.DeepCopy()
	wouldShrink(was)
	if !respecified().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}) {
		t.Error("it would stay held until somebody looks again")
	}
}
