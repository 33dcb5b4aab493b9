package rollout_test

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// oracle knows what must hold after every write, whatever happens. It looks at
// the world, not at what Next says of it.
type oracle struct {
	w *world

	last   map[trial]judgement
	dead   map[trial]bool              // rolled back, or losing its traffic for bad news: its weight must never rise again
	full   map[trial]bool              // a person said promote-full
	open   map[gateAt]bool             // what the gates last said, since the traffic last rose
	jobs   map[string]rollout.JobPhase // of every run that was ever made
	scores map[string]string           // what each of them wrote
	skip   map[string]bool             // a person did not wait for it

	rules map[canaryOf]string // by which each canary was first measured

	written map[grant]time.Time // when it was first written to every canary Ingress

	ends    time.Time    // when the rollout must be over
	endsFor [objects]int // as of these versions

	released string // the template that Headgate released last

	foreign      bool      // somebody else writes conditions for kstatus
	orphaned     bool      // the traffic is for canary pods that somebody deleted
	trafficEnded time.Time // when the router last stopped sending to a canary
	reported     rollout.Note
	reportedAt   time.Time
	events       map[reason.Reason]int
	warnings     int
	patches      int // of the user's Deployment, its status aside
}

// trial is one template under one hold.
type trial struct{ rollout, template string }

// canaryOf is one canary: a rollout whose canary somebody deletes begins again.
type canaryOf struct {
	rollout string
	began   time.Time
}

// grant is traffic that a rollout gave to its canary, since it began for the last time.
type grant struct {
	trial
	losses int
	split
}

func grantOf(s rollout.State) grant { return grant{trialOf(s), s.Losses, splitOf(s)} }

type judgement struct {
	split
	verdict rollout.Verdict
}

type gateAt struct {
	trial
	point spec.GatePoint
}

func newOracle(w *world) oracle {
	return oracle{
		w: w, last: map[trial]judgement{}, dead: map[trial]bool{}, full: map[trial]bool{}, open: map[gateAt]bool{},
		jobs: map[string]rollout.JobPhase{}, scores: map[string]string{}, skip: map[string]bool{},
		written: map[grant]time.Time{}, events: map[reason.Reason]int{},
		rules: map[canaryOf]string{},
	}
}

func trialOf(s rollout.State) trial { return trial{s.Rollout, s.Template} }
func splitOf(s rollout.State) split { return split{s.Weight, s.Match} }

// measured: a window must not hold answers given under another weight.
func (k *oracle) measured(p *pass, v rollout.Verdict) {
	w, s := k.w, p.o.Canary.State
	k.last[trialOf(s)] = judgement{splitOf(s), v}
	if whole := w.inForceFrom.Add(p.o.Plan.Interval); !p.stale && (w.inForce != splitOf(s) || whole.After(w.now)) {
		w.fail("measured %s, but the router has sent %s and only since %s", splitOf(s), w.inForce, w.inForceFrom.Format(time.TimeOnly))
	}
	if p.o.Plan.NeedsTraffic && !splitOf(s).reaches() {
		w.fail("measured requests, and none come to the canary")
	}
}

// measuredBy: what a rollout began with counts, unless it stored nothing or cannot read it.
func (k *oracle) measuredBy(p *pass, rules string) {
	if p.o.Rules.Began == "" || p.o.Rules.BeganErr != nil {
		return
	}
	canary := canaryOf{p.o.Canary.State.Rollout, p.o.Canary.State.Began}
	if first, ok := k.rules[canary]; ok && first != rules {
		k.w.fail("rollout %s is measured by %s, and it began with %s", canary.rollout, rules, first)
	}
	k.rules[canary] = rules
}

