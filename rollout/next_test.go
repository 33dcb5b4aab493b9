package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Between two rollouts the condition says what happened last, until that is no
// news any more. "" leaves it as it is.
func TestIdle(t *testing.T) {
	const ready = "Ready: the next change of the pod template will be held and tried as a canary"
	const bypassed = "Bypassed: revision 3 goes out without a canary: it was not held (is the webhook registered?)"
	atRest := rollout.Stable{
		Name: "web", OptedIn: true, Template: "v2", Replicas: 4, Available: 4, Runs: true, TemplateRuns: true, Complete: true, Revision: "3",
	}
	cases := map[string]struct {
		change func(*rollout.Observation)
		want   string
	}{
		"nothing has happened yet": {func(o *rollout.Observation) {}, ready},
		"what was wrong has been put right": {func(o *rollout.Observation) {
			o.Stable.Reason = reason.InvalidAnnotation
		}, ready},
		"a promotion stays": {func(o *rollout.Observation) { o.Stable.Reason = reason.Promoted }, ""},
		"an unheld template goes out": {func(o *rollout.Observation) {
			o.Stable.Rolling, o.Stable.Complete, o.Stable.Reason = true, false, reason.Ready
		}, bypassed},
		"an unheld template goes out after a promotion": {func(o *rollout.Observation) {
			o.Stable.Rolling, o.Stable.Complete, o.Stable.Reason = true, false, reason.Promoted
		}, bypassed},
		"a template goes out by Recreate": {func(o *rollout.Observation) {
			o.Stable.Rolling, o.Stable.Recreate, o.Stable.Complete, o.Stable.Reason = true, true, false, reason.Ready
		}, "Bypassed: the new template goes out without a canary: strategy Recreate stops the old pods before there are new ones, " +
			"so there is nothing to split"},
		"a rolling update that has its reason is not reported again": {func(o *rollout.Observation) {
			o.Stable.Rolling, o.Stable.Complete, o.Stable.Reason = true, false, reason.StableRestored
		}, ""},
		"that reason has had its time": {func(o *rollout.Observation) { o.Stable.Reason = reason.StableRestored }, ready},
		"a ReplicaSet cache behind a complete Deployment is no rolling update": {func(o *rollout.Observation) {
			o.Stable.Rolling, o.Stable.Reason = true, reason.Promoted
		}, ""},
		"annotations that do not parse": {func(o *rollout.Observation) { o.SpecErr = errDamaged }, "InvalidAnnotation: damaged"},
		"the opt-in is gone": {func(o *rollout.Observation) {
			o.Stable.OptedIn, o.Stable.Reason = false, reason.Promoted
		}, "OptedOut: the opt-in was removed: new templates go out without a canary"},
		"the opt-in has been gone for long": {func(o *rollout.Observation) { o.Stable.OptedIn, o.Stable.Reason = false, reason.OptedOut }, ""},
		"there has never been any opt-in":   {func(o *rollout.Observation) { o.Stable.OptedIn = false }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := rollout.Observation{Now: noon, Stable: atRest}
			c.change(&o)
			d := rollout.Next(o)
			got := string(d.Reason)
			if d.Message != "" {
				got += ": " + d.Message
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			d.Reason, d.Message, d.Known = "", "", nil // TestKnownTemplate
			if diff := cmp.Diff(rollout.Decision{}, d); diff != "" {
				t.Errorf("at rest nothing else is decided\n%s", diff)
			}
		})
	}
}

