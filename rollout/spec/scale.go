package spec

import (
	"strconv"
	"strings"
)

// Scale is the least number of canary pods, whatever the weight needs. The zero
// value leaves the number to the strategy.
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
		return Scale{}, wrong(text,
			"a scale is a number of pods (3), a percentage of the stable pods (50%), or traffic for as many pods as the weight needs")
	case isPercent:
		return Scale{Percent: n}, nil
	}
	return Scale{Replicas: int32(n)}, nil
}
