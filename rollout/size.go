package rollout

import "github.com/headgate/headgate/rollout/spec"

// size is how many canary pods there should be for weight: those that serve it,
// and no fewer than the scale says. A scale never takes pods from a weight.
//
// Example: weight 10 with 4 stable replicas: 1 pod. With "scale=50%": 2 pods.
// Blue-green without a scale: 4 pods at any weight.
func (p *pass) size(weight int) int32 {
	all := p.state.podsForAll(p.Stable)
	least := p.state.plannedScale()
	if least == (spec.Scale{}) && p.Spec.Strategy == spec.BlueGreen {
		least.Percent = 100
	}
	return max(1, podsForPercent(weight, all), podsForPercent(least.Percent, all), least.Replicas)
}

// canaryReplicas is the size for the weight of the present step, never less than
// there is: a canary only grows until its traffic is gone.
func (p *pass) canaryReplicas() int32 {
	weight := p.state.Weight
	if step := p.state.presentStep(); step.Kind != "" && p.state.Mode == ModeProgressing {
		weight = behaviours[step.Kind].weight(step, weight)
	}
	size := p.size(weight)
	if p.Canary != nil {
		size = max(size, p.Canary.Replicas)
	}
	return size
}

// podsForPercent is percent of all pods, rounded up: 10% of 4 pods is 1 pod.
func podsForPercent(percent int, all int32) int32 { return (int32(percent)*all + 99) / 100 }

// servableWeight is the highest weight that available canary pods can serve, where
// all traffic takes so many pods: 1 of 4 pods serves 25%, 3 of 4 serve 75%.
func servableWeight(available, all int32) int {
	if all <= 0 {
		return 100
	}
	return int(min(100, available*100/all))
}

// podsForAll is how many pods serve all the traffic: never fewer than when the
// rollout began, because an autoscaler that sees traffic leave stable shrinks it.
// Example: begun with 10 replicas, now 6: 10. Now 12: 12.
func (s State) podsForAll(stable Stable) int32 { return max(s.Baseline, stable.Replicas, 1) }
