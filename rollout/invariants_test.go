package rollout_test

import (
	"cmp"
	"errors"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Whatever happens in whatever order, the oracle finds nothing wrong after any
// write; and once the world is left alone, every rollout comes to an end.
func TestInvariantsHoldWhateverHappens(t *testing.T) {
	check(t, 250, func(t *rapid.T) {
		w := drawWorld(t)
		w.chaos(t)
		w.heal()
		w.ends()
	})
}

// A good version whose pods start is promoted, however often the manager dies,
// whatever its caches show, and whichever writes fail for a while.
func TestGoodVersionsAreAlwaysPromoted(t *testing.T) {
	check(t, 100, func(t *rapid.T) {
		w := drawWorld(t)
		w.web.steps = spec.FormatSteps(drawGoodSteps(t))
		w.web.analysis, w.web.rolloutDeadline, w.web.deadline = true, "", "30m"
		faults := w.actsOfFate()
		w.apply("v2")
		for range rapid.IntRange(0, 8).Draw(t, "faults") {
			fault := rapid.SampledFrom([]string{"a kill", "stale caches", "a resync", "another leader", "a write fails"}).Draw(t, "fault")
			faults[fault](t)
			for _, f := range w.manager.faults {
				f.until = w.now.Add(time.Minute)
			}
			w.run(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		}
		w.untilReason(reason.Promoted)
		w.until("nobody has anything left to do", w.quiet)
		w.atRest()
		warned := 0
		for _, r := range []reason.Reason{reason.AnalysisSkipped, reason.ScaleDownNotHeld, reason.WriteRefused} {
			warned += w.oracle.events[r]
		}
		// A refused write after the end is told, and then the end once more.
		ends := w.oracle.events[reason.Promoted] - w.oracle.events[reason.WriteRefused]
		if w.web.template != "v2" || ends > 1 || w.oracle.warnings > warned || w.oracle.patches > 5 {
			w.fail("%d warnings, %d writes to the Deployment, events %v", w.oracle.warnings, w.oracle.patches, w.oracle.events)
		}
	})
}

func drawGoodSteps(t *rapid.T) []spec.Step {
	w := rapid.IntRange(0, 30).Draw(t, "first weight")
	words := rapid.SampledFrom([]string{"analysis", "header=X-Canary", "header=X-Region~eu-.*", "cookie=canary",
		"scale=2", "scale=100%", "scale=traffic", "job=smoke", scored})
	var steps []spec.Step
	if rapid.Bool().Draw(t, "a weight first") {
		steps = append(steps, weight(w))
	}
	for range rapid.IntRange(0, 6).Draw(t, "more") {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0, 1:
			w = rapid.IntRange(w, 100).Draw(t, "weight")
			steps = append(steps, weight(w))
		case 2:
			steps = append(steps, wait(time.Duration(rapid.IntRange(1, 900).Draw(t, "wait"))*time.Second))
		default:
			steps = append(steps, step(words.Draw(t, "word")))
		}
	}
	return append(steps, weight(rapid.IntRange(w, 100).Draw(t, "last weight")))
}

// check runs a property so many times with the same worlds in every run: a test that
// fails says that the change did it. To look for new faults, name a number of checks:
//
//	go test ./rollout -run Invariants -rapid.checks=2000
//
// Each such run draws other worlds.
func check(t *testing.T, times int, property func(*rapid.T)) {
	t.Helper()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		setFlag(t, "rapid.checks", strconv.Itoa(times))
		setFlag(t, "rapid.seed", "20260101")
	}
	rapid.Check(t, property)
}

