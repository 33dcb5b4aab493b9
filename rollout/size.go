package rollout

import (
	"github.com/headgate/headgate/rollout/spec"
)

// scale is what the last of the steps up to the present one says.
func (s State) scale() spec.Scale {
	var c spec.Scale
	for _, step := range s.reachedSteps() {
		if step.Kind == spec.SetScale {
			c = step.Scale
		}
	}
	return c
}

// size is how many canary pods s should have for weight: those that carry it,
// whatever its scale says.
func (o Observation) size(s State, weight int) int32 {
	full := s.full(o.Stable)
	least := s.scale()
	if least == (spec.Scale{}) && o.Spec.Strategy == spec.BlueGreen {
		least.Percent = 100
	}
	return max(1, share(weight, full), share(least.Percent, full), least.Replicas)
}

// share is percent of full pods, rounded up.
func share(percent int, full int32) int32 { return (int32(percent)*full + 99) / 100 }

// carries is the highest weight that available canary pods can carry.
func carries(available, full int32) int {
	if full <= 0 {
		return 100
	}
	return int(min(100, available*100/full))
}

// full is how many pods carry all the traffic: never fewer than when the
// rollout began, because an autoscaler that sees traffic leave stable shrinks
// it.
func (s State) full(stable Stable) int32 { return max(s.Baseline, stable.Replicas, 1) }
