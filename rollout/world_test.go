package rollout_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/webhook"
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

// world is a cluster with one Deployment in it, and with everybody who touches it.
// The manager in it is the real one: the Reconciler, the Router of package ingress,
// the autoscaler Holder and webhook.Mutate. Everything else is the cheapest thing in
// which an ordering can go wrong.
//
//	persons ─► webhook.Mutate ─┐                     ┌─ caches, each so far behind
//	Deployment controller ─────┤                     │            │
//	pods, Jobs, autoscaler ────┼──► apisim.Server ───┤            ▼
//	                           │     ▲               └─ live ─► Reconciler, Router, Holder
//	router (reloads later) ◄───┘     │                            │
//	                                 └─ faults: any write may ◄───┘
//	     oracle: looks at            fail, or hang, or kill
//	     every write
type world struct {
	t       failer
	now     time.Time
	skew    time.Duration // by how much the manager's clock is ahead
	forward time.Duration // by how much it was set forward, in all
	start   time.Time
	log     strings.Builder

	api *apisim.Server

	web    deployment
	canary *canaryDeployment
	routes [2]route // the canary Ingresses of ingressNames
	jobs   []job
	scaler scaling

	// inForce is what traffic meets. Routers act on what is written some time
	// later, at syncAt.
	adopting adopting               // nil: no pod is an object
	fresh    map[string][]time.Time // pods that a ReplicaSet of an adoption started itself
	serial   int

	inForce     split
	syncAt      time.Time
	inForceFrom time.Time
	lag         time.Duration

	broken       map[string]bool // templates whose pods never become Available
	verdicts     map[string]rollout.Verdict
	failsOnce    bool // the next measurement after a Fail is a Pass
	metricsDown  bool
	webhookDown  bool
	closed       map[spec.GatePoint]bool // the gates that say no
	trouble      string                  // what Kubernetes says of canary pods that are missing
	missing      string                  // what it says of stable pods that a stalled promotion waits for
	ignored      bool                    // routers ignore what is written
	refuses      func(apisim.Write) bool // the writes that a policy refuses; nil: none
	noPreview    *rollout.Problem        // why the preview host is refused; nil: it is not
	passTimeout  time.Duration           // how long one pass may take; reconcileTimeout but in some stories
	jobsFail     bool
	jobsWrite    string // their termination message
	controllerAt time.Time

	unreadable string // rules that nobody understands any more

	plans map[string]rollout.AnalysisPlan // of the rules that were in the ConfigMap

	look func() // sees what a person would see, after everything that the manager does; may be nil

	manager manager
	whole   bool // the caches of the manager leave nothing out
	seen    snapshot
	oracle  oracle
}

// deployment is the user's.
type deployment struct {
	webSpec
	generation int
	observed   int // generation that the Deployment controller has acted on

	plan    rollout.AnalysisPlan
	planErr error
	rules   string // in the ConfigMap

	reason    reason.Reason
	message   string
	sets      []replicaSet // oldest first
	progress  time.Time
	published published
}

// asked is what the user wrote: the annotations, and whether there is one that
// says what to measure.
type asked struct {
	strategy, steps, deadline, rolloutDeadline, gates, window, promotion, report string
	analysis                                                                     bool
}

// replicaSet is a template and its pods: when each becomes Available.
type replicaSet struct {
	name      string // "": after the template
	template  string
	pods      []time.Time
	revision  int
	history   string // earlier revisions, such as "1,3"
	published published
}

type canaryDeployment struct {
	paused bool // and its pods are objects
	state  string
	set    replicaSet
}

