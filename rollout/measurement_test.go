package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// running is a rollout at 10% of 10%, 5m, 50%, whose weight has been in force
// since noon, looked at one minute after.
func running() rollout.Observation {
	return rollout.Observation{
		Now: noon.Add(time.Minute), Settle: settle, Drain: drain,
		Stable: rollout.Stable{Name: "web", OptedIn: true, Hold: "7", Template: "v2", Replicas: 4, Available: 4, Runs: true},
		Canary: &rollout.CanaryStatus{Replicas: 1, Available: 1, State: rollout.State{
			Rollout: "7", Template: "v2", Mode: rollout.ModeProgressing, Baseline: 4, Routed: true,
			Steps: []spec.Step{weight(10), wait(5 * time.Minute), weight(50)}, Step: 1, StepSince: noon, Began: noon,
			Weight: 10, InForce: noon,
		}},
		Spec:    spec.Spec{Strategy: spec.Canary, Steps: []spec.Step{weight(10)}, Promotion: spec.PromotionRolling},
		Traffic: rollout.Traffic{Routed: true, Current: true, Weight: 10, Since: noon.Add(-settle)},
		Plan:    &rollout.AnalysisPlan{Interval: time.Minute},
	}
}

func TestMeasurementDue(t *testing.T) {
	second := time.Second
	cases := map[string]struct {
		change func(*rollout.Observation)
		want   bool
	}{
		"one interval after the weight came into force": {func(o *rollout.Observation) {}, true},
		"not a second earlier":                          {func(o *rollout.Observation) { o.Now = o.Now.Add(-second) }, false},
		"not before the next interval": {func(o *rollout.Observation) {
			o.Canary.State.Tally.At = noon.Add(second)
		}, false},
		"not at a weight that was put right only just now": {func(o *rollout.Observation) {
			o.Traffic.Since = noon.Add(second - settle)
		}, false},
		"not while somebody's weight is in the routes": {func(o *rollout.Observation) { o.Traffic.Weight = 90 }, false},
		"not while somebody's header is in the routes": {func(o *rollout.Observation) { o.Traffic.Match.Header = "X-Other" }, false},
		"not before the step from which on it is to":   {func(o *rollout.Observation) { o.Plan.StartingStep = 2 }, false},
		"not at the weight before, while pods start for that step": {func(o *rollout.Observation) {
			o.Plan.StartingStep, o.Canary.State.Step = 2, 2
		}, false},
		"but at the weight before, if that is judged": {func(o *rollout.Observation) { o.Canary.State.Step = 2 }, true},
		"of those who match alone": {func(o *rollout.Observation) {
			o.Canary.State.Steps[0], o.Canary.State.Weight, o.Traffic.Weight = header("X-Canary", "", ""), 0, 0
			o.Canary.State.Match.Header, o.Traffic.Match.Header = "X-Canary", "X-Canary"
		}, true},
		"not without traffic, if requests are all that is measured, even if a step asks for it": {func(o *rollout.Observation) {
			o.Canary.State.Weight, o.Traffic.Weight, o.Plan.NeedsTraffic = 0, 0, true
			o.Canary.State.Steps[1] = analysis
		}, false},
		"not while a route is missing":          {func(o *rollout.Observation) { o.Traffic.Current = false }, false},
		"not before the weight came into force": {func(o *rollout.Observation) { o.Canary.State.InForce = time.Time{} }, false},
		"not without a plan":                    {func(o *rollout.Observation) { o.Plan = nil }, false},
		"not without a canary":                  {func(o *rollout.Observation) { o.Canary = nil }, false},
		"not with a state that cannot be read":  {func(o *rollout.Observation) { o.Canary.StateErr = errDamaged }, false},
		"not while promoting":                   {func(o *rollout.Observation) { o.Canary.State.Mode = rollout.ModePromoting }, false},
		"not for a version that is not wanted any more": {func(o *rollout.Observation) {
			o.Stable.Hold, o.Stable.Template = "9", "v3"
		}, false},
		"not without traffic": {func(o *rollout.Observation) {
			o.Canary.State.Weight, o.Traffic.Weight = 0, 0
		}, false},
		"without traffic if a step asks for it": {func(o *rollout.Observation) {
			o.Canary.State.Weight, o.Traffic.Weight = 0, 0
			o.Canary.State.Steps[1] = analysis
		}, true},
		"while paused, too: bad news is welcome at any time": {func(o *rollout.Observation) { o.Canary.State.Paused = true }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			c.change(&o)
			if got := rollout.Next(o).Needs.Measurement; got != c.want {
				t.Errorf("a measurement is needed: %v", got)
			}
		})
	}
}