// decided checks a decision before any of it is carried out.
func (k *oracle) decided(p *pass) {
	o, d := p.o, p.d
	switch {
	case !d.Again.IsZero() && !d.Again.After(o.Now):
		k.w.fail("Again %s is not in the future of %s: %+v", d.Again, o.Now, d)
	case d.Routes.Kind != rollout.NoRoutes && d.Canary == nil:
		k.w.fail("routes %+v without a canary", d.Routes)
	case d.Routes.Weight < 0 || d.Routes.Weight > 100:
		k.w.fail("weight %d", d.Routes.Weight)
	case d.Routes.Kind == rollout.SplitRoutes && !d.HoldScaleDown:
		k.w.fail("there are to be routes, and stable may be shrunk")
	case d.HoldScaleDown && d.Canary == nil:
		k.w.fail("nothing is rolled out, and stable may not be shrunk")
	case (d.Reason == "") != (d.Message == ""):
		k.w.fail("reason %q with message %q", d.Reason, d.Message)
	}
	k.heard(o)
	p.fatal = k.fatal(o)
	if p.fatal && d.Routes.Kind != rollout.NoRoutes {
		k.w.fail("a Fail, an abort or the deadline leaves routes %+v", d.Routes)
	}
}

// heard remembers what persons and gates said.
func (k *oracle) heard(o rollout.Observation) {
	held := trial{o.Stable.Hold, o.Stable.Template}
	if o.Gate != nil {
		k.open[gateAt{held, o.Gate.Point}] = o.Gate.Open
	}
	switch {
	case o.Command == nil || !aboutIt(o):
	case o.Command.Verb == spec.VerbPromoteFull:
		k.full[held] = true
		if o.Canary != nil && o.Canary.State.Mode == rollout.ModePromoting {
			k.full[trialOf(o.Canary.State)] = true // it ends the wait for the last pods
		}
	case o.Command.Verb == spec.VerbPromote && o.Canary != nil:
		k.skip[runOf(o.Canary.State, o.Canary.State.Step)] = true
	}
}

// runOf names the Job of a step.
func runOf(s rollout.State, step int) string {
	return fmt.Sprintf("%s-%d-%d", s.Rollout, step, s.Losses)
}

// ended checks a pass that was not killed: what it saw is on record, unless a write
// of the record itself failed.
func (k *oracle) ended(p *pass) {
	s := k.stored(k.w.seen.canary)
	if p.fatal && !p.failed["Deployment"] && !p.stale && s.Mode == rollout.ModeProgressing &&
		trialOf(s) == trialOf(p.o.Canary.State) {
		k.w.fail("a Fail, an abort or the deadline was seen, and is not on record: %+v", s)
	}
}

// fatal says whether the traffic must go with the very next write.
func (k *oracle) fatal(o rollout.Observation) bool {
	if o.Canary == nil || o.Canary.StateErr != nil || o.Canary.State.Mode != rollout.ModeProgressing {
		return false
	}
	s := o.Canary.State
	failed := o.Measurement != nil && o.Measurement.Verdict == rollout.Fail && s.Tally.Failures >= o.Plan.FailureLimit
	aborted := o.Command != nil && o.Command.Verb == spec.VerbAbort && aboutIt(o)
	full := o.Command != nil && o.Command.Verb == spec.VerbPromoteFull && aboutIt(o)
	return failed || aborted || !full && !end(s, o.Spec, o.SpecErr).After(o.Now)
}

// end is when a rollout that is still in its steps must be over.
func end(s rollout.State, asked spec.Spec, err error) time.Time {
	if err == nil && asked.RolloutDeadline > 0 {
		return s.Began.Add(asked.RolloutDeadline)
	}
	limit := 7 * 24 * time.Hour
	for _, s := range s.Steps {
		limit += s.Duration
	}
	return s.Began.Add(min(limit, 365*24*time.Hour))
}

// overdue: no rollout outlives its deadline while somebody could end it.
func (k *oracle) overdue() {
	w := k.w
	m := w.manager
	if m.pass != nil || m.failures > 0 || m.down.After(w.now) || m.due(w.now) || !w.seen.canary.exists {
		return
	}
	if k.endsFor != w.seen.version {
		k.endsFor, k.ends = w.seen.version, never
		if s, err := w.decode(w.seen.canary.state); err == nil && s.Mode == rollout.ModeProgressing {
			asked, err := spec.ParseSpec(w.stable().Annotations)
			k.ends = end(s, asked, err)
		}
	}
	if !k.ends.After(w.clock().Add(-w.forward)) { // it looks again in time, by the clock that nobody can set
		w.fail("a rollout that was to end at %s goes on", k.ends)
	}
}

