package rollout_test

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// manager is when the next pass comes and what goes wrong in it.
type manager struct {
	dirty bool      // something was seen to change
	again time.Time // Decision.Again of the last pass
	down  time.Time // dead until then

	killAfter int           // so many writes; negative: never
	downFor   time.Duration // after a kill
	stale     [objects]int  // how many versions behind the next pass sees each object
	between   func()        // what happens in the middle of the next pass that writes
	slowUntil time.Time     // metrics and gates answer nothing before
	writes    int
}

// wakes is when the manager acts without being told of a change.
func (m manager) wakes(now time.Time) time.Time {
	switch {
	case m.down.After(now):
		return m.down
	case m.dirty:
		return now
	default:
		return m.again
	}
}

func (m manager) due(now time.Time) bool {
	return m.dirty || !m.again.IsZero() && !m.again.After(now)
}

// manage runs passes until one of them finds nothing to do.
func (w *world) manage() {
	m := &w.manager
	if m.down.After(w.now) || !m.due(w.now) {
		return
	}
	for range 20 {
		w.now = w.now.Add(20 * time.Millisecond)
		w.publish()
		m.dirty = false
		w.pass()
		if m.down.After(w.now) {
			return
		}
		if !m.dirty {
			w.oracle.rests()
			w.publish()
			return
		}
	}
	w.fail("the manager writes for ever")
}

// pass is one reconcile.
type pass struct {
	w    *world
	seen snapshot
	o    rollout.Observation
	d    rollout.Decision

	stale bool // the caches were behind
	fatal bool // a Fail, an abort or the deadline was seen: the traffic must go first
}

func (w *world) pass() {
	stale := w.manager.stale
	w.manager.stale = [objects]int{}
	p := pass{w: w, seen: w.look(stale)}
	p.stale = p.seen.version != w.seen.version
	p.o = w.observe(p.seen)
	p.d = rollout.Next(p.o)
	for n := 0; !p.d.Needs.None(); n++ {
		if n == 3 { // as many rounds as the controller has
			w.fail("the decision asks again for what was answered: %+v", p.d.Needs)
		}
		w.answerNeeds(&p)
		p.d = rollout.Next(p.o)
	}
	unchanged := w.observe(p.seen)
	unchanged.Measurement, unchanged.Job, unchanged.Gate, unchanged.Awaited = p.o.Measurement, p.o.Job, p.o.Gate, p.o.Awaited
	if !reflect.DeepEqual(p.o, unchanged) {
		w.fail("Next changed what it was given")
	}
	if again := rollout.Next(unchanged); !reflect.DeepEqual(p.d, again) {
		w.fail("the same observation led to two decisions:\n%+v\n%+v", p.d, again)
	}
	w.manager.again = p.d.Again
	if !p.o.Awaited.None() { // the answer comes then
		w.manager.again = rollout.Earliest(w.manager.again, w.manager.slowUntil)
	}
	w.manager.dirty = p.stale // the caches catch up
	w.oracle.decided(&p)
	p.apply()
}

// answerNeeds puts into the observation what the decision needs.
func (w *world) answerNeeds(p *pass) {
	needs := p.d.Needs
	slow := w.manager.slowUntil.After(w.now)
	switch {
	case needs.Measurement && slow:
		p.o.Awaited.Measurement = true
	case needs.Measurement:
		p.o.Measurement = w.measure(*p)
	}
	if needs.Job != nil {
		p.o.Job = w.jobStatus(p.seen, needs.Job)
	}
	switch {
	case needs.Gates != "" && slow:
		p.o.Awaited.Gates = needs.Gates
	case needs.Gates != "":
		p.o.Gate = w.answer(needs.Gates)
	}
}

// observe is what a snapshot means.
func (w *world) observe(s snapshot) rollout.Observation {
	o := rollout.Observation{
		Now: w.now, Settle: settle, Drain: drain,
		Stable: s.stable.Stable, Problem: w.problem,
	}
	o.Spec, o.SpecErr = spec.ParseSpec(s.stable.annotations())
	switch {
	case o.SpecErr != nil || !s.stable.analysis:
	case w.web.planErr != nil:
		o.PlanErr = w.web.planErr
	default:
		plan := w.web.plan
		o.Plan = &plan
	}
	target := s.stable.Hold
	if s.canary.exists {
		state, err := rollout.DecodeState(s.canary.state)
		o.Canary = &rollout.CanaryStatus{State: state, StateErr: err, Replicas: s.canary.replicas, Available: s.canary.available}
		if s.canary.available < s.canary.replicas {
			o.Canary.Trouble = w.trouble
		}
		target = cmp.Or(state.Rollout, target)
	}
	o.Traffic = s.routes.traffic(target)
	if text := s.stable.command; text != "" {
		c, err := spec.ParseCommand(text)
		if o.CommandErr = err; err == nil {
			o.Command = &c
		}
	}
	return o
}

