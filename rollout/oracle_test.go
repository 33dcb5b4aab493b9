package rollout_test

import (
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
)

// oracle knows what must hold after every write, whatever happens. It looks at
// the world, not at what Next says of it.
type oracle struct {
	w *world

	last map[trial]judgement
	dead map[trial]bool // rolled back: its weight must never rise again
	full map[trial]bool // a person said promote-full

	orphaned     bool      // the traffic is for canary pods that somebody deleted
	trafficEnded time.Time // when the router last stopped sending to a canary
	reported     rollout.Note
	reportedAt   time.Time
	events       map[rollout.Reason]int
	warnings     int
	patches      int // of the user's Deployment, its status aside
}

// trial is one template under one hold.
type trial struct{ rollout, template string }

type judgement struct {
	weight  int
	verdict rollout.Verdict
}

func newOracle(w *world) oracle {
	return oracle{w: w, last: map[trial]judgement{}, dead: map[trial]bool{}, full: map[trial]bool{}, events: map[rollout.Reason]int{}}
}

func trialOf(s rollout.State) trial { return trial{s.Rollout, s.Template} }

// measured: a window must not hold answers given under another weight.
func (k *oracle) measured(p pass, v rollout.Verdict) {
	w, s := k.w, p.o.Canary.State
	k.last[trialOf(s)] = judgement{s.Weight, v}
	if whole := w.shareFrom.Add(p.o.Plan.Interval); !p.stale && (w.share != s.Weight || whole.After(w.now)) {
		w.fail("measured weight %d, but the router has sent %d%% and only since %s", s.Weight, w.share, w.shareFrom.Format(time.TimeOnly))
	}
}

// decided checks a decision before any of it is carried out.
func (k *oracle) decided(p *pass) {
	o, d := p.o, p.d
	switch {
	case !d.Again.IsZero() && !d.Again.After(o.Now):
		k.w.fail("Again %s is not in the future of %s: %+v", d.Again, o.Now, d)
	case d.Weight >= 0 && d.Canary == nil:
		k.w.fail("weight %d without a canary", d.Weight)
	case d.Weight < rollout.KeepRoutes || d.Weight > 100:
		k.w.fail("weight %d", d.Weight)
	case (d.Reason == "") != (d.Message == ""):
		k.w.fail("reason %q with message %q", d.Reason, d.Message)
	}
	if o.Command != nil && o.Command.Verb == rollout.VerbPromoteFull && aboutIt(o) {
		k.full[trial{o.Stable.Hold, o.Stable.Template}] = true
	}
	p.fatal = k.fatal(o)
	if p.fatal && d.Weight > 0 {
		k.w.fail("a Fail or an abort leaves weight %d", d.Weight)
	}
}

// fatal says whether the traffic must go with the very next write.
func (k *oracle) fatal(o rollout.Observation) bool {
	if o.Canary == nil || o.Canary.StateErr != nil || o.Canary.State.Stage != rollout.StageProgressing {
		return false
	}
	s := o.Canary.State
	failed := o.Measurement != nil && o.Measurement.Verdict == rollout.Fail && s.Tally.Failures >= o.Plan.FailureLimit
	aborted := o.Command != nil && o.Command.Verb == rollout.VerbAbort && aboutIt(o)
	return failed || aborted
}

func aboutIt(o rollout.Observation) bool {
	return o.Command.Rollout == "" || o.Command.Rollout == o.Stable.Hold
}

// rests: with nothing left to write, no traffic goes where no pod is.
func (k *oracle) rests() {
	if c := k.w.seen.canary; c.available == 0 && k.w.written() > 0 {
		k.w.fail("weight %d stays although no canary pod is Available", k.w.written())
	}
}

// wrote checks one write of the manager.
func (k *oracle) wrote(p *pass, obj object, before, after snapshot) {
	if p.fatal && obj != routeObjects && maxWeight(after.routes.routes) > 0 {
		k.w.fail("after a Fail or an abort something else was written first")
	}
	switch obj {
	case routeObjects:
		k.wroteRoutes(p, maxWeight(before.routes.routes), maxWeight(after.routes.routes))
	case canaryObject:
		k.wroteCanary(p, before.canary, after.canary)
	case stableObject:
		k.wroteStable(p, before.stable, after.stable)
	}
}

func (k *oracle) wroteRoutes(p *pass, before, after int) {
	switch {
	case after > max(before, 0):
		k.raised(after)
	case after < before && before > 0:
		k.lowered(p, after)
	}
}

// raised: no weight but one that was earned, on pods that can carry it.
func (k *oracle) raised(weight int) {
	w := k.w
	canary := w.seen.canary
	s, err := rollout.DecodeState(canary.state)
	switch full := max(s.Baseline, w.seen.stable.Replicas, 1); {
	case err != nil:
		w.fail("weight rises to %d without a state: %v", weight, err)
	case k.dead[trialOf(s)], s.Stage != rollout.StageProgressing && s.Stage != rollout.StagePromoting:
		w.fail("rollout %s is over, but its weight rises to %d", s.Rollout, weight)
	case canary.template != s.Template:
		w.fail("weight rises to %d on pods of %s, not %s", weight, canary.template, s.Template)
	case weight > s.Weight:
		w.fail("weight rises to %d, granted is %d", weight, s.Weight)
	case int32(weight)*full > 100*canary.available:
		w.fail("weight rises to %d of %d pods' traffic, but %d canary pods are Available", weight, full, canary.available)
	}
}