// What is held and has no canary is tried out, or let go, or waits.
func TestHeldWithoutCanary(t *testing.T) {
	held := func() rollout.Observation {
		o := running()
		o.Canary, o.Traffic = nil, rollout.Traffic{}
		o.Spec.Steps = []spec.Step{weight(10)}
		return o
	}
	cases := map[string]struct {
		change func(*rollout.Observation)
		reason reason.Reason
		hold   rollout.HoldGoal
		canary bool
	}{
		"it is tried out": {func(o *rollout.Observation) {}, reason.CanaryStarting, rollout.KeepHold, true},
		"the opt-in is gone": {
			func(o *rollout.Observation) { o.Stable.OptedIn = false }, reason.OptedOut, rollout.Release, false,
		},
		"the template runs already": {
			func(o *rollout.Observation) { o.Stable.TemplateRuns = true }, reason.StableRestored, rollout.Release, false,
		},
		"it is scaled to zero": {func(o *rollout.Observation) { o.Stable.Replicas = 0 }, reason.Bypassed, rollout.Release, false},
		"no version runs":      {func(o *rollout.Observation) { o.Stable.Runs = false }, reason.Bypassed, rollout.Release, false},
		"no pod of the running one serves": {
			func(o *rollout.Observation) { o.Stable.Available = 0 }, reason.StableUnavailable, rollout.KeepHold, false,
		},
		"the annotations do not parse": {
			func(o *rollout.Observation) { o.SpecErr = errDamaged }, reason.InvalidAnnotation, rollout.KeepHold, false,
		},
		"the analysis cannot be read": {
			func(o *rollout.Observation) { o.PlanErr = errDamaged }, reason.InvalidAnnotation, rollout.KeepHold, false,
		},
		"a precondition is missing": {
			func(o *rollout.Observation) { o.Problem = &rollout.Problem{Reason: reason.NoIngress, Message: "none"} }, reason.NoIngress,
			rollout.KeepHold, false,
		},
		"it was rolled back, without record": {func(o *rollout.Observation) { o.Stable.Phase = spec.RolledBack }, "", rollout.KeepHold, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := held()
			c.change(&o)
			d := rollout.Next(o)
			begun := d.Canary != nil && d.Routes.Kind == rollout.SplitRoutes && d.Routes.Weight == 0
			if d.Reason != c.reason || d.Hold != c.hold || begun != c.canary || !begun && (d.Canary != nil || d.Routes.Kind != rollout.NoRoutes) {
				t.Errorf("%+v", d)
			}
		})
	}
}

// The routes are put back to the granted weight when somebody has changed them,
// as far as the pods that are left carry it.
func TestGrantedWeightIsPutBack(t *testing.T) {
	cases := map[string]struct {
		written   int
		available int32
		want      int
	}{
		"lowered by hand":                            {3, 2, 50},
		"raised by hand":                             {90, 2, 50},
		"lowered by hand, and a pod is gone":         {3, 1, 25},
		"lowered by hand to what the pods can carry": {25, 1, 25},
		"not touched, but a pod is gone":             {50, 1, 50},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Canary.State.Steps[0], o.Canary.State.Weight = weight(50), 50
			o.Canary.Replicas, o.Canary.Available = 2, c.available
			// The router remembers what it wrote last: that may still be in force.
			o.Traffic.Weight, o.Traffic.Lowest = max(c.written, 50), c.written
			if d := rollout.Next(o); d.Routes.Weight != c.want {
				t.Errorf("weight %d, want %d", d.Routes.Weight, c.want)
			}
		})
	}
}

