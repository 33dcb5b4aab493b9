package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// FuzzDecodeState reads any text as a stored state. What is read is stored as it was, and
// any decision that follows stores what can be read again and gives the canary a weight of
// the steps.
func FuzzDecodeState(f *testing.F) {
	for _, text := range []string{
		"", "null", "{}", `{"rollout":"7","template":"af31","mode":"Progressing","steps":["10%","5m","100%"],"step":1,` +
			`"stepSince":"2026-01-01T12:00:00Z","baseline":4,"began":"2026-01-01T12:00:00Z"}`,
		`{"rollout":"7","template":"af31","mode":"Adopting","steps":["100%"],"step":1,"weight":100,"adopted":true,"baseline":4}`,
		`{"rollout":"7","template":"af31","mode":"Promoting","steps":["10%","header=X-A:b","100%"],"step":3,` +
			`"weight":100,"match":{"header":"X-A","value":"b"}}`,
		`{"rollout":"7","template":"af31","mode":"Returning","steps":["100%"],"weight":100,"inForce":"9999-12-31T23:59:59Z"}`,
		`{"rollout":"7","template":"af31","mode":"RolledBack","steps":[],"why":"AnalysisFailed","drainSince":"0001-01-01T00:00:01Z"}`,
		`{"rollout":"7","template":"af31","mode":"Progressing","steps":["0%","job=a >= 0.9","5%"],"step":1,"baseline":2147483647,` +
			`"began":"2026-01-01T12:00:00Z","tally":{"failures":-1,"ignored":"2026-01-01T12:00:00Z","last":"?"},"losses":-5}`,
	} {
		for flags := range uint16(4) {
			f.Add(text, flags*0x155)
		}
	}
	f.Fuzz(func(t *testing.T, text string, flags uint16) {
		s, err := rollout.DecodeState(text)
		if err != nil {
			return
		}
		stored, err := s.Encode()
		if err != nil {
			t.Fatalf("%q is read and cannot be stored: %v", text, err)
		}
		if again, err := rollout.DecodeState(stored); err != nil || !cmp.Equal(s, again) {
			t.Errorf("%q is stored as %q: %v %s", text, stored, err, cmp.Diff(s, again))
		}
		checkDecision(t, s, rollout.Next(observed(s, flags)))
	})
}

// observed is what may be around a state: each flag is one thing.
func observed(s rollout.State, flags uint16) rollout.Observation {
	is := func(flag int) bool { return flags&(1<<flag) != 0 }
	o := rollout.Observation{
		Now: noon.Add(time.Hour), Settle: settle, Drain: drain,
		Stable: rollout.Stable{
			Name: "web", OptedIn: !is(0), Hold: s.Rollout, Phase: spec.Progressing, Template: s.Template, Replicas: 4, Available: 4, Runs: true,
			UpToDate: true, Complete: is(1), Updated: is(1), Revision: "3",
		},
		Canary:  &rollout.CanaryStatus{State: s, Stored: s, Replicas: 4, Available: 4, Filled: is(2), Adopted: is(3), FilledSince: noon},
		Traffic: rollout.Traffic{Routed: is(4), Weight: s.Weight, Match: s.Match, Since: noon},
		Spec:    spec.Spec{Strategy: spec.Canary, Steps: s.Steps, ProgressDeadline: time.Minute},
	}
	if is(5) {
		o.Canary.Available, o.Canary.Trouble = 1, "a quota"
	}
	if is(6) {
		o.Stable.Hold = ""
	}
	if is(7) {
		o.Plan = &rollout.AnalysisPlan{Interval: time.Minute, FailureLimit: 1}
		o.Measurement = &rollout.Measurement{Verdict: rollout.Fail, Message: "bad"}
	}
	if is(8) {
		o.Command = &spec.Command{Verb: spec.VerbPromote}
	}
	if is(9) {
		o.Command = &spec.Command{Verb: spec.VerbRetry}
	}
	return o
}

func checkDecision(t *testing.T, s rollout.State, d rollout.Decision) {
	t.Helper()
	if d.Canary == nil {
		return
	}
	stored, err := d.Canary.State.Encode()
	if err == nil {
		_, err = rollout.DecodeState(stored)
	}
	if err != nil {
		t.Errorf("after %+v, what is to be stored cannot be read: %v\n%s", s, err, stored)
	}
	planned := map[int]bool{0: true, s.Weight: true}
	for _, step := range d.Canary.State.Steps {
		planned[step.Weight] = true
	}
	if weight := d.Canary.State.Weight; !planned[weight] || weight < 0 || weight > 100 || d.Canary.Replicas < 0 {
		t.Errorf("after %+v, the canary gets weight %d and %d pods", s, weight, d.Canary.Replicas)
	}
}

// FuzzKnownTemplate reads any text as the record of the last template: it is what String
// wrote, or there is no record.
func FuzzKnownTemplate(f *testing.F) {
	for _, text := range []string{"", "revision 5, template 1f2e", "revision , template ", "revision a, template b, template c", "template"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if k := rollout.ParseKnownTemplate(text); k != (rollout.KnownTemplate{}) && k.String() != text {
			t.Errorf("%q is read as %+v", text, k)
		}
	})
}

// FuzzWorld is TestInvariantsHoldWhateverHappens, and the fuzzer chooses what happens.
func FuzzWorld(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		w := drawWorld(t)
		w.chaos(t)
		w.heal()
		w.ends()
	}))
}