// lowered: a promotion gives no traffic back before stable can take it.
func (k *oracle) lowered(p *pass, weight int) {
	o, stable := p.o, p.o.Stable
	if o.Canary == nil || o.Canary.StateErr != nil || o.Canary.Available == 0 {
		return
	}
	s := o.Canary.State
	promoting := s.Stage == rollout.StagePromoting || s.Stage == rollout.StageReturning
	superseded := !stable.OptedIn || s.Template != stable.Template || stable.Hold != "" && stable.Hold != s.Rollout
	if !promoting || superseded || s.Stage == rollout.StagePromoting && weight >= s.Weight {
		return
	}
	full := max(s.Baseline, stable.Replicas, 1)
	overdue := s.Stage == rollout.StageReturning && !s.StepSince.Add(k.deadline(o)).After(o.Now)
	switch {
	case s.Stage == rollout.StagePromoting && !stable.Complete:
		k.w.fail("weight falls to %d before stable is complete", weight)
	case int32(100-max(weight, 0))*full > 125*stable.Available && !overdue:
		k.w.fail("weight falls to %d, but only %d of %d pods' worth of stable pods are Available", weight, stable.Available, full)
	}
}

func (k *oracle) deadline(o rollout.Observation) time.Duration {
	if o.SpecErr != nil {
		return 10 * time.Minute
	}
	return o.Spec.ProgressDeadline
}

func (k *oracle) wroteCanary(p *pass, before, after canarySeen) {
	if after.replicas < before.replicas || before.exists && !after.exists {
		k.shrunk()
	}
	if !after.exists {
		return
	}
	is, err := rollout.DecodeState(after.state)
	if err != nil {
		k.w.fail("the state written cannot be read: %v\n%s", err, after.state)
	}
	was, err := rollout.DecodeState(before.state)
	switch known := before.exists && err == nil; {
	case !known && is.Weight > 0:
		k.w.fail("a rollout begins with weight %d", is.Weight)
	case k.dead[trialOf(is)] && is.Stage == rollout.StageProgressing:
		k.w.fail("rollout %s goes on after its end", is.Rollout)
	case known && is.Weight > was.Weight:
		k.granted(p, was, is)
	case known && is.Tally.Failures < was.Tally.Failures:
		k.w.fail("failures were forgotten: %d after %d", is.Tally.Failures, was.Tally.Failures)
	}
	if is.Stage == rollout.StageRolledBack {
		k.dead[trialOf(is)] = true
	}
}

// granted: a weight is earned by a Pass on the one before, and the first by
// being the first.
func (k *oracle) granted(p *pass, was, is rollout.State) {
	switch {
	case was.Weight == 0:
		if first := firstWeight(is.Steps); is.Weight != first {
			k.w.fail("the first weight is %d, not %d", is.Weight, first)
		}
	case p.seen.stable.analysis && k.last[trialOf(is)] != judgement{was.Weight, rollout.Pass}:
		k.w.fail("weight %d was granted after %d, where the last verdict was %v", is.Weight, was.Weight, k.last[trialOf(is)])
	}
}

func firstWeight(steps []rollout.Step) int {
	for _, s := range steps {
		if s.Kind == rollout.SetWeight && s.Weight > 0 {
			return s.Weight
		}
	}
	return 0
}

// shrunk: canary pods outlive their traffic.
func (k *oracle) shrunk() {
	w := k.w
	switch {
	case w.routed():
		w.fail("canary pods go while canary routes exist")
	case !k.orphaned && w.share > 0 || k.trafficEnded.Add(drain).After(w.now):
		w.fail("canary pods go while requests reach them; traffic ended %s", k.trafficEnded.Format(time.TimeOnly))
	}
}

// wroteStable: nothing is released that was not earned.
func (k *oracle) wroteStable(p *pass, before, after stableSeen) {
	if before.Template != after.Template || before.Replicas != after.Replicas || before.strategy != after.strategy {
		k.w.fail("the user's own fields were written")
	}
	k.patches += after.generation - before.generation
	held := trial{before.Hold, before.Template}
	if before.Hold == "" || after.Hold != "" || !before.OptedIn || before.TemplateRuns || before.Replicas == 0 || !before.Runs || k.full[held] {
		return
	}
	if p.d.Canary == nil || trialOf(p.d.Canary.State) != held || p.d.Canary.State.Step != len(p.d.Canary.State.Steps) {
		k.w.fail("%v is released before its steps are done", held)
	}
	top := 0
	for _, step := range p.d.Canary.State.Steps {
		top = max(top, step.Weight)
	}
	if before.analysis && top > 0 && k.last[held] != (judgement{top, rollout.Pass}) {
		k.w.fail("%v is released, but the last verdict was %v", held, k.last[held])
	}
}

// event: nothing is reported twice.
func (k *oracle) event(r rollout.Reason, message string) {
	n := rollout.Note{Reason: r, Message: message}
	byPerson := strings.HasPrefix(string(r), "Command")
	if n == k.reported && !byPerson && k.w.now.Sub(k.reportedAt) < time.Second {
		k.w.fail("reported twice: %s: %s", r, message)
	}
	k.reported, k.reportedAt = n, k.w.now
	k.events[r]++
	if r.Warning() {
		k.warnings++
	}
}
