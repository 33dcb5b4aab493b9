package rollout_test

import (
	"testing"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// measuring is running() while its measurement is being taken. The wait of the step
// is over and the last verdict is a Pass, so only that measurement is missing.
func measuring() rollout.Observation {
	o := running()
	o.Now = noon.Add(5 * time.Minute)
	o.Canary.State.Tally = rollout.Tally{Last: rollout.Pass, At: noon.Add(4 * time.Minute)}
	o.Stable.Phase, o.Stable.Reason = spec.Progressing, reason.Waiting
	o.Awaited.Measurement = true
	return o
}

func TestNothingRisesWhileAMeasurementIsTaken(t *testing.T) {
	o := measuring()
	d := rollout.Next(o)
	if !d.Needs.None() || d.Reason != "" || len(d.Notes) > 0 {
		t.Errorf("it asks for %+v and says %s %q, %v; want nothing new", d.Needs, d.Reason, d.Message, d.Notes)
	}
	if d.Routes.Weight != 10 || d.Canary == nil || d.Canary.State.Step != 1 || d.Phase != spec.Progressing {
		t.Errorf("it does not stay where it is: %+v", d)
	}
	if !d.Again.After(o.Now.Add(time.Second)) {
		t.Errorf("it looks again at %s, before there can be an answer", d.Again)
	}
	o.Stable.Phase = spec.Paused
	if d = rollout.Next(o); d.Phase != spec.Paused {
		t.Errorf("a pause becomes %s while its measurement is taken", d.Phase)
	}
	o.Awaited, o.Measurement = rollout.Needs{}, &rollout.Measurement{Verdict: rollout.Pass}
	if d = rollout.Next(o); d.Canary.State.Step != 2 {
		t.Errorf("after the answer it is at %+v", d.Canary.State)
	}
}

func TestUrgentRulesDoNotWaitForAMeasurement(t *testing.T) {
	command := func(verb string) func(*rollout.Observation) {
		return func(o *rollout.Observation) { o.Command = &spec.Command{Verb: verb} }
	}
	for name, tt := range map[string]struct {
		change func(*rollout.Observation)
		want   reason.Reason
	}{
		"an abort": {command(spec.VerbAbort), reason.AbortedByCommand},
		"the deadline of the rollout": {func(o *rollout.Observation) {
			o.Spec.RolloutDeadline = time.Minute
		}, reason.RolloutDeadlineExceeded},
		"a deleted route":  {func(o *rollout.Observation) { o.Traffic = rollout.Traffic{} }, reason.CanaryRoutesDeleted},
		"a scale to zero":  {func(o *rollout.Observation) { o.Stable.Replicas = 0 }, reason.ScaledToZero},
		"an edited canary": {func(o *rollout.Observation) { o.Canary.Template, o.Canary.State.CanaryTemplate = "x", "y" }, reason.CanaryEdited},
	} {
		t.Run(name, func(t *testing.T) {
			o := measuring()
			tt.change(&o)
			d := rollout.Next(o)
			if traffic := d.Routes.Kind == rollout.SplitRoutes && d.Routes.Weight > 0; d.Reason != tt.want || d.Phase != spec.RolledBack || traffic {
				t.Errorf("it decides %s, phase %s, routes %+v; want %s and no traffic", d.Reason, d.Phase, d.Routes, tt.want)
			}
		})
	}
	o := measuring()
	command(spec.VerbPause)(&o)
	if d := rollout.Next(o); !d.Canary.State.Paused || !d.TakeCommand {
		t.Errorf("a pause waits for the measurement: %+v", d)
	}
	o = measuring()
	o.Canary.Available = 0
	if d := rollout.Next(o); d.Routes.Weight != 0 {
		t.Errorf("a lost canary keeps weight %d", d.Routes.Weight)
	}
}

// A command that moves traffic to the canary waits for a verdict that may be a Fail. It
// is neither refused nor lost.
func TestPromoteWaitsForTheMeasurement(t *testing.T) {
	for _, verb := range []string{spec.VerbPromote, spec.VerbPromoteFull} {
		o := measuring()
		o.Command = &spec.Command{Verb: verb}
		if d := rollout.Next(o); d.TakeCommand || d.Canary.State.CommandTaken != "" || len(d.Notes) > 0 || d.Routes.Weight != 10 {
			t.Errorf("%s does not wait: taken %v, %+v", verb, d.TakeCommand, d)
		}
		o.Awaited, o.Measurement = rollout.Needs{}, &rollout.Measurement{Verdict: rollout.Pass}
		if d := rollout.Next(o); !d.TakeCommand {
			t.Errorf("%s is not taken after the answer", verb)
		}
	}
}

func TestNothingIsSaidWhileAGateIsAsked(t *testing.T) {
	gates := []spec.Gate{{Before: spec.GateStart, URL: "https://gate.example.com"}, {Before: spec.GateRise, URL: "https://gate.example.com"}}
	before := running()
	before.Canary, before.Traffic, before.Plan, before.Spec.Gates = nil, rollout.Traffic{}, nil, gates
	rise := running()
	rise.Now, rise.Plan, rise.Spec.Gates = noon.Add(5*time.Minute), nil, gates
	rise.Stable.Phase = spec.Progressing
	for name, tt := range map[string]struct {
		o     rollout.Observation
		point spec.GatePoint
		phase spec.Phase
	}{
		"the start": {before, spec.GateStart, spec.Pending},
		"a rise":    {rise, spec.GateRise, spec.Progressing},
	} {
		t.Run(name, func(t *testing.T) {
			o := tt.o
			if d := rollout.Next(o); d.Needs.Gates != tt.point {
				t.Fatalf("it needs %+v", d.Needs)
			}
			o.Awaited.Gates = tt.point
			d := rollout.Next(o)
			if !d.Needs.None() || d.Reason != "" || d.Phase != tt.phase || d.Routes.Weight != o.Traffic.Weight {
				t.Errorf("meanwhile it needs %+v, says %s, phase %s, weight %d", d.Needs, d.Reason, d.Phase, d.Routes.Weight)
			}
			o.Awaited, o.Gate = rollout.Needs{}, &rollout.GateAnswer{Point: tt.point, Message: "closed"}
			if d = rollout.Next(o); d.Reason != reason.AwaitingGate {
				t.Errorf("a closed gate is %s", d.Reason)
			}
		})
	}
}