func aboutIt(o rollout.Observation) bool {
	now := o.Stable.Hold
	if now == "" && o.Canary != nil { // released, and not over
		now = o.Canary.State.Rollout
	}
	return o.Command.Rollout == "" || o.Command.Rollout == now
}

// rests: with nothing left to write, no traffic goes where no pod is, no Job runs
// that nobody waits for, and stable may be shrunk if and only if nothing can come
// back to it.
func (k *oracle) rests() {
	w := k.w
	if w.seen.canary.available == 0 && w.written().reaches() {
		w.fail("%s stays although no canary pod is Available", w.written())
	}
	s := k.stored(w.seen.canary)
	for _, j := range w.jobs {
		if j.phase == rollout.JobActive && (s.Mode != rollout.ModeProgressing || j.run != runOf(s, s.Step)) {
			w.fail("Job %s runs on, at step %d of rollout %s, %s", j.run, s.Step, s.Rollout, s.Mode)
		}
	}
	held := w.scaler.held || w.scaler.demand == 0 || w.scaler.own
	k.gaugeIsTrue()
	k.kstatusIsTrue()
	if s.Mode == rollout.ModeRolledBack && w.written().reaches() {
		w.fail("rolled back, but the canary Ingresses carry %s", w.written())
	}
	switch busy := w.written().reaches() || w.inForce.reaches() && !k.orphaned; {
	case busy && !held:
		w.fail("an autoscaler may shrink stable while the canary has its traffic")
	case w.canary == nil && w.scaler.held && w.manager.again.IsZero(): // it stays held for a while if it would shrink at once
		w.fail("nothing is rolled out, and no autoscaler may shrink stable")
	}
}

// gaugeIsTrue: the weight that is exported is what the canary Ingresses say. What
// somebody edited may count as before.
func (k *oracle) gaugeIsTrue() {
	w := k.w
	if w.web.phase == "" {
		return
	}
	families, err := w.manager.metrics.Gather()
	must(err)
	for _, f := range families {
		if f.GetName() != "headgate_rollout_weight" || len(f.GetMetric()) == 0 {
			continue
		}
		is, written, recorded := int(f.GetMetric()[0].GetGauge().GetValue()), max(w.written().weight, 0), 0
		for _, r := range w.routes {
			recorded = max(recorded, r.recorded)
		}
		if is != written && is != max(written, recorded) {
			w.fail("the metric says weight %d, and %d is written", is, written)
		}
	}
}

// stored is the state in c, or none.
func (k *oracle) stored(c canarySeen) rollout.State {
	s, _ := k.w.decode(c.state) // what cannot be read is no state
	return s
}

// wrote checks one write of the manager.
func (k *oracle) wrote(p *pass, write apisim.Write, before, after snapshot) {
	obj := objectOf(write)
	if p.fatal && obj != routeObjects && widest(after.routes).reaches() && !p.failed["Ingress"] {
		k.w.fail("after a Fail or an abort something else was written first")
	}
	if p.fatal && obj == routeObjects && k.w.canary != nil {
		k.dead[trialOf(p.o.Canary.State)] = true // a kill may come before this is on record
	}
	switch obj {
	case routeObjects:
		was, is := widest(before.routes), widest(after.routes)
		for _, r := range before.routes {
			if r.rollout != "" && r.match == is.match {
				was.match = is.match // the other Ingress, put right first, matched something else
			}
		}
		k.wroteRoutes(p, was, is)
	case canaryObject:
		k.wroteCanary(p, before.canary, after.canary)
	case stableObject:
		k.wroteStable(p, before.stable, after.stable)
		if before.canary.state != after.canary.state && after.canary.exists {
			k.wroteCanary(p, before.canary, after.canary)
		}
	case podObjects:
		k.wrotePods(p, write, before.stable)
	case jobObjects:
		k.wroteJobs(before.jobs, after.jobs)
	case scalerObject:
		if !after.scaler.held && (k.w.written().reaches() || k.w.inForce.reaches() && !k.orphaned) {
			k.w.fail("an autoscaler may shrink stable again, while the canary has %s", k.w.inForce)
		}
	}
}