// route is a canary Ingress. One without a rollout does not exist.
type route struct {
	rollout string
	split
	recorded    int  // the weight that Headgate wrote last
	terminating bool // deleted, but it has a finalizer
}

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
func newWorld(t failer, steps string, analysis bool) *world {
	w := &world{
		passTimeout: reconcileTimeout, t: t, now: noon, start: noon, lag: 3 * time.Second,
		broken: map[string]bool{}, fresh: map[string][]time.Time{}, verdicts: map[string]rollout.Verdict{}, closed: map[spec.GatePoint]bool{},
		plans: map[string]rollout.AnalysisPlan{},
		web: deployment{
			webSpec:    webSpec{template: "v1", replicas: 4, asked: asked{strategy: "canary", steps: steps, analysis: analysis}},
			generation: 1, observed: 1, progress: noon, plan: rollout.AnalysisPlan{Interval: 30 * time.Second}, rules: usualRules,
			sets: []replicaSet{{template: "v1", pods: make([]time.Time, 4), revision: 1}},
		},
		inForce:   unrouted,
		manager:   manager{dirty: true, killAfter: -1},
		jobsWrite: goodScore,
	}
	w.oracle = newOracle(w)
	w.build()
	w.publish()
	w.startManager()
	w.run(time.Second)
	w.start = w.now
	w.log.Reset()
	return w
}

// sent is the template of dep as an API server sends it.
func sent(dep *appsv1.Deployment) json.RawMessage {
	text, err := json.Marshal(dep.Spec.Template)
	must(err)
	return text
}

func (w *world) say(who, format string, args ...any) {
	at := w.now.Sub(w.start)
	fmt.Fprintf(&w.log, "%02d:%02d  %-9s %s\n", int(at.Minutes()), int(at.Seconds())%60, who, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), w.log.String())
}

// time is that of the API server.
func (w *world) time() time.Time { return w.now }

// clock is that of the manager.
func (w *world) clock() time.Time { return w.now.Add(w.skew) }

func (w *world) elapsed() time.Duration { return w.now.Sub(noon) }

// changed is a write to the user's Deployment: its controller acts a second
// later.
func (w *world) changed() {
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
	w.web.progress = w.now
	w.admit(func(d *webSpec) { d.template = template })
	delete(w.oracle.dead, trial{w.web.hold, template}) // applied anew under an old name: no webhook gave it one
	w.changed()
}

// admit is a write of a person to the user's Deployment, on which the webhook has its
// say.
func (w *world) admit(change func(*webSpec)) {
	was := w.stable()
	is := was.DeepCopy()
	change(&w.web.webSpec)
	w.web.fill(is)
	if w.webhookDown {
		return
	}
	out := webhook.Mutate(webhook.Request{Old: was, New: is, OldTemplate: sent(was), NewTemplate: sent(is)})
	if out.Deployment == nil {
		w.fail("the webhook denies a write: %s", out.Denial)
	}
	w.web.webSpec = readWebSpec(out.Deployment)
	switch {
	case out.Decision == webhook.Held:
		w.say("webhook", "holds %s as rollout %s", w.web.template, w.web.hold)
	case out.Decision == webhook.Released:
		w.web.progress = w.now
		w.say("webhook", "releases %s", w.web.template)
	case out.Bypass == reason.ScaledToZero:
		w.say("webhook", "lets it through: replicas is 0")
	}
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
	w.admit(func(d *webSpec) { d.strategy = "" })
	clear(w.oracle.dead) // a person who opts out lets the template go, whatever was said of it
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
	w.eachCanaryIngress(func(ing *netv1.Ingress) { set(ing, nginx+"canary-weight", strconv.Itoa(weight)) })
}

// editMatch does so with what they match.
func (w *world) editMatch(m spec.Match) {
	if !w.routed() {
		return
	}
	w.say("person", "edits what is matched to %+v", m)
	w.eachCanaryIngress(func(ing *netv1.Ingress) {
		set(ing, nginx+"canary-by-header", m.Header)
		set(ing, nginx+"canary-by-header-value", m.Value)
		set(ing, nginx+"canary-by-header-pattern", m.Pattern)
		set(ing, nginx+"canary-by-cookie", m.Cookie)
	})
}

