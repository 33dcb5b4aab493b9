package rollout_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

const (
	settle = 5 * time.Second
	drain  = 10 * time.Second

	startup    = 3 * time.Second  // of a pod, until it is Available
	stallAfter = 60 * time.Second // the Deployment's own progressDeadlineSeconds
)

var (
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	never = noon.AddDate(1000, 0, 0)
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a cluster with one Deployment in it, and with everybody who touches
// it: persons, the webhook, the Deployment controller, pods, the router in front
// of them, the metrics, and the manager, which carries out what rollout.Next
// decides. It is the cheapest thing in which an ordering can go wrong.
type world struct {
	t     failer
	now   time.Time
	start time.Time
	log   strings.Builder

	web    deployment
	canary *canaryDeployment
	routes [2]route // the canary Ingresses of two stable ones
	since  time.Time
	jobs   []job
	scaler autoscaler

	// inForce is what traffic meets. Routers act on what is written some time
	// later, at syncAt.
	inForce     split
	syncAt      time.Time
	inForceFrom time.Time
	lag         time.Duration

	broken       map[string]bool // templates whose pods never become Available
	verdicts     map[string]rollout.Verdict
	metricsDown  bool
	problem      *rollout.Problem
	noPreview    *rollout.Problem
	webhookDown  bool
	closed       map[spec.GatePoint]bool // the gates that say no
	trouble      string                  // what Kubernetes says of canary pods that are missing
	noCronJob    bool
	jobsFail     bool
	controllerAt time.Time

	manager manager
	seen    snapshot
	past    []snapshot
	oracle  oracle
}

// deployment is the user's.
type deployment struct {
	template   string
	replicas   int
	paused     bool
	hold       string
	phase      spec.Phase
	command    string
	generation int
	observed   int // generation that the Deployment controller has acted on

	asked
	plan    rollout.AnalysisPlan
	planErr error

	reason   reason.Reason
	message  string
	sets     []replicaSet // oldest first
	progress time.Time
}

// asked is what the user wrote: the annotations, and whether there is one that
// says what to measure.
type asked struct {
	strategy, steps, deadline, rolloutDeadline, gates, window string
	analysis                                                  bool
}

// replicaSet is a template and its pods: when each becomes Available.
type replicaSet struct {
	template string
	pods     []time.Time
}

type canaryDeployment struct {
	state string
	set   replicaSet
}

// route is a canary Ingress. One without a rollout does not exist.
type route struct {
	rollout string
	split
	recorded int // the weight that Headgate wrote last
}

func newRoute(rollout string, s split) route { return route{rollout, s, s.weight} }

// split is which requests come to the canary: so many of a hundred, and those
// that match.
type split struct {
	weight int
	match  spec.Match
}

// unrouted is what no canary Ingress carries.
var unrouted = split{weight: -1}

// reaches says whether requests come to the canary.
func (s split) reaches() bool { return s.weight > 0 || !s.match.None() }

// exceeds says whether some request comes to the canary that would not under was.
func (s split) exceeds(was split) bool {
	return s.weight > max(was.weight, 0) || s.match != was.match && !s.match.None()
}

func (s split) String() string {
	text := fmt.Sprintf("%d%%", max(s.weight, 0))
	for _, part := range []struct{ before, value string }{
		{" and header ", s.match.Header}, {":", s.match.Value}, {"~", s.match.Pattern}, {" and cookie ", s.match.Cookie},
	} {
		if part.value != "" {
			text += part.before + part.value
		}
	}
	return text
}

// newWorld has v1 running with 4 pods, opted in.
func newWorld(t failer, steps string) *world {
	w := &world{
		t: t, now: noon, start: noon, lag: 3 * time.Second,
		broken: map[string]bool{}, verdicts: map[string]rollout.Verdict{}, closed: map[spec.GatePoint]bool{},
		web: deployment{
			template: "v1", replicas: 4, generation: 1, observed: 1, progress: noon,
			asked: asked{strategy: "canary", steps: steps}, plan: rollout.AnalysisPlan{Interval: 30 * time.Second},
			sets: []replicaSet{{template: "v1", pods: make([]time.Time, 4)}},
		},
		inForce: unrouted,
		manager: manager{dirty: true, killAfter: -1},
	}
	w.oracle = newOracle(w)
	w.run(time.Second)
	w.start = w.now
	w.log.Reset()
	return w
}

func (w *world) say(who, format string, args ...any) {
	at := w.now.Sub(w.start)
	fmt.Fprintf(&w.log, "%02d:%02d  %-9s %s\n", int(at.Minutes()), int(at.Seconds())%60, who, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), w.log.String())
}