func (k *oracle) wroteRoutes(p *pass, before, after split) {
	s, routes := k.stored(k.w.seen.canary), k.w.routes
	if routes[0].split == splitOf(s) && routes[1].split == splitOf(s) && k.written[grantOf(s)].IsZero() {
		k.written[grantOf(s)] = k.w.now
	}
	if after.exceeds(before) && p.d.Routes.Kind == rollout.SplitRoutes {
		k.raised(p, before, after)
	}
	if after.weight < before.weight && before.weight > 0 {
		k.lowered(p, after.weight)
	}
}

// raised: no traffic but what was earned, to pods that can carry it.
func (k *oracle) raised(p *pass, was, is split) {
	w := k.w
	canary, scaler := w.seen.canary, w.seen.scaler
	if p.waited { // for a write that failed in between: no pass looks twice
		canary.available = max(canary.available, p.seen.canary.available)
	}
	s, err := w.decode(canary.state)
	returns := s.Mode == rollout.ModeReturning || s.Mode == rollout.ModeRetiring
	if returns && is.weight <= was.weight && is.match == s.Match {
		return // put back: what returns does so by weight
	}
	switch full := max(s.Baseline, w.seen.stable.Replicas, 1); {
	case err != nil:
		w.fail("traffic rises to %s without a state: %v", is, err)
	case k.dead[trialOf(s)], s.Mode != rollout.ModeProgressing && s.Mode != rollout.ModeAdopting && s.Mode != rollout.ModePromoting:
		w.fail("rollout %s is over, but its traffic rises to %s", s.Rollout, is)
	case canary.template != s.Template:
		w.fail("traffic rises to %s on pods of %s, not %s", is, canary.template, s.Template)
	case is.weight > was.weight && is.weight > s.Weight, is.match != was.match && !is.match.None() && is.match != s.Match:
		w.fail("traffic rises to %s, granted is %s", is, splitOf(s))
	case is.weight > was.weight && int32(is.weight)*full > 100*canary.available, canary.available == 0:
		w.fail("traffic rises to %s of %d pods' traffic, but %d canary pods are Available", is, full, canary.available)
	case scaler.demand > 0 && !scaler.own && !scaler.held:
		w.fail("traffic rises to %s, and an autoscaler may shrink stable", is)
	}
}

// wroteJobs: a Job is made once, for the step on record.
func (k *oracle) wroteJobs(before, after []job) {
	if len(after) < len(before) {
		return
	}
	made := after[len(after)-1]
	s := k.stored(k.w.seen.canary)
	_, again := k.jobs[made.run]
	if again || made.run != runOf(s, s.Step) || s.Mode != rollout.ModeProgressing || s.Paused || k.dead[trialOf(s)] {
		k.w.fail("Job %s is made at step %d of rollout %s, %s; made before: %v", made.run, s.Step, s.Rollout, s.Mode, again)
	}
	k.jobs[made.run] = made.phase
}

