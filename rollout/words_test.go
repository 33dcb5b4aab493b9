package rollout_test

import (
	"time"

	"github.com/headgate/headgate/rollout/spec"
)

func weight(w int) spec.Step { return spec.Step{Kind: spec.SetWeight, Weight: w} }

func header(name, value, pattern string) spec.Step {
	return spec.Step{Kind: spec.MatchHeader, Match: spec.Match{Header: name, Value: value, Pattern: pattern}}
}

func wait(d time.Duration) spec.Step { return spec.Step{Kind: spec.Wait, Duration: d} }

// scored is a step, and what a Job writes that satisfies its condition or does not.
const (
	scored    = "job=smoke >= 0.9"
	goodScore = "0.93"
	badScore  = "0.71"
)

// step reads one step.
func step(word string) (s spec.Step) {
	if err := s.UnmarshalText([]byte(word)); err != nil {
		panic(err)
	}
	return s
}

var (
	pause    = spec.Step{Kind: spec.Pause}
	analysis = spec.Step{Kind: spec.RunAnalysis}
)
