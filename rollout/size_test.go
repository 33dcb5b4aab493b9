package rollout

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
)

func TestSize(t *testing.T) {
	cases := map[string]struct {
		strategy spec.Strategy
		weight   int
		full     int32
		steps    []spec.Step
		want     int32
	}{
		"a share that is no whole pod is rounded up":     {spec.Canary, 10, 4, nil, 1},
		"a whole share is not":                           {spec.Canary, 25, 8, nil, 2},
		"one percent above a whole share needs one more": {spec.Canary, 26, 8, nil, 3},
		"all traffic needs all pods":                     {spec.Canary, 100, 7, nil, 7},
		"without traffic there is one pod to look at":    {spec.Canary, 0, 100, nil, 1},
		"beside nothing there is one too":                {spec.Canary, 50, 0, nil, 1},
		"blue-green is full-size from the beginning":     {spec.BlueGreen, 0, 7, nil, 7},
		"and has a pod in any case":                      {spec.BlueGreen, 0, 0, nil, 1},
		"a scale is a least size":                        {spec.Canary, 10, 10, scaled("3"), 3},
		"a scale never keeps a weight from its pods":     {spec.Canary, 50, 10, scaled("3"), 5},
		"a scale may be a share":                         {spec.Canary, 10, 10, scaled("25%"), 3},
		"the last scale counts":                          {spec.Canary, 10, 10, scaled("7", "2"), 2},
		"a scale makes a green one smaller":              {spec.BlueGreen, 0, 10, scaled("1"), 1},
		"until it takes all traffic":                     {spec.BlueGreen, 100, 10, scaled("1"), 10},
		"a green one may follow the traffic":             {spec.BlueGreen, 30, 10, scaled("traffic"), 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := &pass{
				Observation: Observation{Spec: spec.Spec{Strategy: c.strategy}},
				state:       State{Baseline: c.full, Steps: c.steps, Step: max(0, len(c.steps)-1)},
			}
			if got := p.size(c.weight); got != c.want {
				t.Errorf("size(%d) beside %d is %d, want %d", c.weight, c.full, got, c.want)
			}
		})
	}
}

// scaled are steps that set scales. The last one is the present step.
func scaled(words ...string) []spec.Step {
	var steps []spec.Step
	for _, word := range words {
		var s spec.Step
		if err := s.UnmarshalText([]byte("scale=" + word)); err != nil {
			panic(err)
		}
		steps = append(steps, s)
	}
	return steps
}

// A canary of the size for a weight serves it, and one pod fewer does not.
func TestSizeIsTheLeastThatServesTheWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight, full := rapid.IntRange(0, 100).Draw(t, "weight"), rapid.Int32Range(1, 10000).Draw(t, "full")
		size := (&pass{state: State{Baseline: full}}).size(weight)
		if got := servableWeight(size, full); got < weight {
			t.Fatalf("%d of %d pods serve %d, not %d", size, full, got, weight)
		}
		if got := servableWeight(size-1, full); size > 1 && got >= weight {
			t.Fatalf("%d of %d pods serve %d already", size-1, full, got)
		}
	})
}

func TestPodsForAllAreNeverFewerThanWhenTheRolloutBegan(t *testing.T) {
	cases := map[string]struct{ baseline, replicas, want int32 }{
		"as it was":                   {4, 4, 4},
		"an autoscaler has shrunk it": {8, 2, 8},
		"somebody has scaled it up":   {4, 9, 9},
		"there is nothing left":       {0, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := (State{Baseline: c.baseline}).podsForAll(Stable{Replicas: c.replicas}); got != c.want {
				t.Errorf("podsForAll() = %d, want %d", got, c.want)
			}
		})
	}
}
