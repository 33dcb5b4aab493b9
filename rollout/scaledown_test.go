package rollout_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

func TestKeepScaleDownOff(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	promoted := func(clock string) *appsv1.DeploymentCondition {
		return &appsv1.DeploymentCondition{Reason: string(reason.Promoted), LastTransitionTime: metav1.NewTime(at(clock))}
	}
	now := at("10:01:00")
	tests := map[string]struct {
		decision  rollout.Decision
		condition *appsv1.DeploymentCondition
		goal      rollout.ScaleDownGoal
		until     time.Time
	}{
		"the rollout is under way": {
			rollout.Decision{HoldScaleDown: true}, promoted("09:00:00"), rollout.KeepAll, time.Time{},
		},
		"it ended a minute ago": {
			rollout.Decision{}, promoted("10:00:00"), rollout.KeepShrinking, at("10:05:00"),
		},
		"it ended a minute ago, and the decision repeats the reason": {
			rollout.Decision{Reason: reason.Promoted}, promoted("10:00:00"), rollout.KeepShrinking, at("10:05:00"),
		},
		"it ended a second less than five minutes ago": {
			rollout.Decision{}, promoted("09:56:01"), rollout.KeepShrinking, at("10:01:01"),
		},
		"it ended five minutes ago": {
			rollout.Decision{}, promoted("09:56:00"), rollout.FreeAll, time.Time{},
		},
		"it ends with this decision, and the condition is of another rollout": {
			rollout.Decision{Reason: reason.AbortedByCommand}, promoted("09:00:00"), rollout.KeepShrinking, at("10:06:00"),
		},
		"it ended an hour from now, by another clock": {
			rollout.Decision{}, promoted("11:01:00"), rollout.KeepShrinking, at("10:05:30"),
		},
		"there is no condition": {
			rollout.Decision{}, nil, rollout.KeepShrinking, at("10:06:00"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			goal, until := rollout.KeepScaleDownOff(tt.decision, tt.condition, rollout.Observation{Now: now, SteadySince: at("10:00:30")})
			if goal != tt.goal || !until.Equal(tt.until) {
				t.Errorf("got goal %d until %s, want %d until %s", goal, until, tt.goal, tt.until)
			}
		})
	}
}