func (w *world) eachCanaryIngress(change func(*netv1.Ingress)) {
	for i := range w.routes {
		if w.routes[i].rollout != "" {
			rewrite(w, w.canaryIngress(i), change)
		}
	}
	w.publish()
}

func (w *world) deleteRoute(i int) {
	if w.routes[i].rollout == "" {
		return
	}
	w.say("person", "deletes canary Ingress %d", i+1)
	must(w.api.Delete(&netv1.Ingress{ObjectMeta: meta(w.canaryIngress(i))}))
	w.publish()
}

func (w *world) deleteRoutes() {
	if !w.routed() {
		return
	}
	w.say("person", "deletes the canary Ingresses")
	for i := range w.routes {
		if w.routes[i].rollout != "" {
			must(w.api.Delete(&netv1.Ingress{ObjectMeta: meta(w.canaryIngress(i))}))
		}
	}
	w.publish()
}

func (w *world) damage() {
	if w.canary == nil {
		return
	}
	w.say("person", "damages the state")
	w.storeState(`{"rollout":`)
}

// storeState makes text the state, wherever it is stored.
func (w *world) storeState(text string) {
	if out := w.stable().DeepCopy(); stateCondition(out) != nil {
		about, _, _ := strings.Cut(stateCondition(out).Message, ": ")
		stateCondition(out).Message = about + ": " + text
		must(w.api.UpdateStatus(out))
	}
	rewrite(w, canaryName, func(dep *appsv1.Deployment) { set(dep, spec.AnnotationState, text) })
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
	w.oracle.reported = rollout.Note{} // the next canary may meet the same warning within a second
	w.oracle.orphaned, w.oracle.trafficEnded = w.inForce.reaches(), time.Time{}
	must(w.api.Delete(&appsv1.Deployment{ObjectMeta: meta(canaryName)}))
	w.publish()
}

// editCanary gives the canary another image, as a tool does that updates images. It
// comes after Headgate saw the canary once: what admission made of the template and what
// somebody made of it in that moment look the same.
func (w *world) editCanary() {
	if w.canary == nil {
		return
	}
	if s, err := w.decode(w.canary.state); err == nil && s.CanaryTemplate == "" {
		return
	}
	w.say("person", "edits the template of the canary Deployment")
	rewrite(w, canaryName, func(dep *appsv1.Deployment) {
		dep.Spec.Template.Spec.Containers[0].Image += "-edited"
	})
	w.publish()
}

// finalize keeps a canary Ingress from going when it is deleted.
func (w *world) finalize(i int) {
	if w.routes[i].rollout == "" {
		return
	}
	w.say("person", "puts a finalizer on canary Ingress %d", i+1)
	rewrite(w, w.canaryIngress(i), func(ing *netv1.Ingress) { ing.Finalizers = []string{"example.com/keep"} })
	w.publish()
}

// canaryPodsDie makes n pods unavailable for a while.
func (w *world) canaryPodsDie(n int, d time.Duration) {
	if w.canary == nil || len(w.canary.set.pods) == 0 {
		return
	}
	if w.adopting != nil {
		w.adoptedDie(n, w.now.Add(d))
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
	if w.syncAt.IsZero() {
		w.syncAt = w.now.Add(w.lag)
	}
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
func (w *world) nextEvent() time.Time { return w.nextAmong(w.manager.wakes(w.now)) }

// nextAmong is the first of what happens without the manager, and of others.
func (w *world) nextAmong(others ...time.Time) time.Time {
	next := never
	soonest := func(t time.Time) {
		if t.After(w.now) && t.Before(next) {
			next = t
		}
	}
	// The manager takes time: what was due meanwhile is late, not lost.
	late := w.now.Add(time.Millisecond)
	for _, t := range append(others, w.syncAt, w.controllerAt, w.scaleAt()) {
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
	for _, pods := range w.fresh {
		for _, ready := range pods {
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
	if w.collect() {
		w.publish()
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
