package rollout_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"os"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/ingress"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// manager is the process that leads, when its next pass comes and what goes wrong in
// it.
type manager struct {
	reconciler *controller.Reconciler
	client     *apisim.Client
	cache      *apisim.Cache
	metrics    *prometheus.Registry
	pass       *pass             // the one that is under way
	versions   map[string]string // the template that has a fingerprint

	dirty    bool      // something was seen to change
	again    time.Time // when the last pass asked to be called again
	failures int       // passes in a row that ended with an error
	down     time.Time // dead until then

	killAfter int                  // so many writes; negative: never
	downFor   time.Duration        // after a kill
	behind    map[string]int       // how many editions behind the next pass sees each kind
	stuck     int                  // so many more passes see them so
	late      map[string]time.Time // until then a kind may be behind for longer than staleFor
	between   func()               // what happens in the middle of the next pass that writes
	faults    []*fault             // of writes
	slowUntil time.Time            // metrics and gates answer nothing before
	tried     int                  // writes, also those that were refused
	writes    int                  // that took effect
	measured  int                  // measurements taken
	listed    []string             // those writes and the events, one line each
}

// staleFor is how far a cache may be behind.
const staleFor = 3 * time.Second

// reconcileTimeout is how long one pass may take.
const reconcileTimeout = 2 * time.Minute

// startManager is a new process, or another one that leads now. What its predecessor
// wrote may not be in its caches yet.
func (w *world) startManager() {
	m := &w.manager
	m.cache = apisim.NewCache(w.api)
	if !w.whole {
		m.cache.Transform = trim
	}
	ctx := context.Background()
	must(errors.Join(controller.SetupIndexes(ctx, m.cache), ingress.SetupIndexes(ctx, m.cache), autoscaler.SetupIndexes(ctx, m.cache)))
	m.client = apisim.NewClient(m.cache)
	m.client.Intercept = w.intercept
	m.metrics = prometheus.NewRegistry()
	m.reconciler = &controller.Reconciler{
		Client: m.client, Live: w.api.Live(), Trial: client.NewDryRunClient(m.client),
		Router:      ingress.New(m.client, w.api.Live(), ingress.Options{Now: w.clock}),
		Autoscalers: &autoscaler.Holder{Client: m.client},
		Judge:       judge{w}, Gates: gatekeeper{w}, Events: recorder{w},
		Metrics: controller.NewMetrics(m.metrics),
		Settle:  settle, Drain: drain, Now: w.clock, Elapsed: w.elapsed, Next: w.next,
	}
}

// trim is what the caches of the product keep of an object; see cacheOptions of
// cmd/headgate.
func trim(obj any) (any, error) {
	for _, transform := range []toolscache.TransformFunc{controller.Trim, ingress.Trim, autoscaler.Trim} {
		var err error
		if obj, err = transform(obj); err != nil {
			return nil, err
		}
	}
	return obj, nil
}

// wakes is when the manager acts without being told of a change.
func (m manager) wakes(now time.Time) time.Time {
	switch {
	case m.pass != nil:
		return time.Time{}
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
		done := w.reconcile()
		if m.down.After(w.now) {
			return
		}
		if !m.dirty {
			if done {
				w.oracle.rests()
			}
			w.publish()
			if w.look != nil {
				w.look()
			}
			return
		}
	}
	w.fail("the manager writes for ever")
}

// pass is one reconcile.
type pass struct {
	w        *world
	cancel   context.CancelFunc
	deadline time.Time
	over     map[context.Context]bool // parts of the pass whose own, shorter time is over
	seen     snapshot                 // what was true when it began
	o        rollout.Observation
	d        rollout.Decision

	stale  bool            // the caches were behind
	waited bool            // time went by in it
	fatal  bool            // a Fail, an abort or the deadline was seen: the traffic must go first
	failed map[string]bool // the kinds of which a write failed
}

// killed is how the process ends between two writes.
type killed struct{}