// changed is a write to the user's Deployment: its controller acts a second
// later.
func (w *world) changed() {
	w.web.generation++
	w.wake(time.Second)
	w.publish()
}

func (w *world) wake(in time.Duration) {
	if at := w.now.Add(in); w.controllerAt.IsZero() || at.Before(w.controllerAt) {
		w.controllerAt = at
	}
}

// apply is a person, or git, with a new template, and the webhook's answer to it.
func (w *world) apply(template string) {
	if template == w.web.template {
		return
	}
	w.say("person", "applies %s", template)
	w.web.template, w.web.progress = template, w.now
	switch {
	case w.web.strategy == "" || w.webhookDown:
	case w.web.replicas == 0 && w.web.hold == "":
		w.say("webhook", "lets it through: replicas is 0")
	default:
		w.web.hold = strconv.Itoa(w.web.generation + 1)
		w.web.paused, w.web.phase = true, spec.Pending
		w.say("webhook", "holds %s as rollout %s", template, w.web.hold)
	}
	delete(w.oracle.dead, trial{w.web.hold, template}) // applied anew under an old name: no webhook gave it one
	w.changed()
}

func (w *world) scale(replicas int) {
	if replicas == w.web.replicas {
		return
	}
	w.say("person", "scales to %d", replicas)
	w.web.replicas = replicas
	w.changed()
}

func (w *world) command(text string) {
	w.say("person", "says %s", text)
	w.web.command = text
	w.changed()
}

func (w *world) optInOrOut() {
	if w.web.strategy == "" {
		w.say("person", "opts in again")
		w.web.strategy = "canary"
		w.changed()
		return
	}
	w.say("person", "removes the opt-in")
	w.web.strategy = ""
	if !w.webhookDown && w.web.hold != "" {
		w.say("webhook", "releases %s", w.web.template)
		w.web.hold, w.web.paused, w.web.phase, w.web.progress = "", false, "", w.now
	}
	w.changed()
}

const wrongSteps = "ten percent"

func (w *world) breakOrMendSteps() {
	if w.web.steps == wrongSteps {
		w.web.steps = "10%, 1m, 100%"
	} else {
		w.web.steps = wrongSteps
	}
	w.say("person", "writes steps: %s", w.web.steps)
	w.changed()
}

// unhold is somebody who takes the hold away while no webhook is looking.
func (w *world) unhold() {
	if w.web.hold == "" {
		return
	}
	w.say("person", "takes the hold away by hand")
	w.web.hold, w.web.paused, w.web.progress = "", false, w.now
	w.changed()
}

// edit gives the canary Ingresses that exist another weight by hand.
func (w *world) edit(weight int) {
	if !w.routed() {
		return
	}
	w.say("person", "edits the weight to %d", weight)
	for i := range w.routes {
		if w.routes[i].rollout != "" {
			w.routes[i].weight = weight
		}
	}
	w.routesChanged()
}

// editMatch does so with what they match.
func (w *world) editMatch(m spec.Match) {
	if !w.routed() {
		return
	}
	w.say("person", "edits what is matched to %+v", m)
	for i := range w.routes {
		if w.routes[i].rollout != "" {
			w.routes[i].match = m
		}
	}
	w.routesChanged()
}

func (w *world) deleteRoute(i int) {
	if w.routes[i].rollout == "" {
		return
	}
	w.say("person", "deletes canary Ingress %d", i+1)
	w.routes[i] = route{}
	w.routesChanged()
}

func (w *world) deleteRoutes() {
	if !w.routed() {
		return
	}
	w.say("person", "deletes the canary Ingresses")
	w.routes = [2]route{}
	w.routesChanged()
}

func (w *world) damage() {
	if w.canary == nil {
		return
	}
	w.say("person", "damages the state annotation")
	w.canary.state = `{"rollout":`
	w.publish()
}

func (w *world) deleteCanary() {
	if w.canary == nil {
		return
	}
	w.say("person", "deletes the canary Deployment")
	if w.web.phase != spec.RolledBack {
		clear(w.oracle.dead) // nobody can know
	}
	clear(w.oracle.jobs)
	w.oracle.orphaned, w.oracle.trafficEnded = w.inForce.reaches(), time.Time{}
	w.canary, w.jobs = nil, nil
	w.publish()
}