func (s asked) annotations() map[string]string {
	a := map[string]string{spec.AnnotationSteps: s.steps}
	for key, text := range map[string]string{
		spec.AnnotationStrategy: s.strategy, spec.AnnotationProgressDeadline: s.deadline, spec.AnnotationGates: s.gates,
		spec.AnnotationRolloutDeadline: s.rolloutDeadline, spec.AnnotationRollbackWindow: s.window,
	} {
		if text != "" {
			a[key] = text
		}
	}
	if s.analysis {
		a[spec.AnnotationAnalysis] = "success-rate >= 99%"
	}
	return a
}

func (s routesSeen) traffic(target string) rollout.Traffic {
	names := []string{"one", "two"} // the stable Ingresses
	if s.routes == [2]route{} {
		return rollout.Traffic{Ingresses: names, WithoutCanary: names}
	}
	is := widest(s.routes)
	var without []string
	for i, r := range s.routes {
		if r.rollout == "" {
			without = append(without, names[i])
		}
	}
	t := rollout.Traffic{
		Ingresses: names, WithoutCanary: without, Routed: true,
		Weight: is.weight, Lowest: 100, Match: is.match, Since: s.since, Current: true,
	}
	for _, r := range s.routes {
		if r.rollout != "" {
			// What was written last may still be in force, whatever somebody made of it.
			t.Weight, t.Lowest, t.Highest = max(t.Weight, r.recorded), min(t.Lowest, r.weight), max(t.Highest, r.weight)
		}
	}
	for _, r := range s.routes {
		t.Current = t.Current && r == newRoute(target, split{t.Weight, t.Match})
	}
	return t
}

// measure asks the metrics.
func (w *world) measure(p pass) *rollout.Measurement {
	m := rollout.Measurement{Verdict: rollout.Pass, Message: "success-rate 99.9%, want >= 99%"}
	switch {
	case w.metricsDown:
		m = rollout.Measurement{Verdict: rollout.Error, Message: "prometheus: connection refused"}
	case w.verdicts[p.seen.canary.template] == rollout.Fail:
		m = rollout.Measurement{Verdict: rollout.Fail, Message: "success-rate 94.8%, want >= 99%"}
	case w.verdicts[p.seen.canary.template] == rollout.Inconclusive:
		m = rollout.Measurement{Verdict: rollout.Inconclusive, Message: "4 requests, want at least 10"}
	}
	w.oracle.measured(p, m.Verdict)
	return &m
}

// apply carries a decision out. Its order is the contract: traffic away, canary,
// what happened, no autoscaler, traffic, the Job, the user's Deployment, where the
// rollout is, autoscalers, canary away. It stops at the first write that fails;
// the next pass goes on from there.
func (p *pass) apply() {
	_ = p.lower() && p.keepCanary() && p.tellNotes() && p.holdScaleDown() && p.raise() && p.runJob() &&
		p.patchStable() && p.report() && p.freeScaleDown() && p.dropCanary()
}

// write makes one write: nothing if the manager has been killed, or if somebody
// else was faster.
func (p *pass) write(obj object, what string, change func()) bool {
	w, m := p.w, &p.w.manager
	if m.killAfter == 0 {
		m.killAfter, m.dirty = -1, true
		m.down = w.now.Add(m.downFor)
		w.say("fate", "kills the manager")
		return false
	}
	m.killAfter--
	if p.seen.version[obj] != w.seen.version[obj] {
		m.dirty = true
		return false
	}
	if what != "" {
		w.say("headgate", "%s", what)
	}
	before := w.seen
	change()
	w.publish()
	p.seen.version[obj] = w.seen.version[obj]
	m.writes++
	w.oracle.wrote(p, obj, before, w.seen)
	if happens := m.between; happens != nil {
		m.between = nil
		happens()
	}
	return true
}

func (p *pass) lower() bool {
	goal, reduced := p.d.Routes.Reduced(p.o.Traffic)
	switch {
	case !reduced:
		return true
	case goal.Kind == rollout.SplitRoutes:
		return p.setSplit(split{goal.Weight, goal.Match}, func() bool { return true })
	}
	for i, r := range p.seen.routes.routes {
		if r.rollout != "" && !p.setRoute(i, route{}) {
			return false
		}
	}
	return true
}