// reconcile is one pass. It says whether the pass did all it wanted to.
func (w *world) reconcile() (done bool) {
	m := &w.manager
	ctx, cancel := context.WithTimeout(logr.NewContext(context.Background(), logr.Discard()), reconcileTimeout)
	defer cancel()
	p := &pass{
		w: w, cancel: cancel, deadline: w.now.Add(w.passTimeout), seen: w.seen,
		over: map[context.Context]bool{}, failed: map[string]bool{},
	}
	p.stale = w.refresh()
	m.pass = p
	defer func() {
		m.pass = nil
		if what := recover(); what != nil {
			if _, ok := what.(killed); !ok {
				panic(what)
			}
			w.startManager()
		}
	}()
	result, err := m.reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: "web"}})
	m.again = time.Time{}
	if result.RequeueAfter > 0 {
		m.again = w.now.Add(result.RequeueAfter)
	}
	if !p.o.Awaited.None() { // the answer comes then
		m.again = rollout.Earliest(m.again, m.slowUntil)
	}
	m.dirty = m.dirty || p.stale // the caches catch up
	w.oracle.ended(p)
	if err == nil {
		m.failures = 0
		return len(p.failed) == 0
	}
	if len(p.failed) == 0 && !expected(err) {
		w.fail("a pass without a fault fails: %v", err)
	}
	m.again = w.now.Add(min(50*time.Millisecond<<min(m.failures, 10), 5*time.Second))
	m.failures++
	return false
}

// expected says of an error that no fault is its cause.
func expected(err error) bool {
	var problem *rollout.Problem
	return errors.As(err, &problem) || // nothing is left to split
		apierrors.IsNotFound(err) // somebody deleted what was to be written
}

// refresh lets the caches catch up, but for what is drawn to be behind.
func (w *world) refresh() (stale bool) {
	m := &w.manager
	behind := m.behind
	if m.stuck--; m.stuck < 0 {
		m.behind, m.stuck = nil, 0
	}
	return m.cache.Refresh(func(kind string) (int, time.Time) {
		if m.late[kind].After(w.now) {
			return behind[kind], time.Time{}
		}
		return behind[kind], w.now.Add(-staleFor)
	})
}

// next is rollout.Next, looked at.
func (w *world) next(o rollout.Observation) rollout.Decision {
	if o.Stable.Missing != "" && w.missing != "" {
		o.Stable.Missing = w.missing // the world has no Pods
	}
	o.Traffic.PreviewRefused, o.Traffic.Previewed = w.noPreview, w.noPreview == nil && o.Traffic.Routed
	d := rollout.Next(o)
	if slow := (rollout.Needs{Measurement: d.Needs.Measurement, Gates: d.Needs.Gates}); !slow.None() && w.manager.slowUntil.After(w.now) {
		o.Awaited = slow
		d = rollout.Next(o)
	}
	if again := rollout.Next(o); !reflect.DeepEqual(d, again) {
		w.fail("the same observation led to two decisions:\n%+v\n%+v", d, again)
	}
	p := w.manager.pass
	p.o, p.d = w.named(o), d
	if d.Canary != nil {
		goal := *d.Canary
		goal.State.Template = w.versionWith(goal.State.Template)
		p.d.Canary = &goal
	}
	if d.Needs.None() {
		w.oracle.decided(p)
	}
	return d
}

// named puts the version in the place of each fingerprint in o.
func (w *world) named(o rollout.Observation) rollout.Observation {
	m := &w.manager
	if m.versions == nil {
		m.versions = map[string]string{}
	}
	if _, known := m.versions[o.Stable.Template]; !known {
		var dep appsv1.Deployment
		must(m.client.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "web"}, &dep))
		m.versions[o.Stable.Template] = versionOf(dep.Spec.Template)
	}
	o.Stable.Template = w.versionWith(o.Stable.Template)
	if o.Canary != nil {
		canary := *o.Canary
		canary.State.Template = w.versionWith(canary.State.Template)
		o.Canary = &canary
	}
	return o
}

func (w *world) versionWith(fingerprint string) string {
	return cmp.Or(w.manager.versions[fingerprint], fingerprint)
}

// decode reads a stored state.
func (w *world) decode(text string) (rollout.State, error) {
	s, err := rollout.DecodeState(text)
	s.Template = w.versionWith(s.Template)
	return s, err
}