// canaryPodsDie makes n pods unavailable for a while.
func (w *world) canaryPodsDie(n int, d time.Duration) {
	if w.canary == nil || len(w.canary.set.pods) == 0 {
		return
	}
	w.canary.set.die(n, w.now.Add(d))
	w.publish()
}

func (w *world) stablePodsDie(n int, d time.Duration) {
	for i := range w.web.sets {
		w.web.sets[i].die(n, w.now.Add(d))
	}
	w.wake(time.Second)
	w.publish()
}

func (w *world) routed() bool { return w.routes != [2]route{} }

// written is what the canary Ingresses say.
func (w *world) written() split { return widest(w.routes) }

// widest is the highest weight, and what one of them matches, if one does.
func widest(routes [2]route) split {
	s := unrouted
	for _, r := range routes {
		if r.rollout == "" {
			continue
		}
		s.weight = max(s.weight, r.weight)
		if s.match.None() {
			s.match = r.match
		}
	}
	return s
}

func (w *world) routesChanged() {
	w.since = w.now
	if w.syncAt.IsZero() {
		w.syncAt = w.now.Add(w.lag)
	}
	w.publish()
}

// run lets d pass, from one thing that happens to the next.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	w.publish()
	for w.manage(); ; w.manage() {
		at := w.nextEvent()
		if at.After(end) {
			break
		}
		w.now = at
		w.tick()
	}
	if w.now.Before(end) {
		w.now = end
		w.publish()
	}
}

// until lets time pass until done. Ten days are more than any story takes.
func (w *world) until(what string, done func() bool) {
	w.publish()
	for end := w.now.Add(240 * time.Hour); !done(); {
		if w.manage(); done() {
			return
		}
		at := w.nextEvent()
		if at.After(end) {
			w.fail("waited in vain until %s", what)
		}
		w.now = at
		w.tick()
	}
}

func (w *world) untilShare(weight int) {
	w.until(fmt.Sprintf("weight %d is in force", weight), func() bool { return w.inForce.weight == weight })
}

func (w *world) untilReason(r reason.Reason) {
	w.until(string(r), func() bool { return w.web.reason == r })
}

// nextEvent is when something happens next if nobody does anything.
func (w *world) nextEvent() time.Time {
	next := never
	soonest := func(t time.Time) {
		if t.After(w.now) && t.Before(next) {
			next = t
		}
	}
	// The manager takes time: what was due meanwhile is late, not lost.
	late := w.now.Add(time.Millisecond)
	for _, t := range []time.Time{w.syncAt, w.controllerAt, w.scaleAt(), w.manager.wakes(w.now)} {
		if !t.IsZero() {
			soonest(latest(t, late))
		}
	}
	soonest(w.web.progress.Add(stallAfter))
	for _, j := range w.jobs {
		if j.phase == rollout.JobActive {
			soonest(latest(j.ends, late))
		}
	}
	for _, s := range w.web.sets {
		for _, ready := range s.pods {
			soonest(ready)
		}
	}
	if w.canary != nil {
		for _, ready := range w.canary.set.pods {
			soonest(ready)
		}
	}
	return next
}

// tick lets everybody but persons and the manager act.
func (w *world) tick() {
	if !w.syncAt.IsZero() && !w.syncAt.After(w.now) {
		w.sync()
	}
	w.runJobs()
	w.autoscale()
	if !w.controllerAt.After(w.now) {
		w.controllerAt = time.Time{}
	}
	if w.control() {
		w.web.progress = w.now
		w.wake(time.Second)
	}
	w.publish()
	w.oracle.overdue()
}

// sync is the router reloading.
func (w *world) sync() {
	at := w.syncAt
	w.syncAt = time.Time{}
	is := w.written()
	if w.inForce == is {
		return
	}
	if was := w.inForce.String(); was != is.String() {
		w.say("router", "sends %s to the canary", is)
	}
	if w.inForce.reaches() && !is.reaches() && !w.oracle.orphaned {
		w.oracle.trafficEnded = at
	}
	w.inForce, w.inForceFrom = is, at
	w.oracle.orphaned = w.oracle.orphaned && is.reaches()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// quiet says whether nobody has anything left to do.
func (w *world) quiet() bool { return w.nextEvent() == never && !w.manager.due(w.now) }