// setFlag sets a flag until the test ends.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// drawWorld is any kind of Deployment.
func drawWorld(t *rapid.T) *world {
	w := newWorld(t, "10%, 1m, 50%, 1m, 100%, 1m", false)
	w.web.steps = rapid.SampledFrom([]string{
		w.web.steps,
		"25%, 100%",
		"20%, pause, 60%",
		"0%, analysis, 100%, 2m",
		"5m, 30%, 30s, 30%, analysis, 80%, pause",
		"10%, 10%, 40%",
		"0%",
		"0%, 2m, analysis, 100%, 2m",
		"header=X-Canary:beta, 1m, 10%, 1m, 100%",
		"scale=2, header=X-Region~eu-.*, cookie=canary, 30%, header=X-Canary, 1m, 60%, 1m",
		"0%, job=smoke, 20%, 1m, job=smoke, 100%, 1m",
		"0%, job=smoke >= 0.9, 20%, 1m, job=smoke >= 0.9, 100%, 1m",
		"job=smoke, cookie=canary, pause, scale=100%, scale=traffic, 50%, 1m",
	}).Draw(t, "steps")
	w.web.strategy = rapid.SampledFrom([]string{"canary", "canary", "blue-green"}).Draw(t, "strategy")
	w.web.promotion = rapid.SampledFrom([]string{"", "", "rolling"}).Draw(t, "promotion")
	w.web.report = rapid.SampledFrom([]string{"", "kstatus"}).Draw(t, "report status")
	w.web.analysis = rapid.Bool().Draw(t, "analysis") || strings.Contains(w.web.steps, "analysis")
	w.web.plan.FailureLimit = rapid.IntRange(0, 2).Draw(t, "failure limit")
	w.web.plan.ErrorLimit = rapid.SampledFrom([]int{0, 3}).Draw(t, "error limit")
	w.web.plan.InconclusiveLimit = rapid.SampledFrom([]int{0, 3}).Draw(t, "inconclusive limit")
	w.web.plan.StartingStep = rapid.SampledFrom([]int{0, 0, 1, 3, 9}).Draw(t, "starting step")
	w.web.plan.NeedsTraffic = rapid.Bool().Draw(t, "needs traffic")
	w.web.deadline = rapid.SampledFrom([]string{"", "2m"}).Draw(t, "deadline")
	w.web.rolloutDeadline = rapid.SampledFrom([]string{"", "", "5m", "1h"}).Draw(t, "rollout deadline")
	w.web.gates = rapid.SampledFrom([]string{"", "", gatesEverywhere, "rise https://gate.example.com"}).Draw(t, "gates")
	w.web.window = rapid.SampledFrom([]string{"", "2"}).Draw(t, "rollback window")
	w.lag = time.Duration(rapid.IntRange(0, int(settle/time.Second)).Draw(t, "lag")) * time.Second
	w.scale(rapid.IntRange(1, 9).Draw(t, "replicas"))
	if rapid.IntRange(0, 2).Draw(t, "autoscaler") == 0 {
		w.autoscaled(w.web.replicas, rapid.Bool().Draw(t, "of its own mind"))
	}
	w.run(time.Minute)
	return w
}

// chaos is everybody at once: the rollout of v2, and some of what may happen, in
// any order. Only some, or nothing would ever get far.
func (w *world) chaos(t *rapid.T) {
	all := w.acts()
	some := rapid.Permutation(slices.Sorted(maps.Keys(all))).Draw(t, "what may happen")
	act := rapid.SampledFrom(some[:rapid.IntRange(2, 8).Draw(t, "so much of it")])
	pause := rapid.SampledFrom([]int{20, 1, 60, 5, 150, 0, 900})
	w.apply("v2")
	for range rapid.IntRange(10, 30).Draw(t, "acts") {
		w.run(time.Duration(pause.Draw(t, "seconds")) * time.Second)
		if name := act.Draw(t, "act"); !rapid.Bool().Draw(t, "spared") {
			all[name](t)
		}
	}
}

func (w *world) acts() map[string]func(*rapid.T) {
	acts := map[string]func(*rapid.T){}
	maps.Copy(acts, w.actsOfPersons())
	maps.Copy(acts, w.actsOfFate())
	names := rapid.SampledFrom(slices.Sorted(maps.Keys(acts)))
	acts["in the middle of a pass"] = func(t *rapid.T) {
		name := names.Draw(t, "act in the middle")
		w.manager.between = func() { acts[name](t) }
	}
	return acts
}

