package rollout_test

import (
	"testing"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

const gateURL = "https://gate.example.com/web?team=a"

// Which point is asked where, and what a no means there.
func TestGates(t *testing.T) {
	passed := func(o *rollout.Observation) {
		o.Now = noon.Add(5 * time.Minute)
		o.Canary.State.Tally = rollout.Tally{At: noon.Add(4*time.Minute + 30*time.Second), Last: rollout.Pass}
	}
	last := func(o *rollout.Observation) {
		passed(o)
		o.Canary.State.Steps = o.Canary.State.Steps[:2]
	}
	cases := map[string]struct {
		at     func(*rollout.Observation)
		ask    spec.GatePoint
		closed string
		open   reason.Reason
	}{
		"before the canary is made": {
			func(o *rollout.Observation) {
				o.Canary, o.Traffic, o.Spec.Steps = nil, rollout.Traffic{}, []spec.Step{weight(10)}
			},
			spec.GateStart, "rollout 7: until the gate before start opens", reason.CanaryStarting,
		},
		"before the first weight": {
			func(o *rollout.Observation) {
				o.Canary.State.Step, o.Canary.State.Weight, o.Canary.State.InForce = 0, 0, time.Time{}
				o.Traffic.Weight = 0
			},
			spec.GateRise, "rollout 7: step 1 of 3, weight 0, until the gate before rise opens", reason.Waiting,
		},
		"before a higher weight": {
			passed, spec.GateRise, "rollout 7: step 2 of 3, weight 10, until the gate before rise opens", reason.CanaryStarting,
		},
		"before the promotion": {
			last, spec.GatePromotion, "rollout 7: step 2 of 2, weight 10, until the gate before promotion opens", reason.Releasing,
		},
		"not while the step lasts":   {nil, "", "", reason.Waiting},
		"not before a Pass is there": {func(o *rollout.Observation) { o.Now = noon.Add(5 * time.Minute) }, "", "", reason.AwaitingVerdict},
		"not before the same weight": {
			func(o *rollout.Observation) { passed(o); o.Canary.State.Steps[2] = weight(10) },
			spec.GatePromotion, "rollout 7: step 3 of 3, weight 10, until the gate before promotion opens", reason.Releasing,
		},
		"not once somebody said promote-full": {func(o *rollout.Observation) { last(o); say(o, "promote-full") }, "", "", reason.Releasing},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Spec.Gates = []spec.Gate{{Before: spec.GateStart}, {Before: spec.GateRise}, {Before: spec.GatePromotion}}
			if c.at != nil {
				c.at(&o)
			}
			d := rollout.Next(o)
			if d.Needs.Gates != c.ask {
				t.Fatalf("asks %q, at %s: %s", d.Needs.Gates, d.Reason, d.Message)
			}
			if c.ask == "" {
				if d.Reason != c.open {
					t.Errorf("%s: %s", d.Reason, d.Message)
				}
				return
			}
			o.Gate = &rollout.GateAnswer{Point: c.ask, Message: gateURL + " answered 503"}
			d = rollout.Next(o)
			want := c.closed + ": " + gateURL + " answered 503"
			if d.Reason != reason.AwaitingGate || d.Message != want || d.Again != o.Now.Add(10*time.Second) {
				t.Errorf("closed: %s: %s, again at %s", d.Reason, d.Message, d.Again)
			}
			o.Gate = &rollout.GateAnswer{Point: c.ask, Open: true}
			if d = rollout.Next(o); d.Reason != c.open || d.Needs.Gates != "" {
				t.Errorf("open: %s: %s, asks %q", d.Reason, d.Message, d.Needs.Gates)
			}
			o.Gate.Point = "another"
			if d = rollout.Next(o); d.Reason != reason.AwaitingGate {
				t.Errorf("an answer to something else opened it: %s: %s", d.Reason, d.Message)
			}
		})
	}
}

// While the annotations do not parse, the gates are unknown, so all count as closed.
func TestGatesThatNobodyKnowsOf(t *testing.T) {
	o := running()
	o.Now, o.Plan, o.SpecErr = noon.Add(5*time.Minute), nil, errDamaged
	o.Canary.State.Weight, o.Traffic.Weight = 0, 0
	o.Canary.State.Steps[0], o.Canary.State.Steps = weight(0), o.Canary.State.Steps[:2]
	if d := rollout.Next(o); d.Reason != reason.InvalidAnnotation || d.Hold != rollout.KeepHold {
		t.Errorf("%s: %s", d.Reason, d.Message)
	}
}