// lowered: while stable is being updated no traffic goes back before stable can
// take it, whatever the reason why it goes back.
func (k *oracle) lowered(p *pass, weight int) {
	o, stable := p.o, p.o.Stable
	if o.Canary == nil || o.Canary.StateErr != nil || o.Canary.Available == 0 {
		return
	}
	s := o.Canary.State
	if p.d.Canary != nil && p.d.Canary.State.Adopted && k.w.seen.stable.TemplateRuns {
		return // the pods that had the traffic are stable's
	}
	switch s.Mode {
	case rollout.ModeAdopting, rollout.ModePromoting, rollout.ModeReturning, rollout.ModeRetiring:
	default:
		return
	}
	superseded := !stable.OptedIn || s.Template != stable.Template || stable.Hold != "" && stable.Hold != s.Rollout
	if weight >= s.Weight && !superseded {
		return // somebody's higher weight is put right
	}
	all := max(s.Baseline, stable.Replicas, 1)
	if superseded || s.Mode == rollout.ModeRetiring {
		if all = stable.Replicas; all == 0 {
			return // scaled to 0: nothing is to serve
		}
		// The size it is meant to have: the next rollout does not wait for an autoscaler.
	}
	overdue := s.Mode != rollout.ModePromoting && !s.StepSince.Add(k.deadline(o)).After(o.Now)
	promotes := s.Mode == rollout.ModePromoting || s.Mode == rollout.ModeAdopting
	unreleased := stable.Hold == s.Rollout && !stable.RefusedSince.IsZero() // so stable is not being updated
	switch {
	case promotes && !superseded && !unreleased && !stable.Complete && !stable.Updated && !k.full[trialOf(s)]:
		k.w.fail("weight falls to %d before stable is complete", weight)
	case int32(100-max(weight, 0))*all > 125*stable.Available && s.Weight > 0 && !overdue:
		k.w.fail("weight falls to %d, but only %d of %d pods' worth of stable pods are Available", weight, stable.Available, all)
	}
}

func (k *oracle) deadline(o rollout.Observation) time.Duration {
	if o.SpecErr != nil {
		return 10 * time.Minute
	}
	return o.Spec.ProgressDeadline
}

func (k *oracle) wroteCanary(p *pass, before, after canarySeen) {
	ends := before.exists && !after.exists || after.replicas < before.replicas && after.available < before.available
	switch {
	case !ends:
	case !k.stored(before).Adopted: // else its pods stay
		k.shrunk()
	case k.w.inForce.reaches() || k.w.routed():
		k.w.fail("the canary goes while requests come through its Service")
	}
	if !after.exists {
		clear(k.jobs) // they go with it
		return
	}
	is, err := k.w.decode(after.state)
	if err != nil {
		k.w.fail("the state written cannot be read: %v\n%s", err, after.state)
	}
	was, err := k.w.decode(before.state)
	need := (int32(is.Weight)*max(is.Baseline, p.o.Stable.Replicas, 1) + 99) / 100
	switch known := before.exists && err == nil; {
	case !known && splitOf(is).reaches():
		k.w.fail("a rollout begins with %s", splitOf(is))
	case !before.exists && is.Mode == rollout.ModeProgressing:
		k.passedGate(p, is, spec.GateStart)
	case is.Mode == rollout.ModeProgressing && need > max(after.replicas, p.d.Canary.Replicas): // the size comes after the state
		k.w.fail("%d canary pods for weight %d", after.replicas, is.Weight)
	case k.dead[trialOf(is)] && is.Mode == rollout.ModeProgressing:
		k.w.fail("rollout %s goes on after its end", is.Rollout)
	case known && trialOf(is) != trialOf(was):
	case known && is.Tally.Failures < was.Tally.Failures:
		k.w.fail("failures were forgotten: %d after %d", is.Tally.Failures, was.Tally.Failures)
	}
	if before.exists && err == nil && trialOf(is) == trialOf(was) {
		k.wentOn(p, was, is)
	}
	if is.Mode == rollout.ModeRolledBack {
		k.dead[trialOf(is)] = true
	}
}

// wentOn: nothing is skipped on the way from was to is.
func (k *oracle) wentOn(p *pass, was, is rollout.State) {
	for i := was.Step; i < is.Step; i++ {
		run := runOf(is, i)
		if is.Steps[i].Kind == spec.RunJob && k.jobs[run] != rollout.JobSucceeded && !k.skip[run] {
			k.w.fail("step %d is over, but of Job %s is known: %q", i, run, k.jobs[run])
		}
		if is.Steps[i].Kind == spec.RunJob && !is.Steps[i].Result.IsZero() && k.scores[run] != goodScore && !k.skip[run] {
			k.w.fail("step %d is over, but Job %s wrote %q", i, run, k.scores[run])
		}
		k.waited(was, i)
		scale, pods := is.Steps[i].Scale, p.o.Canary.Available
		if pods < scale.Replicas || pods*100 < int32(scale.Percent)*max(is.Baseline, p.o.Stable.Replicas) {
			k.w.fail("step %d is over, but %d canary pods are Available for a scale of %s", i, pods, scale)
		}
	}
	if splitOf(is).exceeds(splitOf(was)) {
		k.granted(p, was, is)
	}
	if was.Mode == rollout.ModeProgressing && is.Mode == rollout.ModePromoting && !k.full[trialOf(is)] {
		k.passedGate(p, is, spec.GatePromotion)
	}
}

