package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func TestStateIsStoredAsAPersonWouldWriteIt(t *testing.T) {
	s := rollout.State{
		Rollout: "7", Template: "af31", Mode: rollout.ModeProgressing, Baseline: 4,
		Steps: []spec.Step{weight(10), wait(5 * time.Minute), pause, analysis, weight(100)}, Step: 1, StepSince: noon, Began: noon,
		Routed: true, Weight: 10, InForce: noon,
		Tally: rollout.Tally{At: noon.Add(time.Minute), Last: rollout.Pass},
	}
	want := `{"rollout":"7","template":"af31","mode":"Progressing",` +
		`"steps":["10%","5m","pause","analysis","100%"],"step":1,"stepSince":"2026-01-01T12:00:00Z","baseline":4,` +
		`"began":"2026-01-01T12:00:00Z","routed":true,"weight":10,"inForce":"2026-01-01T12:00:00Z",` +
		`"tally":{"at":"2026-01-01T12:01:00Z","last":"Pass"}}`
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEncodedStatesDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawState(t)
		text, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := rollout.DecodeState(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s\n%s", err, text, diff)
		}
	})
}

func drawState(t *rapid.T) rollout.State {
	at := func(name string) time.Time {
		return noon.Add(time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, name)))
	}
	steps := drawSteps(t)
	step := rapid.IntRange(0, len(steps)).Draw(t, "step")
	splits := []split{{}} // what is granted may be what any of the steps so far brings
	for i := range steps[:min(step+1, len(steps))] {
		splits = append(splits, splitAt(steps, i))
	}
	granted := rapid.SampledFrom(splits).Draw(t, "granted")
	return rollout.State{
		Rollout:  rapid.StringMatching(`[1-9][0-9]{0,5}`).Draw(t, "rollout"),
		Template: rapid.StringMatching(`[0-9a-f]{16}`).Draw(t, "template"),
		Mode: rapid.SampledFrom([]rollout.Mode{
			rollout.ModeProgressing, rollout.ModePromoting, rollout.ModeReturning, rollout.ModeRolledBack, rollout.ModeRetiring,
		}).Draw(t, "mode"),
		Steps: steps, Step: step, StepSince: at("step since"), Began: noon,
		Baseline: rapid.Int32Range(0, 100).Draw(t, "baseline"),
		Routed: rapid.Bool().Draw(t,
			"routed"), Weight: granted.weight, Match: granted.match, Lead: rapid.Bool().Draw(t, "lead"), InForce: at("in force"),
		Tally: rollout.Tally{
			At:       at("measured"),
			Last:     rapid.SampledFrom([]rollout.Verdict{rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.Error}).Draw(t, "verdict"),
			Failures: rapid.IntRange(0, 9).Draw(t, "failures"), Inconclusive: rapid.IntRange(0, 9).Draw(t,
				"inconclusive"), Errors: rapid.IntRange(0, 9).Draw(t, "errors"),
		},
		JobPassed: rapid.Bool().Draw(t, "Job passed"),
		Losses:    rapid.IntRange(0, 3).Draw(t, "losses"), Paused: rapid.Bool().Draw(t, "paused"), Skipped: rapid.Bool().Draw(t, "skipped"),
		CommandTaken: rapid.StringMatching(`|abort(:7)?`).Draw(t, "command"),
		Message:      rapid.String().Draw(t, "message"), DrainSince: at("drain"),
	}
}

// drawSteps draws a list that could have been parsed: the weights never fall.
func drawSteps(t *rapid.T) []spec.Step {
	w := rapid.IntRange(0, 100).Draw(t, "first weight")
	steps := []spec.Step{weight(w)}
	for range rapid.IntRange(0, 20).Draw(t, "more") {
		word := rapid.SampledFrom([]string{
			"weight", "5m", "pause", "analysis", "scale=3", "scale=50%", "scale=traffic", "job=smoke", scored,
			"header=X-Canary", "header=X-Region~eu-.*", "header=X-User:7", "cookie=canary",
		}).Draw(t, "step")
		if word == "weight" {
			w = rapid.IntRange(w, 100).Draw(t, "weight")
			word = fmt.Sprintf("%d%%", w)
		}
		steps = append(steps, step(word))
	}
	return steps
}

