package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/reason"
)

// ScaleDownGoal says which autoscalers of a Deployment must stay held: an
// autoscaler is held while Headgate has switched its scale-down off.
type ScaleDownGoal int

// The goals for held autoscalers.
const (
	FreeAll       ScaleDownGoal = iota // none stays held
	KeepShrinking                      // those stay held that would scale down at once
	KeepAll                            // every one stays held
)

// scaleDownDelay is how long an autoscaler that would scale down at once stays
// held after the end of a rollout. It equals the default time for which an
// autoscaler itself waits before it scales down
// (--horizontal-pod-autoscaler-downscale-stabilization).
const scaleDownDelay = 5 * time.Minute

// KeepScaleDownOff returns which autoscalers stay held after d, and when to look
// again whether the rest can be freed. until is zero where time alone frees none.
//
// When a rollout ends, the metrics of an autoscaler still show the low load of
// the time when the canary had the traffic. If it could scale down at once, it
// would do so under full load. So it stays held for five minutes after the end,
// unless it no longer wants to scale down.
//
// The rollout ended when condition, the one on the Deployment, got its present
// reason. It ends now where d has another reason, or where there is no condition
// (nil). Let now be 10:01:
//
//	condition                d                    returned
//	Promoted since 10:00     no reason, Promoted  KeepShrinking until 10:05
//	Promoted since 09:56     no reason, Promoted  FreeAll
//	Promoted since 09:00     AbortedByCommand     KeepShrinking until 10:06
//	none                     any                  KeepShrinking until 10:06
//	any                      HoldScaleDown        KeepAll
func KeepScaleDownOff(d Decision, condition *appsv1.DeploymentCondition, o Observation) (goal ScaleDownGoal, until time.Time) {
	if d.HoldScaleDown {
		return KeepAll, time.Time{}
	}
	ended := o.Now
	if condition != nil && (d.Reason == "" || d.Reason == reason.Reason(condition.Reason)) {
		ended = o.past(condition.LastTransitionTime.Time)
	}
	until = ended.Add(scaleDownDelay)
	if !until.After(o.Now) {
		return FreeAll, time.Time{}
	}
	return KeepShrinking, until
}