// waited: a wait counts from when its traffic was written, whatever came in between.
func (k *oracle) waited(s rollout.State, step int) {
	wait := s.Steps[step]
	if wait.Kind != spec.Wait || step == 0 || s.Steps[step-1].Kind != spec.SetWeight || !splitOf(s).reaches() || k.skip[runOf(s, step)] {
		return
	}
	const deciding = 5 * time.Second // from the decision to the write
	if since := k.written[grantOf(s)]; since.IsZero() || k.w.now.Sub(since)+k.w.forward < wait.Duration-deciding {
		k.w.fail("the wait of step %d is over, and %s was written at %s", step, splitOf(s), since.Format(time.TimeOnly))
	}
}

// granted: traffic is earned by a Pass on what was before, and the first by
// being the first.
func (k *oracle) granted(p *pass, was, is rollout.State) {
	k.passedGate(p, is, spec.GateRise)
	delete(k.open, gateAt{trialOf(is), spec.GateRise})
	at := 0 // the step that brings it
	for splitAt(is.Steps, at) != splitOf(is) {
		if at++; at == len(is.Steps) {
			k.w.fail("%s is granted, which no step brings", splitOf(is))
		}
	}
	switch from := splitOf(was); {
	case !from.reaches():
		for i := range at {
			if splitAt(is.Steps, i).reaches() {
				k.w.fail("the first traffic is %s, and step %d brings other", splitOf(is), i)
			}
		}
	case p.seen.stable.analysis && k.judged(is, at-1) && k.last[trialOf(is)] != judgement{from, rollout.Pass}:
		k.w.fail("%s was granted after %s, where the last verdict was %v", splitOf(is), from, k.last[trialOf(is)])
	}
}

// splitAt is what the steps up to one of them bring.
func splitAt(steps []spec.Step, at int) split {
	var s split
	for _, step := range steps[:at+1] {
		switch step.Kind {
		case spec.SetWeight:
			s.weight = step.Weight
		case spec.MatchHeader:
			s.match.Header, s.match.Value, s.match.Pattern = step.Match.Header, step.Match.Value, step.Match.Pattern
		case spec.MatchCookie:
			s.match.Cookie = step.Match.Cookie
		}
	}
	return s
}

// judged says whether what step brings must have a Pass before the next.
func (k *oracle) judged(s rollout.State, step int) bool {
	first := k.w.web.plan.StartingStep
	if s.Lead {
		first++
	}
	return step >= first || s.Steps[step].Kind == spec.RunAnalysis
}

// passedGate: what was asked last said yes.
func (k *oracle) passedGate(p *pass, s rollout.State, point spec.GatePoint) {
	here := p.o.Gate != nil && p.o.Gate.Point == point && p.o.Gate.Open
	if k.w.hasGate(point) && !here && !(point != spec.GateStart && k.open[gateAt{trialOf(s), point}]) {
		k.w.fail("the gate before %s did not open", point)
	}
}