func TestDecodeStateRefuses(t *testing.T) {
	good := `{"rollout":"7","template":"af31","mode":"Progressing","steps":["10%","5m","100%"],"step":1,` +
		`"stepSince":"2026-01-01T12:00:00Z","baseline":4,"began":"2026-01-01T12:00:00Z"}`
	if _, err := rollout.DecodeState(good); err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	cases := map[string]struct{ text, want string }{
		"nothing":                    {"", "EOF"},
		"half of it":                 {good[:40], "unexpected EOF"},
		"two of them":                {good + good, "there is text after the state"},
		"another thing behind it":    {good + "}", "there is text after the state"},
		"a field of a newer version": {with(`"step":1`, `"step":1,"steep":1`), `json: unknown field "steep"`},
		"no rollout":                 {with(`"7"`, `""`), "rollout is missing"},
		"a mode of a newer version":  {with("Progressing", "Dancing"), `mode "Dancing" is unknown`},
		"no mode":                    {with("Progressing", ""), `mode "" is unknown`},
		"a step before the first":    {with(`"step":1`, `"step":-1`), "step -1 of 3"},
		"a step behind the end":      {with(`"step":1`, `"step":4`), "step 4 of 3"},
		"no steps": {
			with(`["10%","5m","100%"],"step":1`, `[],"step":0`), `"": has no weight, so the new version would never see traffic`,
		},
		"no weight among the steps": {
			with(`"10%","5m","100%"`, `"5m","5m","5m"`), `"5m, 5m, 5m": has no weight, so the new version would never see traffic`,
		},
		"a step that no annotation could have": {with(`"10%"`, `"110%"`), `"110%": a weight is a whole number 0..100`},
		"steps whose weights fall": {
			with(`"10%","5m","100%"`, `"100%","5m","10%"`), `"10%": comes after 100%, and a weight never falls: traffic goes back by abort only`,
		},
		"a weight above all traffic": {
			with(`"baseline":4`, `"baseline":4,"weight":101`), "weight 101 is not a weight of 10%, 5m, 100% up to step 1",
		},
		"a weight below none": {
			with(`"baseline":4`, `"baseline":4,"weight":-1`), "weight -1 is not a weight of 10%, 5m, 100% up to step 1",
		},
		"fewer pods than none":   {with(`"baseline":4`, `"baseline":-4`), "baseline -4 is negative"},
		"a beginning at no time": {with(`,"began":"2026-01-01T12:00:00Z"`, ``), "the time when it began is missing"},
		"a weight that was never one of the steps": {
			with(`"baseline":4`, `"baseline":4,"weight":50`), "weight 50 is not a weight of 10%, 5m, 100% up to step 1",
		},
		"a weight of a step that is still to come": {
			with(`"baseline":4`, `"baseline":4,"weight":100`), "weight 100 is not a weight of 10%, 5m, 100% up to step 1",
		},
		"a header that no step brings": {
			with(`"baseline":4`, `"baseline":4,"match":{"header":"X-Canary"}`), "no step up to step 1 has its header or cookie",
		},
		"a header of a step that is still to come": {
			with(`"5m","100%"],`, `"5m","header=X-Canary","100%"],"match":{"header":"X-Canary"},`), "no step up to step 1 has its header or cookie",
		},
		"a cookie beside a header that came later": {
			with(`"5m","100%"],"step":1`,
				`"header=X-Canary","cookie=canary"],"match":{"cookie":"canary"},"step":2`), "no step up to step 2 has its header or cookie",
		},
		"numbers in words, as somebody might type it": {
			with(`"step":1`, `"step":"1"`), "json: cannot unmarshal string into Go struct field State.step of type int",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := rollout.DecodeState(c.text)
			if err == nil {
				t.Fatalf("no error, but %+v", s)
			}
			if diff := cmp.Diff(""+c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is stored when a state could not be read has no steps, and must itself
// be readable, or nothing would ever remember that the traffic went away.
func TestDecodeStateWithoutSteps(t *testing.T) {
	for _, mode := range []rollout.Mode{rollout.ModeRolledBack, rollout.ModeRetiring} {
		text, err := rollout.State{Rollout: "7", Mode: mode, Routed: true}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rollout.DecodeState(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