// raise looks again at what more traffic rests on.
func (p *pass) raise() bool {
	if p.d.Routes.Kind != rollout.SplitRoutes {
		return true
	}
	is, goal := split{p.o.Traffic.Weight, p.o.Traffic.Match}, split{p.d.Routes.Weight, p.d.Routes.Match}
	return p.setSplit(goal, func() bool {
		same := !goal.exceeds(is) || p.seen.version[stableObject] == p.w.seen.version[stableObject] &&
			p.seen.version[canaryObject] == p.w.seen.version[canaryObject]
		p.w.manager.dirty = p.w.manager.dirty || !same
		return same
	})
}

func (p *pass) setSplit(s split, still func() bool) bool {
	goal := newRoute(p.d.Canary.State.Rollout, s)
	for i, r := range p.seen.routes.routes {
		if r != goal && !(still() && p.setRoute(i, goal)) {
			return false
		}
	}
	return true
}

func (p *pass) setRoute(i int, r route) bool {
	what := fmt.Sprintf("canary Ingress %d: weight %s", i+1, strings.Replace(r.split.String(), "%", "", 1))
	if r == (route{}) {
		what = fmt.Sprintf("deletes canary Ingress %d", i+1)
	}
	p.seen.routes.routes[i] = r
	return p.write(routeObjects, what, func() {
		p.w.routes[i] = r
		p.w.routesChanged()
	})
}

func (p *pass) keepCanary() bool {
	if p.d.Canary == nil {
		return true
	}
	state, err := p.d.Canary.State.Encode()
	if err != nil {
		p.w.fail("%v", err)
	}
	now, want := p.seen.canary, p.d.Canary.Replicas
	var what string
	switch {
	case !now.exists:
		what = fmt.Sprintf("creates the canary: %s, size %d", p.o.Stable.Template, want)
	case now.replicas != want:
		what = fmt.Sprintf("scales the canary to %d", want)
	case now.state == state:
		return true
	}
	return p.write(canaryObject, what, func() {
		w := p.w
		if w.canary == nil {
			w.canary = &canaryDeployment{set: replicaSet{template: p.o.Stable.Template}}
		}
		w.canary.state = state
		w.resize(&w.canary.set, int(want))
	})
}

// patchStable is one patch of annotations and hold.
func (p *pass) patchStable() bool {
	want := p.seen.stable
	var what string
	want.Phase = p.d.Phase
	if p.d.TakeCommand {
		want.command = ""
	}
	switch {
	case p.d.Hold == rollout.Release && want.Hold != "":
		want.Hold, what = "", "releases "+want.Template
	case p.d.Hold == rollout.RenewHold:
		want.Hold = strconv.Itoa(want.generation + 1)
		what = fmt.Sprintf("holds %s anew as rollout %s", want.Template, want.Hold)
	case want.Phase != p.seen.stable.Phase:
		what = "phase " + cmp.Or(string(want.Phase), "removed")
	}
	if want == p.seen.stable {
		return true
	}
	return p.write(stableObject, what, func() {
		d := &p.w.web
		d.hold, d.phase, d.command = want.Hold, want.Phase, want.command
		if p.seen.stable.Hold != "" && want.Hold == "" {
			d.paused, d.progress = false, p.w.now
		}
		p.w.changed()
	})
}

func (p *pass) tellNotes() bool {
	for _, n := range p.d.Notes {
		p.event(n.Reason, n.Message)
	}
	return true
}

// report writes the condition, and an event with it.
func (p *pass) report() bool {
	d := p.d
	if d.Reason == "" || d.Reason == p.seen.stable.Reason && d.Message == p.seen.stable.message {
		return true
	}
	return p.write(stableObject, "", func() {
		p.w.web.reason, p.w.web.message = d.Reason, d.Message
		p.event(d.Reason, d.Message)
	})
}

func (p *pass) event(r reason.Reason, message string) {
	sign := ""
	if r.Warning() {
		sign = "! "
	}
	p.w.say("headgate", "%s%s: %s", sign, r, message)
	p.w.oracle.event(r, message)
}

func (p *pass) dropCanary() bool {
	if p.d.Canary != nil || !p.seen.canary.exists {
		return true
	}
	return p.write(canaryObject, "deletes the canary", func() { p.w.canary, p.w.jobs = nil, nil })
}
