package rollout

import (
	"strconv"
	"strings"
)

// Scale is how many canary pods there are at least, beside those that carry the
// weight. Zero: as many as the strategy has.
type Scale struct {
	Replicas int32
	Percent  int  // of the stable replicas, rounded up
	Traffic  bool // no more than carry the weight
}

// String is what parseScale reads.
func (c Scale) String() string {
	switch {
	case c.Traffic:
		return "traffic"
	case c.Percent > 0:
		return strconv.Itoa(c.Percent) + "%"
	}
	return strconv.Itoa(int(c.Replicas))
}

const maxScale = 10_000

func parseScale(text string) (Scale, error) {
	if text == "traffic" {
		return Scale{Traffic: true}, nil
	}
	number, isPercent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil, !isDigits(number), n < 1, n > maxScale, isPercent && n > 100:
		return Scale{}, wrong(text, "a scale is a number of pods (3), a share of the stable ones (50%), or traffic for as many as the weight needs")
	case isPercent:
		return Scale{Percent: n}, nil
	}
	return Scale{Replicas: int32(n)}, nil
}

// scale is what the last of the steps up to the present one says.
func (s State) scale() Scale {
	var c Scale
	for _, step := range s.reachedSteps() {
		if step.Kind == SetScale {
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
	if least == (Scale{}) && o.Spec.Strategy == BlueGreen {
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