func (w *world) actsOfPersons() map[string]func(*rapid.T) {
	template := rapid.SampledFrom([]string{"v3", "v2", "v1", "v4"})
	replicas := rapid.SampledFrom([]int{8, 4, 1, 2, 0})
	weight := rapid.IntRange(0, 100)
	ingress := rapid.IntRange(0, 1)
	match := rapid.SampledFrom([]spec.Match{{}, {Header: "X-Other"}, {Header: "X-Canary"}})
	saying := func(verbs ...string) func(*rapid.T) {
		verb := rapid.SampledFrom(verbs)
		return func(t *rapid.T) {
			text := verb.Draw(t, "verb")
			if rapid.Bool().Draw(t, "by name") {
				text += ":" + cmp.Or(w.web.hold, "1")
			}
			w.command(text)
		}
	}
	return map[string]func(*rapid.T){
		"apply":               func(t *rapid.T) { w.apply(template.Draw(t, "template")) },
		"scale":               func(t *rapid.T) { w.scale(replicas.Draw(t, "replicas")) },
		"opt out or in":       func(*rapid.T) { w.optInOrOut() },
		"an annotation":       func(*rapid.T) { w.breakOrMendSteps() },
		"promote":             saying(spec.VerbPromote),
		"promote fully":       saying(spec.VerbPromoteFull),
		"pause or resume":     saying(spec.VerbPause, spec.VerbResume),
		"abort or retry":      saying(spec.VerbAbort, spec.VerbRetry),
		"nonsense":            saying("abrt"),
		"an Ingress goes":     func(t *rapid.T) { w.deleteRoute(ingress.Draw(t, "Ingress")) },
		"both Ingresses go":   func(*rapid.T) { w.deleteRoutes() },
		"a weight is edited":  func(t *rapid.T) { w.edit(weight.Draw(t, "weight")) },
		"a match is edited":   func(t *rapid.T) { w.editMatch(match.Draw(t, "match")) },
		"the CronJob":         func(*rapid.T) { w.setCronJob(!w.hasCronJob()) },
		"the webhook":         func(*rapid.T) { w.webhookDown = !w.webhookDown },
		"a hold is removed":   func(*rapid.T) { w.unhold() },
		"a state is damaged":  func(*rapid.T) { w.damage() },
		"a canary is deleted": func(*rapid.T) { w.deleteCanary() },
		"a canary is edited":  func(*rapid.T) { w.editCanary() },
		"a finalizer":         func(t *rapid.T) { w.finalize(ingress.Draw(t, "Ingress")) },
	}
}

func (w *world) actsOfFate() map[string]func(*rapid.T) {
	verdict := rapid.SampledFrom([]rollout.Verdict{rollout.Fail, rollout.Pass, rollout.Inconclusive})
	pods, back, writes := rapid.IntRange(1, 9), rapid.IntRange(0, 2), rapid.IntRange(0, 6)
	gate := rapid.SampledFrom([]spec.GatePoint{spec.GateRise, spec.GateStart, spec.GatePromotion})
	replicas, scores := rapid.IntRange(1, 9), rapid.SampledFrom([]string{goodScore, badScore, ""})
	rules := rapid.SampledFrom([]string{usualRules, laxRules})
	seconds := rapid.SampledFrom([]time.Duration{20 * time.Second, 2 * time.Second, 5 * time.Minute})
	return map[string]func(*rapid.T){
		"canary pods die":   func(t *rapid.T) { w.canaryPodsDie(pods.Draw(t, "pods"), seconds.Draw(t, "for")) },
		"stable pods die":   func(t *rapid.T) { w.stablePodsDie(pods.Draw(t, "pods"), seconds.Draw(t, "for")) },
		"a verdict changes": func(t *rapid.T) { w.verdicts[w.web.template] = verdict.Draw(t, "verdict") },
		"metrics":           func(*rapid.T) { w.metricsDown = !w.metricsDown },
		"the preview host":  func(*rapid.T) { w.takePreviewHost(w.noPreview == nil) },
		"the plan":          func(*rapid.T) { w.setPlanErr(w.web.planErr == nil) },
		"the rules":         func(t *rapid.T) { w.editRules(rules.Draw(t, "rules")) },
		"a gate":            func(t *rapid.T) { w.openOrClose(gate.Draw(t, "gate")) },
		"Jobs":              func(*rapid.T) { w.jobsFail = !w.jobsFail },
		"scores":            func(t *rapid.T) { w.jobsWrite = scores.Draw(t, "score") },
		"a pod of a Job":    func(*rapid.T) { w.losePodsOfJobs() },
		"demand":            func(t *rapid.T) { w.demand(replicas.Draw(t, "demand")) },
		"a resync":          func(*rapid.T) { w.manager.dirty = true },
		"slow metrics and gates": func(t *rapid.T) {
			w.manager.slowUntil = w.now.Add(seconds.Draw(t, "slow for"))
		},
		"stale caches": func(t *rapid.T) {
			w.manager.behind, w.manager.dirty = map[string]int{}, true
			for _, kind := range kinds {
				w.manager.behind[kind] = back.Draw(t, kind)
			}
		},
		"another leader": func(t *rapid.T) { w.changeLeader(t, "ReplicaSet") },
		"a write fails":  func(t *rapid.T) { w.manager.faults = append(w.manager.faults, w.drawFault(t)) },
		"a kill": func(t *rapid.T) {
			w.manager.killAfter, w.manager.downFor = writes.Draw(t, "writes"), seconds.Draw(t, "down")
		},
	}
}