// objectOf is what of the world a write is about.
func objectOf(write apisim.Write) object {
	switch {
	case write.Kind == "Deployment" && write.Key.Name == "web":
		return stableObject
	case write.Kind == "Deployment":
		return canaryObject
	case write.Kind == "Ingress":
		return routeObjects
	case write.Kind == "Job":
		return jobObjects
	case write.Kind == "HorizontalPodAutoscaler":
		return scalerObject
	case write.Kind == "Pod", write.Kind == "ReplicaSet":
		return podObjects
	}
	return serviceObjects
}

// intercept is every write of the manager: nothing of it if the manager has been
// killed, and what a fault makes of it if one is due.
func (w *world) intercept(ctx context.Context, write apisim.Write, commit func() error) error {
	m, p := &w.manager, w.manager.pass
	if p.over[ctx] {
		return context.DeadlineExceeded
	}
	if m.killAfter == 0 {
		m.killAfter, m.dirty = -1, true
		m.down = w.now.Add(m.downFor)
		w.say("fate", "kills the manager")
		panic(killed{})
	}
	m.killAfter--
	m.tried++
	err := w.faulty(ctx, write, func() error { return p.commit(write, commit) })
	if err != nil {
		p.failed[write.Kind] = true
		m.dirty = m.dirty || isStale(err)
	}
	return err
}

