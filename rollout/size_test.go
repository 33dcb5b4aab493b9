package rollout

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSize(t *testing.T) {
	cases := map[string]struct {
		strategy Strategy
		weight   int
		full     int32
		want     int32
	}{
		"a share that is no whole pod is rounded up":     {Canary, 10, 4, 1},
		"a whole share is not":                           {Canary, 25, 8, 2},
		"one percent above a whole share needs one more": {Canary, 26, 8, 3},
		"all traffic needs all pods":                     {Canary, 100, 7, 7},
		"without traffic there is one pod to look at":    {Canary, 0, 100, 1},
		"beside nothing there is one too":                {Canary, 50, 0, 1},
		"blue-green is full-size from the beginning":     {BlueGreen, 0, 7, 7},
		"and has a pod in any case":                      {BlueGreen, 0, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.strategy.Size(c.weight, c.full); got != c.want {
				t.Errorf("Size(%d, %d) = %d, want %d", c.weight, c.full, got, c.want)
			}
		})
	}
}

// A canary of the size for a weight carries it, and one pod fewer does not.
func TestSizeIsTheLeastThatCarries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight, full := rapid.IntRange(0, 100).Draw(t, "weight"), rapid.Int32Range(1, 10000).Draw(t, "full")
		size := Canary.Size(weight, full)
		if got := carries(size, full); got < weight {
			t.Fatalf("%d of %d pods carry %d, not %d", size, full, got, weight)
		}
		if got := carries(size-1, full); size > 1 && got >= weight {
			t.Fatalf("%d of %d pods carry %d already", size-1, full, got)
		}
	})
}

func TestFullIsNeverLessThanWhenTheRolloutBegan(t *testing.T) {
	cases := map[string]struct{ baseline, replicas, want int32 }{
		"as it was":                   {4, 4, 4},
		"an autoscaler has shrunk it": {8, 2, 8},
		"somebody has scaled it up":   {4, 9, 9},
		"there is nothing left":       {0, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := (State{Baseline: c.baseline}).full(Stable{Replicas: c.replicas}); got != c.want {
				t.Errorf("full() = %d, want %d", got, c.want)
			}
		})
	}
}
