package rollout_test

import (
	"testing"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// The first verdict may come a moment after the wait of its step. Only a wait that is
// longer, or that something else causes, is told.
func TestAVerdictThatComesInAMomentIsNoNews(t *testing.T) {
	over := noon.Add(5 * time.Minute)
	cases := map[string]struct {
		change func(*rollout.Observation)
		told   bool
	}{
		"in a moment":                 {func(*rollout.Observation) {}, false},
		"not in time":                 {func(o *rollout.Observation) { o.Now = over.Add(5 * time.Second) }, true},
		"the last was an Error":       {func(o *rollout.Observation) { o.Canary.State.Tally.Last = rollout.Error }, true},
		"the condition asks a person": {func(o *rollout.Observation) { o.Stable.Reason = reason.AwaitingPromotion }, true},
		"the next weight has a problem": {func(o *rollout.Observation) {
			o.Problem = &rollout.Problem{Reason: reason.NoService, Message: "none"}
		}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Now, o.Stable.Reason, o.Plan.Interval = over, reason.Waiting, time.Hour
			c.change(&o)
			d := rollout.Next(o)
			if told := d.Reason == reason.AwaitingVerdict; told != c.told || !told && d.Again != over.Add(5*time.Second) {
				t.Errorf("%s: %s, again at %s", d.Reason, d.Message, d.Again)
			}
		})
	}
}

// What changes no decision where it is lost is not stored. Everything else is.
func TestInMemory(t *testing.T) {
	pass := func(o *rollout.Observation) { o.Measurement = &rollout.Measurement{Verdict: rollout.Pass} }
	measured := func(v rollout.Verdict, limit int) func(*rollout.Observation) {
		return func(o *rollout.Observation) {
			o.Measurement = &rollout.Measurement{Verdict: v}
			o.Plan.FailureLimit, o.Plan.ErrorLimit, o.Plan.InconclusiveLimit = 9, limit, limit
			o.Canary.Stored.Tally.Told, o.Canary.State.Tally.Told = v, v
		}
	}
	starting := func(o *rollout.Observation) { // the wait is over, and the next weight needs a second pod
		o.Plan, o.Now, o.Stable.Reason = nil, noon.Add(5*time.Minute), reason.Waiting
	}
	cases := map[string]struct {
		change func(*rollout.Observation)
		want   bool
	}{
		"nothing changes":     {func(o *rollout.Observation) { o.Now = noon.Add(time.Second) }, true},
		"a Pass":              {pass, true},
		"a Pass after a Pass": {func(o *rollout.Observation) { pass(o); o.Canary.Stored.Tally.Last = rollout.Pass }, true},
		"a Pass that ends a row of errors": {func(o *rollout.Observation) {
			pass(o)
			o.Canary.Stored.Tally.Errors, o.Plan.ErrorLimit = 1, 3
		}, false},
		"a Fail":                       {measured(rollout.Fail, 0), false},
		"an Error in a row":            {measured(rollout.Error, 3), false},
		"an Inconclusive in a row":     {measured(rollout.Inconclusive, 3), false},
		"an Error after a stored Pass": {measured(rollout.Error, 0), false},
		"an Error after an Error, without a limit": {func(o *rollout.Observation) {
			measured(rollout.Error, 0)(o)
			o.Canary.Stored.Tally.Last = rollout.Error
		}, true},
		"an Error after an Error, with a limit": {func(o *rollout.Observation) {
			measured(rollout.Error, 3)(o)
			o.Canary.Stored.Tally.Last = rollout.Error
		}, false},
		"routes that were seen": {func(o *rollout.Observation) {
			o.Canary.State.InForce, o.Canary.Stored.InForce = time.Time{}, time.Time{}
			o.Canary.State.Split, o.Canary.Stored.Split = []string{"web"}, []string{"web"}
			o.Traffic.Ingresses = []string{"web"}
		}, true},
		"routes that were seen and are to be put right": {func(o *rollout.Observation) {
			o.Canary.Stored.InForce = time.Time{}
			o.Traffic.Weight = 90
		}, false},
		"the template of the canary, seen for the first time": {func(o *rollout.Observation) { o.Canary.Template = "1f" }, true},
		"what the judge counted and cannot ask again": {func(o *rollout.Observation) {
			pass(o)
			o.Measurement.Evidence, o.Measurement.Kept = "new", true
			o.Canary.Stored.Tally.Last, o.Canary.Stored.Evidence = rollout.Pass, "old"
		}, false},
		"what the judge knows": {func(o *rollout.Observation) {
			pass(o)
			o.Measurement.Evidence = "new"
			o.Canary.Stored.Tally.Last, o.Canary.Stored.Evidence = rollout.Pass, "old"
		}, true},
		"a command":                           {func(o *rollout.Observation) { o.Command = &spec.Command{Verb: spec.VerbPause} }, false},
		"a wait for pods that has just begun": {starting, true},
		"a wait for pods that somebody watches": {func(o *rollout.Observation) {
			starting(o)
			o.Stable.Reason = reason.AwaitingPromotion
		}, false},
		"a wait for pods that are in trouble": {func(o *rollout.Observation) {
			starting(o)
			o.Canary.Trouble = "a quota"
		}, false},
		"a wait for pods that takes longer": {func(o *rollout.Observation) {
			starting(o)
			o.Canary.State.Step, o.Canary.State.StepSince = 2, o.Now.Add(-5*time.Second)
		}, false},
		"a state that cannot be read": {func(o *rollout.Observation) { o.Canary.StateErr = errDamaged }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Canary.State.Tally.Last = rollout.Pass
			o.Canary.Stored = o.Canary.State
			c.change(&o)
			d := rollout.Next(o)
			if d.Canary == nil || d.Canary.InMemory != c.want {
				t.Errorf("in memory: %+v, want %v", d.Canary, c.want)
			}
		})
	}
}

// What the judge knows stays from one weight to the next, and a measurement without an
// answer does not lose it.
func TestEvidenceIsKept(t *testing.T) {
	for said, want := range map[string]string{"new": "new", "": "old"} {
		o := running()
		o.Canary.State.Evidence = "old"
		o.Measurement = &rollout.Measurement{Verdict: rollout.Pass, Evidence: said}
		d := rollout.Next(o)
		if got := d.Canary.State.Evidence; got != want {
			t.Errorf("after a measurement with evidence %q the state has %q, want %q", said, got, want)
		}
	}
}

// A Pass that is shown ends the wait of the step where the user allows it. A Pass that is
// not shown, or that is older than the routes, does not.
func TestAShownPassEndsAWait(t *testing.T) {
	for name, c := range map[string]struct {
		allowed, shown bool
		change         func(*rollout.Observation)
		want           reason.Reason
	}{
		"shown":                 {true, true, nil, reason.CanaryStarting},
		"not shown":             {true, false, nil, reason.Waiting},
		"not allowed":           {false, true, nil, reason.Waiting},
		"edited routes":         {true, true, func(o *rollout.Observation) { o.Traffic.Since = o.Now }, reason.Waiting},
		"of the step before it": {true, true, func(o *rollout.Observation) { o.Canary.State.StepSince = o.Now }, reason.Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Plan.EndWaits = c.allowed
			o.Canary.State.Tally = rollout.Tally{At: o.Now.Add(-time.Second), Last: rollout.Pass, Told: rollout.Pass, Shown: c.shown}
			if c.change != nil {
				c.change(&o)
			}
			if d := rollout.Next(o); d.Reason != c.want {
				t.Errorf("%s: %s, want %s", d.Reason, d.Message, c.want)
			}
		})
	}
}
