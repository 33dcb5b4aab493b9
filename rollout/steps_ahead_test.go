package rollout

import (
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/spec"
)

// parsed is a list of steps as a person writes it.
func parsed(t *testing.T, text string) []spec.Step {
	t.Helper()
	steps, err := spec.ParseSteps(text)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestLed(t *testing.T) {
	cases := map[string]struct {
		steps, want string
		lead        bool
	}{
		"a weight needs nothing before it":             {"10%, 5m, 100%", "10%, 5m, 100%", false},
		"nor does a weight of 0":                       {"0%, pause, 100%", "0%, pause, 100%", false},
		"a wait is beside a canary with routes":        {"5m, 10%", "0%, 5m, 10%", true},
		"so is a pause":                                {"pause, 10%", "0%, pause, 10%", true},
		"and a test":                                   {"job=smoke, 10%", "0%, job=smoke, 10%", true},
		"a route needs routers that know of it":        {"header=X-Canary, 10%", "0%, header=X-Canary, 10%", true},
		"the size comes before":                        {"scale=3, 10%", "scale=3, 10%", false},
		"the size comes before what is put before it":  {"scale=3, scale=50%, pause, 10%", "scale=3, scale=50%, 0%, pause, 10%", true},
		"a size later on is nothing to put off a wait": {"pause, scale=3, 10%", "0%, pause, scale=3, 10%", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			steps := parsed(t, c.steps)
			got, lead := withLeadingWeight(steps)
			if text := spec.FormatSteps(got); text != c.want || lead != c.lead {
				t.Errorf("%s, lead %v", text, lead)
			}
			if spec.FormatSteps(steps) != c.steps {
				t.Errorf("the user's steps are %s now", spec.FormatSteps(steps))
			}
		})
	}
}

func TestEnd(t *testing.T) {
	const day = 24 * time.Hour
	cases := map[string]struct {
		steps    string
		deadline time.Duration
		want     time.Duration
	}{
		"a week, and what the steps take": {"10%, 5m, 50%, 1h, pause, 100%", 0, 7*day + 65*time.Minute},
		"as the user says":                {"10%, 5m, 100%", time.Hour, time.Hour},
		"shorter than the steps":          {"10%, 5m, 100%", time.Minute, time.Minute},
		"never more than a year":          {"10%, 365d, 50%, 365d, 100%", 0, 365 * day},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			p := &pass{
				Observation: Observation{Spec: spec.Spec{RolloutDeadline: c.deadline}},
				state:       State{Began: began, Steps: parsed(t, c.steps)},
			}
			if got := p.rolloutDeadline().Sub(began); got != c.want {
				t.Errorf("ends after %s, want %s", got, c.want)
			}
		})
	}
}

// Which steps are judged, as 1 for each that is; and at which something can be
// measured where the metrics need traffic.
func TestJudged(t *testing.T) {
	cases := map[string]struct {
		steps              string
		starting           int
		judged, measurable string
	}{
		"all that have traffic":                         {"10%, 5m, 50%, 5m", 0, "1111", "1111"},
		"none without":                                  {"0%, 5m, 50%, 5m", 0, "0011", "0011"},
		"from a step on":                                {"10%, 5m, 50%, 5m", 2, "0011", "0011"},
		"from a step that nobody wrote":                 {"10%, 5m, 50%, 5m", 9, "0000", "0000"},
		"a step of the user's, not of what is led":      {"5m, 10%, 5m, 50%", 2, "00011", "00011"},
		"beside a size":                                 {"scale=2, 5m, 10%, 5m, 50%", 3, "000011", "000011"},
		"an analysis step in any case":                  {"0%, analysis, 50%, analysis, 100%", 9, "01010", "00010"},
		"what matches is traffic":                       {"0%, header=X, 10%", 0, "011", "011"},
		"what matches is traffic, and is judged from 2": {"header=X, 5m, 10%", 1, "0011", "0011"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := &pass{Observation: Observation{Plan: &AnalysisPlan{StartingStep: c.starting, NeedsTraffic: true}}}
			var s State
			s.Steps, s.Lead = withLeadingWeight(parsed(t, c.steps))
			judged, measurable := "", ""
			for s.Step = range s.Steps {
				if step := s.presentStep(); step.Kind == spec.SetWeight {
					s.Weight = step.Weight
				}
				s.Match = s.plannedMatch()
				judged, measurable = judged+bit(p.judged(s)), measurable+bit(p.measurable(s))
			}
			if judged != c.judged || measurable != c.measurable {
				t.Errorf("of %s judged: %s, want %s; measurable: %s, want %s", spec.FormatSteps(s.Steps), judged, c.judged, measurable, c.measurable)
			}
		})
	}
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