// commit lets a write take effect, and shows it to everybody.
func (p *pass) commit(write apisim.Write, commit func() error) error {
	w, m := p.w, &p.w.manager
	before := w.seen
	if err := commit(); err != nil {
		return err
	}
	for _, what := range append(p.told(before), w.toldOfSets(write)...) {
		w.say("headgate", "%s", what)
	}
	if write.Kind == "Deployment" && write.Key.Name == "web" && before.stable.Hold != "" && w.web.hold == "" {
		w.web.progress = w.now
	}
	if write.Kind == "Deployment" && write.Key.Name == "web" && write.Sub == "" {
		w.wake(time.Second)
	}
	w.publish()
	m.writes++
	m.listed = append(m.listed, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", write.Verb, write.Kind, write.Key.Name, write.Sub)))
	w.oracle.wrote(p, write, before, w.seen)
	if happens := m.between; happens != nil {
		m.between = nil
		happens()
	}
	return nil
}

// told is what a reader of a story is told of a write.
func (p *pass) told(before snapshot) (all []string) {
	w := p.w
	tell := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for i, r := range w.routes {
		switch was := before.routes[i]; {
		case r.rollout == "" && was.rollout != "":
			tell("deletes canary Ingress %d", i+1)
		case r.terminating && !was.terminating:
			tell("deletes canary Ingress %d, which has a finalizer", i+1)
		case r != was:
			tell("canary Ingress %d: weight %s", i+1, strings.Replace(r.split.String(), "%", "", 1))
		}
	}
	switch was, is := before.canary, w.canary; {
	case is == nil && was.exists:
		tell("deletes the canary")
	case is != nil && !was.exists:
		tell("creates the canary: %s, size %d", is.set.template, len(is.set.pods))
	case is != nil && len(is.set.pods) != int(was.replicas):
		tell("scales the canary to %d", len(is.set.pods))
	}
	switch was, is := before.stable, w.web; {
	case is.hold == "" && was.Hold != "":
		tell("releases %s", is.template)
	case is.hold != was.Hold:
		tell("holds %s anew as rollout %s", is.template, is.hold)
	case is.phase != was.Phase:
		tell("phase %s", cmp.Or(string(is.phase), "removed"))
	}
	for _, j := range before.jobs {
		if w.canary != nil && !slices.ContainsFunc(w.jobs, func(is job) bool { return is.run == j.run }) {
			tell("deletes Job %s", j.run)
		}
	}
	for _, j := range w.jobs {
		if !slices.ContainsFunc(before.jobs, func(was job) bool { return was.run == j.run }) {
			tell("runs Job %s of CronJob smoke", j.run)
		}
	}
	switch {
	case w.scaler.held && !before.scaler.held:
		tell("lets no autoscaler shrink stable")
	case !w.scaler.held && before.scaler.held:
		tell("lets the autoscaler shrink stable again")
	}
	return all
}

// elapse lets d pass in the middle of a pass: for everybody but the manager.
func (w *world) elapse(d time.Duration) {
	end := w.now.Add(d)
	w.manager.pass.waited = true
	w.publish()
	for at := w.nextAmong(); !at.After(end); at = w.nextAmong() {
		w.now = at
		w.tick()
	}
	w.now = end
	w.publish()
}

// judge reads the metrics.
type judge struct{ w *world }

// What it resolves is the ConfigMap, or rules that were in there once.
func (j judge) Resolve(_ context.Context, _, text string) (controller.Analysis, error) {
	switch {
	case text == "":
		return nil, nil
	case text == j.w.unreadable || text == configMapOfRules && j.w.web.rules == j.w.unreadable:
		return nil, errors.New(`unknown provider "shop"`)
	case text != configMapOfRules:
		return metrics{j.w, text, j.w.plans[text]}, nil
	case j.w.web.planErr != nil:
		return nil, j.w.web.planErr
	}
	j.w.plans[j.w.web.rules] = j.w.web.plan
	return metrics{j.w, j.w.web.rules, j.w.web.plan}, nil
}

// configMapOfRules is the analysis of every Deployment that has one.
const configMapOfRules = "configmap/checks"

const (
	usualRules = "success-rate >= 99%"
	laxRules   = "success-rate >= 90%" // a version that fails otherwise passes by these
)

type metrics struct {
	w     *world
	rules string
	plan  rollout.AnalysisPlan
}

func (m metrics) Rules() string { return m.rules }

func (m metrics) Plan() rollout.AnalysisPlan { return m.plan }

func (m metrics) Measure(context.Context, rollout.Subject) rollout.Measurement {
	w, p := m.w, m.w.manager.pass
	out := rollout.Measurement{Verdict: rollout.Pass, Message: strings.Replace(m.rules, " ", " 99.9%, want ", 1)}
	switch version := p.o.Canary.State.Template; {
	case w.metricsDown:
		out = rollout.Measurement{Verdict: rollout.Error, Message: "prometheus: connection refused"}
	case w.ignored:
		out = rollout.Measurement{
			Verdict: rollout.Error, Ignored: true, Message: "the router ignores the canary: stable received 480 requests and the canary none",
		}
	case w.verdicts[version] == rollout.Fail && m.rules == laxRules:
		out.Message = "success-rate 94.8%, want >= 90%"
	case w.verdicts[version] == rollout.Fail:
		out = rollout.Measurement{Verdict: rollout.Fail, Message: "success-rate 94.8%, want >= 99%"}
	case w.verdicts[version] == rollout.Inconclusive:
		out = rollout.Measurement{Verdict: rollout.Inconclusive, Message: "4 requests, want at least 10"}
	}
	if w.failsOnce && out.Verdict == rollout.Fail {
		clear(w.verdicts)
	}
	w.manager.measured++
	w.oracle.measured(p, out.Verdict)
	w.oracle.measuredBy(p, m.rules)
	return out
}

type gatekeeper struct{ w *world }

func (g gatekeeper) Ask(_ context.Context, _ []spec.Gate, q rollout.GateQuestion) rollout.GateAnswer {
	return g.w.answer(q.Before)
}

// recorder tells events to the reader of a story.
type recorder struct{ w *world }

func (r recorder) Eventf(_, _ runtime.Object, _, because, _, note string, args ...any) {
	message := fmt.Sprintf(note, args...)
	r.w.manager.listed = append(r.w.manager.listed, "create Event "+because)
	sign := ""
	if reason.Reason(because).Warning() {
		sign = "! "
	}
	r.w.say("headgate", "%s%s: %s", sign, because, message)
	r.w.oracle.event(reason.Reason(because), message)
}

// TestMain silences client-go, which logs the panic by which a world kills the manager.
func TestMain(m *testing.M) {
	utilruntime.PanicHandlers = nil
	os.Exit(m.Run())
}