// Scaling to 0 while a canary runs ends the rollout, and scaling up again may
// bring back what Headgate held.
func TestScaledToZeroWithCanary(t *testing.T) {
	cases := map[string]struct {
		mode         rollout.Mode
		change       func(*rollout.Stable)
		reason       reason.Reason
		hold         rollout.HoldGoal
		keepsTraffic bool
	}{
		"to 0": {rollout.ModeProgressing, func(s *rollout.Stable) { s.Replicas = 0 }, reason.ScaledToZero, rollout.KeepHold, false},
		"back, and the held template is what comes": {
			rollout.ModeProgressing, func(s *rollout.Stable) { s.TemplateRuns = true }, reason.Bypassed, rollout.Release, false,
		},
		"back after a rollback, and the held template is what comes": {
			rollout.ModeRolledBack, func(s *rollout.Stable) { s.TemplateRuns = true }, reason.Bypassed, rollout.Release, false,
		},
		"while it is promoted, the template runs as it should": {
			rollout.ModePromoting, func(s *rollout.Stable) { s.TemplateRuns = true }, reason.Releasing, rollout.Release, true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Canary.State.Mode = c.mode
			c.change(&o.Stable)
			d := rollout.Next(o)
			if d.Reason != c.reason || d.Hold != c.hold || (d.Routes.Weight > 0) != c.keepsTraffic {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestEarliest(t *testing.T) {
	none, later := time.Time{}, noon.Add(time.Second)
	for _, tt := range []struct{ a, b, want time.Time }{
		{none, none, none}, {noon, none, noon}, {none, noon, noon}, {noon, later, noon}, {later, noon, noon},
	} {
		if got := rollout.Earliest(tt.a, tt.b); got != tt.want {
			t.Errorf("Earliest(%v, %v) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// What a person should know beforehand is said once, when the canary is made,
// and is no reason not to make it.
func TestGaps(t *testing.T) {
	o := running()
	o.Canary, o.Traffic = nil, rollout.Traffic{}
	o.Spec.Steps = []spec.Step{weight(10)}
	o.Gaps = []rollout.Note{
		{Reason: reason.CanaryNotCovered, Message: "NetworkPolicy allow-web"}, {Reason: reason.CanaryNeedsFreeNode, Message: "hostPort 80"},
	}
	d := rollout.Next(o)
	var got []string
	for _, n := range d.Notes {
		got = append(got, string(n.Reason)+" "+n.Message)
	}
	want := []string{"CanaryNotCovered rollout 7: NetworkPolicy allow-web", "CanaryNeedsFreeNode rollout 7: hostPort 80"}
	if diff := cmp.Diff(want, got); diff != "" || d.Canary == nil {
		t.Errorf("notes (-want +got):\n%s\ncanary: %v", diff, d.Canary)
	}
}

// Traffic that returns in steps does so by weight; what matches comes back with the
// last of it.
func TestWhatMatchesReturnsLast(t *testing.T) {
	o := running()
	promoting(&o)
	o.Stable.Replicas, o.Stable.Available, o.Stable.Complete, o.Stable.TemplateRuns = 1, 1, true, true // of 4
	s := &o.Canary.State
	s.Steps = []spec.Step{header("X-Canary", "", ""), weight(100)}
	s.Step, s.Weight, s.Match = 2, 100, spec.Match{Header: "X-Canary"}
	o.Traffic.Weight, o.Traffic.Lowest, o.Traffic.Match = 100, 100, s.Match
	if d := rollout.Next(o); d.Routes.Weight != 69 || d.Routes.Match != s.Match {
		t.Errorf("weight %d, match %+v", d.Routes.Weight, d.Routes.Match)
	}
	o.Stable.Replicas, o.Stable.Available = 4, 4
	if d := rollout.Next(o); d.Routes.Kind != rollout.NoRoutes {
		t.Errorf("weight %d, match %+v, and stable can take it all", d.Routes.Weight, d.Routes.Match)
	}
}

// A person who resumes gives the pods of the step their whole time again.
func TestResumeBeginsTheDeadlineAnew(t *testing.T) {
	for _, word := range []string{"50%", "scale=3", "header=X-Canary", "cookie=canary"} {
		o := running()
		o.Canary.State.Steps[1], o.Canary.State.Steps[2] = step(word), weight(50)
		o.Canary.State.Paused, o.Now, o.Plan = true, noon.Add(time.Hour), nil
		o.Problem = &rollout.Problem{Reason: reason.NoService, Message: "no Service selects the pods"}
		say(&o, "resume")
		if d := rollout.Next(o); d.Phase != spec.Progressing || d.Canary.State.StepSince != o.Now {
			t.Errorf("%s: %s: %s", word, d.Reason, d.Message)
		}
	}
}

// A scale is reached when all of its pods are Available, and has a deadline.
func TestScaleStep(t *testing.T) {
	cases := map[string]struct {
		available int32
		after     time.Duration
		reason    reason.Reason
		message   string
	}{
		"a pod is missing": {
			2, 9 * time.Minute, reason.CanaryStarting, "rollout 7: waiting for 3 canary pods to be Available: no node has room",
		},
		"all are there": {3, 9 * time.Minute, reason.WeightSet, "rollout 7: step 3 of 3, weight 50"},
		"a pod is missing for long": {
			2, 10 * time.Minute, reason.ProgressDeadlineExceeded,
			"rollout 7: rolled back, stable serves all traffic: the canary did not reach its scale of 3 canary pods after 10m: 2 of 3 canary " +
				"pods are Available: no node has room. To try the same template again: kubectl annotate deployment/web headgate.dev/command=retry",
		},
		"all are there at the last":   {3, 10 * time.Minute, reason.WeightSet, "rollout 7: step 3 of 3, weight 50"},
		"a dead manager is no reason": {3, 10 * time.Hour, reason.WeightSet, "rollout 7: step 3 of 3, weight 50"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Now, o.Plan = noon.Add(c.after), nil
			o.Canary.State.Steps[1] = step("scale=3")
			o.Canary.Replicas, o.Canary.Available, o.Canary.Trouble = 3, c.available, "no node has room"
			if d := rollout.Next(o); d.Reason != c.reason || d.Message != c.message {
				t.Errorf("%s: %s", d.Reason, d.Message)
			}
		})
	}
}

// A write that is refused for longer than the progress deadline ends the rollout,
// with and without a canary; a shorter refusal does not.
func TestRefusedWrites(t *testing.T) {
	refuse := func(o *rollout.Observation, d time.Duration) {
		o.Stable.Refused, o.Stable.RefusedSince = "exceeded quota", o.Now.Add(-d)
	}
	o := running()
	refuse(&o, 9*time.Minute)
	if d := rollout.Next(o); d.Phase != spec.Progressing {
		t.Errorf("refused for 9m: %s: %s", d.Reason, d.Message)
	}
	refuse(&o, 10*time.Minute)
	d := rollout.Next(o)
	if d.Phase != spec.RolledBack || d.Reason != reason.ProgressDeadlineExceeded || !strings.Contains(d.Message, "exceeded quota") {
		t.Errorf("refused for 10m: %s: %s", d.Reason, d.Message)
	}
	o.Canary, o.Traffic = nil, rollout.Traffic{}
	d = rollout.Next(o)
	if d.Phase != spec.RolledBack || d.Canary != nil || d.Reason != reason.ProgressDeadlineExceeded {
		t.Errorf("refused for 10m before there is a canary: %s: %s", d.Reason, d.Message)
	}
}

// A release into an update that may leave stable without a pod is announced when the
// rollout begins and held at its end, until the strategy changes or a person accepts
// it. The steps before are walked as ever.
func TestUpdateGap(t *testing.T) {
	const gap = "all may be stopped"
	o := running()
	o.Stable.UpdateGap, o.Plan = gap, nil
	o.Canary.State.Steps, o.Now = o.Canary.State.Steps[:2], noon.Add(6*time.Minute)
	d := rollout.Next(o)
	if d.Reason != reason.UpdateGap || d.Hold != rollout.KeepHold || d.Routes.Weight != 10 || !strings.Contains(d.Message, gap) {
		t.Errorf("at the end: %s, hold %v, weight %d: %s", d.Reason, d.Hold, d.Routes.Weight, d.Message)
	}
	say(&o, "promote-full")
	if d := rollout.Next(o); d.Hold != rollout.Release {
		t.Errorf("a person accepts it: %s: %s", d.Reason, d.Message)
	}
	o.Canary, o.Traffic, o.Command = nil, rollout.Traffic{}, nil
	if d := rollout.Next(o); len(d.Notes) != 1 || d.Notes[0].Reason != reason.UpdateGap || d.Canary == nil {
		t.Errorf("at the beginning: %+v", d.Notes)
	}
}

// The pod template of the canary is remembered as it is first seen. A change of it
// ends the rollout.
func TestCanaryEdited(t *testing.T) {
	o := running()
	o.Canary.Template = "as made"
	d := rollout.Next(o)
	if d.Phase != spec.Progressing || d.Canary.State.CanaryTemplate != "as made" {
		t.Fatalf("%s: %s: %+v", d.Reason, d.Message, d.Canary)
	}
	o.Canary.State = d.Canary.State
	if d := rollout.Next(o); d.Phase != spec.Progressing {
		t.Errorf("unchanged: %s: %s", d.Reason, d.Message)
	}
	o.Canary.Template = "another"
	if d := rollout.Next(o); d.Reason != reason.CanaryEdited || d.Routes.Kind != rollout.NoRoutes {
		t.Errorf("edited: %s: %s", d.Reason, d.Message)
	}
}

// The webhook compares whole templates, and the fingerprint covers the fields that this
// program knows. So a template that differs only in another field has the same
// fingerprint and a hold of its own: its canary is made from the beginning.
func TestTheHoldTellsTemplatesApart(t *testing.T) {
	o := running()
	o.Stable.Hold = "9" // the canary is of rollout 7
	d := rollout.Next(o)
	if d.Reason != reason.Superseded || d.Canary.State.Mode != rollout.ModeRetiring || d.Routes.Kind != rollout.NoRoutes {
		t.Errorf("%s: %s: %+v, routes %+v", d.Reason, d.Message, d.Canary, d.Routes)
	}
	o.Canary, o.Traffic, o.Plan = nil, rollout.Traffic{}, nil
	if d := rollout.Next(o); d.Canary == nil || d.Canary.State.Rollout != "9" || d.Canary.State.Step != 0 {
		t.Errorf("after the canary of rollout 7: %s: %s: %+v", d.Reason, d.Message, d.Canary)
	}
}
