package rollout

// Size is how many canary pods weight needs beside full replicas' worth of
// traffic: its share rounded up, at least one. A blue-green canary is always
// full-size.
func (s Strategy) Size(weight int, full int32) int32 {
	if s == BlueGreen {
		return max(1, full)
	}
	return max(1, (int32(weight)*full+99)/100)
}

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