// A verdict that is not fatal leaves everything as it is and is counted.
func TestVerdictsAreCounted(t *testing.T) {
	before := rollout.Tally{Last: rollout.Pass, Told: rollout.Pass, Failures: 1, Inconclusive: 1, Errors: 1}
	at := noon.Add(time.Minute)
	cases := map[string]struct {
		verdict rollout.Verdict
		want    rollout.Tally
		note    reason.Reason
	}{
		"a Pass again is no news": {rollout.Pass, rollout.Tally{At: at, Last: rollout.Pass, Failures: 1}, ""},
		"a Fail counts for good":  {rollout.Fail, rollout.Tally{At: at, Last: rollout.Fail, Failures: 2}, reason.MeasurementFailed},
		"an Inconclusive that holds nothing yet": {
			rollout.Inconclusive, rollout.Tally{At: at, Last: rollout.Inconclusive, Failures: 1, Inconclusive: 2, Told: rollout.Pass}, "",
		},
		"stable is unhealthy": {
			rollout.StableUnhealthy, rollout.Tally{At: at, Last: rollout.StableUnhealthy, Failures: 1, Inconclusive: 2}, reason.StableUnhealthy,
		},
		"an Error in a row of errors": {
			rollout.Error, rollout.Tally{At: at, Last: rollout.Error, Failures: 1, Errors: 2}, reason.MeasurementError,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Plan.FailureLimit, o.Plan.InconclusiveLimit, o.Plan.ErrorLimit = 2, 2, 2
			o.Canary.State.Tally = before
			o.Measurement = &rollout.Measurement{Verdict: c.verdict, Message: "as measured"}
			d := rollout.Next(o)
			if c.want.Told == "" {
				c.want.Told = c.verdict
			}
			if d.Routes.Weight != 10 || d.Canary.State.Tally != c.want {
				t.Errorf("weight %d, tally %+v, want %+v", d.Routes.Weight, d.Canary.State.Tally, c.want)
			}
			var note reason.Reason
			if len(d.Notes) > 0 {
				note = d.Notes[0].Reason
			}
			if note != c.note {
				t.Errorf("note %q, want %q", note, c.note)
			}
		})
	}
}

// An Inconclusive is told once it holds the weight.
func TestAnInconclusiveIsToldWhenItHolds(t *testing.T) {
	for now, told := range map[time.Duration]bool{4 * time.Minute: false, 5 * time.Minute: true} {
		o := running() // in a wait of five minutes
		o.Now = noon.Add(now)
		o.Measurement = &rollout.Measurement{Verdict: rollout.Inconclusive}
		if d := rollout.Next(o); told != (len(d.Notes) > 0) {
			t.Errorf("after %s: %+v", now, d.Notes)
		}
	}
}

// A metric that is only tried decides nothing. That it would fail is told once.
func TestADryRunIsTold(t *testing.T) {
	o := running()
	o.Canary.State.Tally.Told = rollout.Pass
	o.Measurement = &rollout.Measurement{Verdict: rollout.Pass, WouldFail: "queue 120, want < 100"}
	d := rollout.Next(o)
	want := []rollout.Note{{Reason: reason.DryRunFailed, Message: "rollout 7: at weight 10: queue 120, want < 100"}}
	if diff := cmp.Diff(want, d.Notes); diff != "" {
		t.Errorf("the first time (-want +got):\n%s", diff)
	}
	o.Canary.State = d.Canary.State
	if d := rollout.Next(o); len(d.Notes) > 0 {
		t.Errorf("the second time: %+v", d.Notes)
	}
}