// wrotePods: pods change their owner only after the last step, and the Deployment takes
// them when it needs no others. Pods that nobody takes outlive their traffic.
func (k *oracle) wrotePods(p *pass, write apisim.Write, stable stableSeen) {
	w, s := k.w, k.stored(k.w.seen.canary)
	held := trial{stable.Hold, stable.Template}
	switch {
	case w.canary == nil: // somebody deleted it, and its pods with it
		return
	case write.Kind == "Pod" && write.Verb == "delete":
		k.shrunk()
		return
	case write.Kind == "Pod" || write.Verb == "delete" && s.Mode != rollout.ModeAdopting:
		return
	case s.Mode != rollout.ModeAdopting && s.Mode != rollout.ModeProgressing: // the record is written before
		w.fail("%s of ReplicaSet %s in mode %s", write.Verb, write.Key.Name, s.Mode)
	}
	k.earned(p, held, stable)
	rs := apisim.Get[*appsv1.ReplicaSet](w.api, namespace, write.Key.Name)
	if write.Verb != "patch" || rs.Annotations[spec.AnnotationAdoptedBy] != "" {
		return
	}
	switch pods := w.podsOf(rs); {
	case versionOf(rs.Spec.Template) != w.web.template:
		w.fail("the Deployment gets a ReplicaSet of %s, and wants %s", versionOf(rs.Spec.Template), w.web.template)
	case replicaSet{pods: pods}.available(w.now) < w.web.replicas && !p.waited && !p.stale:
		w.fail("the Deployment gets %d pods, of which %d are Available, and wants %d",
			len(pods), replicaSet{pods: pods}.available(w.now), w.web.replicas)
	case w.inForce.weight == 100 || w.written().weight < 100:
	default:
		w.fail("old pods go at weight %d, before routers send nothing to them: %s in force", w.written().weight, w.inForce)
	}
}

// shrunk: canary pods outlive their traffic.
func (k *oracle) shrunk() {
	w := k.w
	switch {
	case w.routed():
		w.fail("canary pods go while canary routes exist")
	case !k.orphaned && w.inForce.reaches() || k.trafficEnded.Add(drain).After(w.now):
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
	if before.Hold != "" && after.Hold == "" {
		k.released = before.Template
	}
	promoted := after.Reason == reason.Promoted && before.message != after.message
	if promoted && after.Hold != "" && strings.HasPrefix(after.message, "rollout "+after.Hold+":") {
		k.w.fail("the condition says %q, and the template is still held", after.message)
	}
	if after.Reason == reason.BypassFound && before.Reason != after.Reason && k.released == after.Template {
		k.w.fail("%s went out without a canary, it says, but Headgate released it", after.Template)
	}
	if before.Hold == "" || after.Hold != "" || !before.OptedIn || before.TemplateRuns ||
		before.Replicas == 0 || !before.Runs || k.full[held] {
		return
	}
	if before.window != "" && before.RevisionsAgo > 0 && fmt.Sprint(before.RevisionsAgo) <= before.window {
		return
	}
	k.earned(p, held, before)
}

// earned: the steps are done, and the last verdict is a Pass.
func (k *oracle) earned(p *pass, held trial, before stableSeen) {
	if k.full[held] {
		return
	}
	if p.d.Canary == nil || trialOf(p.d.Canary.State) != held || p.d.Canary.State.Step != len(p.d.Canary.State.Steps) {
		k.w.fail("%v is released before its steps are done", held)
	}
	last := len(p.d.Canary.State.Steps) - 1
	top := splitAt(p.d.Canary.State.Steps, last)
	if before.analysis && top.reaches() && k.judged(p.d.Canary.State, last) && k.last[held] != (judgement{top, rollout.Pass}) {
		k.w.fail("%v is released, but the last verdict was %v", held, k.last[held])
	}
}

// event: nothing is reported twice, unless it happened twice. A person may give a
// command twice in a second, and another tenant take the preview host.
func (k *oracle) event(r reason.Reason, message string) {
	n := rollout.Note{Reason: r, Message: message}
	again := strings.HasPrefix(string(r), "Command") || r == reason.PreviewDropped
	behind := k.w.manager.pass != nil && k.w.manager.pass.stale // it may not see the condition of its predecessor
	if n == k.reported && !again && !behind && k.w.now.Sub(k.reportedAt) < time.Second {
		k.w.fail("reported twice: %s: %s", r, message)
	}
	k.reported, k.reportedAt = n, k.w.now
	k.events[r]++
	if r.Warning() {
		k.warnings++
	}
}