// kinds are the kinds that the manager caches. Each of these caches may be behind.
var kinds = []string{"Deployment", "Ingress", "Service", "ReplicaSet", "Job", "HorizontalPodAutoscaler"}

func (w *world) hasService() bool {
	return apisim.Get[*corev1.Service](w.api, namespace, "web") != nil
}

// setProblem takes the Service away that selects the pods, or puts it back.
func (w *world) setProblem(is bool) {
	switch there := w.hasService(); {
	case is && there:
		must(w.api.Delete(service()))
	case !is && !there:
		must(w.api.Create(service()))
	}
	w.manager.dirty = true
}

// takePreviewHost lets another tenant serve the preview host of web, or stop.
func (w *world) takePreviewHost(is bool) {
	w.noPreview = nil
	if is {
		w.noPreview = &rollout.Problem{
			Reason: reason.PreviewHostRefused, Message: `an Ingress of another namespace already serves "preview.web.test": use another host`,
		}
	}
	w.manager.dirty = true
}

func (w *world) setPlanErr(is bool) {
	w.web.planErr = nil
	if is {
		w.web.planErr = errors.New("configmap/checks: there is no such ConfigMap")
	}
	w.manager.dirty = true
}

// heal puts everything right and lets everybody go home.
func (w *world) heal() {
	w.say("fate", "heals the world")
	w.manager.killAfter, w.manager.between, w.manager.behind, w.manager.stuck, w.manager.faults = -1, nil, nil, 0, nil
	w.manager.slowUntil = time.Time{}
	w.webhookDown, w.metricsDown, w.jobsFail, w.jobsWrite = false, false, false, goodScore
	w.setCronJob(true)
	clear(w.closed)
	w.setProblem(false)
	w.takePreviewHost(false)
	w.setPlanErr(false)
	clear(w.verdicts)
	for i := range w.routes {
		if w.routes[i].rollout != "" {
			rewrite(w, w.canaryIngress(i), func(ing *netv1.Ingress) { ing.Finalizers = nil })
		}
	}
	if w.web.steps == wrongSteps {
		w.breakOrMendSteps()
	}
	w.scale(max(1, w.web.replicas))
}

// ends lets time pass and expects the end that every rollout must come to. A
// person who is asked answers.
func (w *world) ends() {
	for range 50 {
		w.until("nobody has anything left to do", func() bool {
			return w.quiet() || w.web.phase == spec.Paused && w.web.command == "" && !w.manager.due(w.now)
		})
		switch {
		case w.web.phase != spec.Paused:
			w.atRest()
			return
		case w.web.reason == reason.PausedByCommand:
			w.command(spec.VerbResume)
		default:
			w.command(spec.VerbPromote)
		}
	}
	w.fail("no end of pauses")
}

func (w *world) atRest() {
	s := w.seen.stable
	switch {
	case w.routed():
		w.fail("at rest, but canary routes are left")
	case w.scaler.held:
		w.fail("at rest, but no autoscaler may shrink stable")
	case s.Phase != spec.RolledBack && len(w.leftovers()) > 0:
		w.fail("at rest, but there are still %v", w.leftovers())
	case s.command != "" && s.OptedIn: // of a Deployment that is not managed nothing is written
		w.fail("at rest, but command %s is left", s.command)
	case s.Phase == spec.RolledBack:
		if s.Hold == "" || w.canary != nil && len(w.canary.set.pods) > 0 {
			w.fail("at rest after a rollback, with hold %q and canary %+v", s.Hold, w.canary)
		}
	case w.canary != nil || s.Hold != "" || s.Phase != "" || !s.Complete:
		w.fail("at rest too early: canary %+v, stable %+v", w.canary, s)
	case s.OptedIn && s.Reason != reason.Ready && s.Reason != reason.Promoted && s.Reason != reason.BypassFound &&
		s.Reason != reason.StableRestored && s.Reason != reason.WithinRollbackWindow:
		w.fail("at rest with %s: %s", s.Reason, s.message)
	}
}