func TestVerdictsRollBack(t *testing.T) {
	cases := map[string]struct {
		tally   rollout.Tally
		verdict rollout.Verdict
		reason  reason.Reason
		message string
	}{
		"one Fail too many": {
			rollout.Tally{Failures: 1}, rollout.Fail, reason.AnalysisFailed, "at weight 10: as measured",
		},
		"one Inconclusive too many in a row": {
			rollout.Tally{
				Inconclusive: 2,
			}, rollout.Inconclusive, reason.AnalysisLimitExceeded, "at weight 10: 3 measurements in a row were Inconclusive: as measured",
		},
		"one Error too many in a row": {
			rollout.Tally{Errors: 2}, rollout.Error, reason.AnalysisLimitExceeded, "at weight 10: 3 measurements in a row were Error: as measured",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Plan.FailureLimit, o.Plan.InconclusiveLimit, o.Plan.ErrorLimit = 1, 2, 2
			o.Canary.State.Tally = c.tally
			o.Measurement = &rollout.Measurement{Verdict: c.verdict, Message: "as measured"}
			d := rollout.Next(o)
			want := "rollout 7: rolled back, stable serves all traffic: " + c.message +
				". To try the same template again: kubectl annotate deployment/web headgate.dev/command=retry"
			if d.Routes.Kind != rollout.NoRoutes || d.Phase != spec.RolledBack || d.Reason != c.reason || d.Message != want {
				t.Errorf("weight %d, phase %s, %s: %s", d.Routes.Weight, d.Phase, d.Reason, d.Message)
			}
		})
	}
}

// What a rollout waits for at the end of its wait at 10%.
func TestAPassIsNeededToGoOn(t *testing.T) {
	const needed = "rollout 7: step 2 of 3, weight 10, the next step needs a Pass at this weight; "
	cases := map[string]struct {
		change func(*rollout.Observation)
		reason reason.Reason
		want   string
	}{
		"a Pass": {
			func(o *rollout.Observation) {}, reason.CanaryStarting, "rollout 7: waiting for 2 canary pods to be Available before weight 50",
		},
		"no verdict": {
			func(o *rollout.Observation) { o.Canary.State.Tally = rollout.Tally{} }, reason.AwaitingVerdict,
			needed + "nothing was measured at this weight yet",
		},
		"no analysis": {
			func(o *rollout.Observation) { o.Canary.State.Tally, o.Plan = rollout.Tally{}, nil }, reason.CanaryStarting,
			"rollout 7: waiting for 2 canary pods to be Available before weight 50",
		},
		"an Error after the Pass": {func(o *rollout.Observation) {
			o.Canary.State.Tally.Last = rollout.Error
		}, reason.AwaitingVerdict, needed + "the last was Error"},
		"a Pass on routes that have changed since": {func(o *rollout.Observation) {
			o.Traffic.Since = o.Canary.State.Tally.At.Add(time.Second)
		}, reason.AwaitingVerdict, needed + "the routes have changed since the last one"},
		"an analysis that cannot be read": {func(o *rollout.Observation) {
			o.Canary.State.Tally, o.Plan, o.PlanErr = rollout.Tally{}, nil, errDamaged
		}, reason.InvalidAnnotation, "rollout 7: step 2 of 3, weight 10, damaged"},
		"annotations that do not parse, so that nobody knows of the analysis": {func(o *rollout.Observation) {
			o.Canary.State.Tally, o.Plan, o.SpecErr = rollout.Tally{}, nil, errDamaged
		}, reason.InvalidAnnotation, "rollout 7: step 2 of 3, weight 10, damaged"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Now = noon.Add(5 * time.Minute)
			o.Canary.State.Tally = rollout.Tally{At: noon.Add(4*time.Minute + 30*time.Second), Last: rollout.Pass}
			c.change(&o)
			if d := rollout.Next(o); d.Reason != c.reason || d.Message != c.want {
				t.Errorf("%s: %s", d.Reason, d.Message)
			}
		})
	}
}
