package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Whatever is observed, also what no cluster ever shows, there is a decision at
// once: one that can be carried out, stored and read back.
func TestNextDecidesWhateverItSees(t *testing.T) {
	check(t, 5000, func(t *rapid.T) {
		o := drawObservation(t)
		decided := make(chan rollout.Decision, 1)
		go func() { decided <- rollout.Next(o.Observation) }()
		select {
		case d := <-decided:
			o.sound(t, d)
		case <-time.After(30 * time.Second):
			t.Fatalf("Next goes on for ever: %+v", o.Observation)
		}
	})
}

type anything struct{ rollout.Observation }

func (o anything) sound(t *rapid.T, d rollout.Decision) {
	switch {
	case !d.Again.IsZero() && !d.Again.After(o.Now):
		t.Fatalf("again at %s, and it is %s", d.Again, o.Now)
	case d.Routes.Weight > 100 || d.Routes.Weight < 0:
		t.Fatalf("weight %d", d.Routes.Weight)
	case d.Routes.Kind != rollout.NoRoutes && (d.Canary == nil || !d.HoldScaleDown):
		t.Fatalf("routes, but canary %v, scale-down held %v", d.Canary, d.HoldScaleDown)
	case (d.Reason == "") != (d.Message == ""):
		t.Fatalf("%q: %q", d.Reason, d.Message)
	case d.Job != nil && (d.Canary == nil || d.Canary.State.Mode != rollout.ModeProgressing):
		t.Fatalf("a Job, but %+v", d.Canary)
	case d.Needs.Gates != "" && !slices.ContainsFunc(o.Spec.Gates, func(g spec.Gate) bool { return g.Before == d.Needs.Gates }):
		t.Fatalf("asks %q, and there is no such gate", d.Needs.Gates)
	case d.Needs.Gates != "" && o.Gate != nil && o.Gate.Point == d.Needs.Gates && o.Gate.Open:
		t.Fatalf("asks again what was answered: %q", d.Needs.Gates)
	}
	if d.Canary == nil {
		return
	}
	text, err := d.Canary.State.Encode()
	if err == nil {
		_, err = rollout.DecodeState(text)
	}
	if err != nil {
		t.Fatalf("what is decided cannot be read back: %v\n%s\nfrom %+v", err, text, o.Canary)
	}
}

func drawObservation(t *rapid.T) anything {
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	pods := rapid.Int32Range(0, 5)
	now := noon.Add(time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "now")))
	o := anything{rollout.Observation{Now: now, Settle: settle, Drain: drain}}
	o.Stable = rollout.Stable{
		Name: "web", OptedIn: rapid.IntRange(0, 9).Draw(t, "opted out") > 0, Hold: rapid.SampledFrom([]string{"7", "", "8"}).Draw(t, "hold"),
		Template: "v2", Replicas: pods.Draw(t, "replicas"), Available: pods.Draw(t, "available"),
		Runs: flag("runs"), TemplateRuns: rapid.IntRange(0, 9).Draw(t,
			"template runs") == 0, RevisionsAgo: rapid.IntRange(0, 3).Draw(t, "revisions ago"),
		Complete: flag("complete"), Rolling: flag("rolling"), Stalled: flag("stalled"),
		Phase: rapid.SampledFrom([]spec.Phase{spec.Progressing, "", spec.RolledBack}).Draw(t, "phase"),
	}
	o.Spec = spec.Spec{
		Strategy: rapid.SampledFrom([]spec.Strategy{spec.Canary, spec.BlueGreen}).Draw(t, "strategy"), Steps: drawSteps(t),
		RolloutDeadline: rapid.SampledFrom([]time.Duration{0, time.Hour, 8000 * time.Hour}).Draw(t, "deadline"),
		RollbackWindow:  rapid.IntRange(0, 2).Draw(t, "window"),
	}
	for _, point := range []spec.GatePoint{spec.GateStart, spec.GateRise, spec.GatePromotion} {
		if flag(string(point)) {
			o.Spec.Gates = append(o.Spec.Gates, spec.Gate{Before: point})
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "spec error") == 0 {
		o.Spec, o.SpecErr = spec.Spec{}, errDamaged
	}
	if flag("has a canary") {
		s := drawState(t)
		s.Rollout = rapid.SampledFrom([]string{"7", "7", "8"}).Draw(t, "of rollout")
		s.Template = rapid.SampledFrom([]string{"v2", "v2", "v3"}).Draw(t, "of template")
		if s.Mode == rollout.ModeRolledBack || s.Mode == rollout.ModeRetiring {
			s.Why = reason.AnalysisFailed
		}
		o.Canary = &rollout.CanaryStatus{State: s, Replicas: pods.Draw(t, "canary replicas"), Available: pods.Draw(t, "canary available")}
	}
	o.drawAround(t, now)
	return o
}

// drawAround draws what routers, metrics, gates, Jobs and persons say.
func (o *anything) drawAround(t *rapid.T, now time.Time) {
	one := func(name string, of int) bool { return rapid.IntRange(1, of).Draw(t, name) == 1 }
	if one("routed", 2) {
		o.Traffic = rollout.Traffic{
			Routed: true, Weight: rapid.SampledFrom([]int{0, 10, 100}).Draw(t, "written"), Current: one("current", 2), Since: now.Add(-time.Minute),
		}
		if o.Canary != nil && one("as granted", 2) {
			o.Traffic.Weight, o.Traffic.Match, o.Traffic.Current = o.Canary.State.Weight, o.Canary.State.Match, true
		}
	}
	if one("a problem", 5) {
		o.Problem = &rollout.Problem{Reason: reason.NoService, Message: "none"}
	}
	if one("a plan", 2) {
		o.Plan = &rollout.AnalysisPlan{
			Interval: time.Minute, StartingStep: rapid.IntRange(0, 9).Draw(t, "starting step"), NeedsTraffic: one("needs traffic", 2),
		}
	} else if one("a plan that cannot be read", 5) {
		o.PlanErr = errDamaged
	}
	if rollout.Next(o.Observation).Needs.Measurement {
		o.Measurement = &rollout.Measurement{
			Verdict: rapid.SampledFrom([]rollout.Verdict{rollout.Pass, rollout.Fail, rollout.Error}).Draw(t, "verdict"), Message: "as measured",
		}
	}
	if due := rollout.Next(o.Observation).Needs.Job; due != nil && one("a Job", 2) {
		phase := rapid.SampledFrom([]rollout.JobPhase{
			rollout.JobSucceeded, rollout.JobMissing, rollout.JobUnmakable, rollout.JobActive, rollout.JobFailedPhase,
		})
		number := rapid.SampledFrom([]float64{0.71, 0.93}).Draw(t, "result of the Job")
		o.Job = &rollout.JobStatus{
			Run: due.Run, Phase: phase.Draw(t, "phase of the Job"), Message: "as it is", Result: rollout.JobResult{Number: number},
		}
	}
	verbs := []string{"", "", "promote", "promote-full", "pause", "resume", "abort", "retry"}
	if verb := rapid.SampledFrom(verbs).Draw(t, "command"); verb != "" {
		o.Command = &spec.Command{Verb: verb}
	}
	if point := rollout.Next(o.Observation).Needs.Gates; point != "" && one("answered", 2) {
		o.Gate = &rollout.GateAnswer{Point: point, Open: one("open", 2), Message: fmt.Sprint("as it is before ", point)}
	}
}
