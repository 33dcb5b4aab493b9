package rollout_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// What these properties are worth: for each protection of the product, the property that
// fails without it, and after how many checks it did so in one run. Rapid draws other
// worlds in each run, so the numbers vary.
//
//	protection                                                       property (Test...)                            checks
//	a verdict goes on record although takeTraffic fails (apply)      BadVersionsAreAlwaysRolledBack                     6
//	one canary Ingress that is missing is an abort                   BadVersionsAreAlwaysRolledBack                    29
//	takeTraffic gets half of the time                                BadVersionsAreAlwaysRolledBack                     2
//	a refused write is told (reportRefusal)                          RefusedWritesAreToldAndBounded                     3
//	a refused write has a deadline (endRefused)                      RefusedWritesAreToldAndBounded                     5
//	the condition is written last after a refusal                    RefusedWritesAreToldAndBounded                    21
//	traffic returns in steps from every path (retire)                TrafficReturnsNoFasterThanStableCanTakeIt          6
//	ReplicaSets are read live before a release (confirmRelease)      NothingIsReleasedBecauseACacheIsBehind             3
//	the generation is compared live (confirmUnchanged)               NoLeaderGoesOnWithWhatThePreviousOneAborted        2
//	the state is compared live (confirmUnchanged)                    NoLeaderGoesOnWithWhatThePreviousOneAborted        4
//	a patch of the status names the resourceVersion                  NoLeaderGoesOnWithWhatThePreviousOneAborted        1
//	a grant that was not written begins no wait again (awaitLeave)   RefusedWritesAreToldAndBounded                     5
//	a patch names the resourceVersion (patchDeployment)              NoLeaderGoesOnWithWhatThePreviousOneAborted        1
//	an edited canary template ends the rollout (endEdited)           InvariantsHoldWhateverHappens                     80
//	a canary Ingress with a finalizer gets weight 0                  InvariantsHoldWhateverHappens                     53
//	Services of a canary that was deleted by hand go                 InvariantsHoldWhateverHappens                    183
//	the metric shows the weight while annotations do not parse       InvariantsHoldWhateverHappens                     45
//	live canary pods are counted before a rise (confirmRise)         InvariantsHoldWhateverHappens                     44

// Two more are found by the stories, wherever the manager is killed: the rollout goes back
// to traffic that was granted and not written (backToUnwritten), and the end of a rollout
// is reported although its canary is gone (endedUntold). TestInMemory has what must be
// stored, and TestApplyOrder that it is stored before anything follows.

// everywhere lets the tests that interrupt a story do so at each of its writes. By
// default they do so at some.
var everywhere = flag.Bool("everywhere", false, "interrupt stories at every write")

// points are the writes, of so many, at which a story is interrupted.
func points(writes int, t *testing.T) (at []int) {
	const some = 2
	for n := range writes {
		if *everywhere || writes <= some || (n+len(t.Name()))%(writes/some) == 0 {
			at = append(at, n)
		}
	}
	return at
}

// A write that fails, whatever it is and however it fails, changes nothing but time.
func TestStoriesEndTheSameWhicheverWriteFails(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.begin(t)
			s.tell(w)
			want := w.ending()
			for _, n := range points(w.manager.writes, t) {
				for i, effect := range faultEffects {
					if !*everywhere && i != (n+len(name))%len(faultEffects) {
						continue
					}
					w := s.begin(t)
					w.manager.faults = []*fault{{after: n, writes: 1, until: never, effect: effect}}
					// A write that hangs for two minutes outlasts the waits of the stories: they would end
					// before the persons in them act.
					w.passTimeout = 20 * time.Second
					s.tell(w)
					if got := w.ending(); !sameEnd(want, got) {
						t.Errorf("write %d %s, and it ends: %s\nwant: %s\n%s", n, effect, got, want, w.log.String())
					}
				}
			}
		})
	}
}

// A version that fails its analysis is rolled back, whichever writes fail meanwhile,
// and what is left is the record of it. That is so even where it seems to be good again
// at the next measurement.
func TestBadVersionsAreAlwaysRolledBack(t *testing.T) {
	check(t, 60, func(t *rapid.T) {
		w := drawWorld(t)
		w.web.steps, w.web.analysis, w.web.deadline, w.web.rolloutDeadline, w.web.gates = "20%, 1m, 50%, 1m, 100%, 1m", true, "", "", ""
		w.web.plan = rollout.AnalysisPlan{Interval: 30 * time.Second}
		badFrom := rapid.SampledFrom([]int{20, 50, 100}).Draw(t, "bad from weight")
		w.apply("v2")
		w.untilShare(badFrom)
		w.verdicts["v2"] = rollout.Fail
		w.failsOnce = rapid.Bool().Draw(t, "good again at the next measurement")
		if rapid.Bool().Draw(t, "a canary Ingress is not deleted") {
			w.manager.faults = []*fault{{
				kind: "Ingress", verb: "delete", after: rapid.IntRange(0, 1).Draw(t, "spared deletes"), writes: 2,
				until: never, effect: rapid.SampledFrom(faultEffects).Draw(t, "effect"),
			}}
		}
		if rapid.Bool().Draw(t, "killed in the middle") {
			w.manager.killAfter, w.manager.downFor = rapid.IntRange(0, 5).Draw(t, "writes"), 2*time.Second
			w.run(time.Minute)
		}
		w.drawFaults(t)
		w.manager.faults = nil
		w.rest()
		w.atRest()
		seen := !w.failsOnce || w.oracle.dead[trial{w.web.hold, "v2"}] // else a kill came before anything was written
		if seen && (w.web.phase != spec.RolledBack || w.canary == nil || len(w.canary.set.pods) > 0) {
			w.fail("it ends: %s", w.ending())
		}
	})
}

// While stable is being updated, no traffic returns to it sooner than it can take it,
// whatever ends the promotion and whichever writes fail meanwhile.
func TestTrafficReturnsNoFasterThanStableCanTakeIt(t *testing.T) {
	check(t, 60, func(t *rapid.T) {
		w := drawWorld(t)
		w.web.steps, w.web.analysis, w.web.deadline, w.web.rolloutDeadline, w.web.gates = "100%, 1m", false, "", "", ""
		w.web.promotion = "rolling"
		w.scale(rapid.IntRange(2, 9).Draw(t, "pods"))
		w.apply("v2")
		w.until("it is released", func() bool { return w.web.hold == "" && w.web.phase == spec.Promoting })
		w.broken["v2"] = rapid.Bool().Draw(t, "new pods do not start")
		w.run(time.Duration(rapid.IntRange(0, 9).Draw(t, "seconds")) * time.Second)
		w.stablePodsDie(rapid.IntRange(0, 9).Draw(t, "stable pods that die"), 30*time.Second)
		switch rapid.SampledFrom([]string{"a new version", "the opt-in goes", "git goes back", "nothing"}).Draw(t, "what ends it") {
		case "a new version":
			w.apply("v3")
		case "the opt-in goes":
			w.optInOrOut()
		case "git goes back":
			w.apply("v1")
		}
		w.drawFaults(t)
	})
}

// Nothing is released without a canary because a cache is behind: the template may have
// run a moment ago, or nothing may seem to run.
func TestNothingIsReleasedBecauseACacheIsBehind(t *testing.T) {
	check(t, 60, func(t *rapid.T) {
		w := drawWorld(t)
		w.web.steps, w.web.rolloutDeadline, w.web.deadline, w.web.gates = "100%", "", "", ""
		w.apply("v2")
		w.untilReason(reason.Promoted)
		w.rest()
		w.changeLeader(t, "ReplicaSet")
		w.apply(rapid.SampledFrom([]string{"v1", "v3"}).Draw(t, "template"))
		w.drawFaults(t)
		w.heal()
		w.ends()
	})
}

// A leader whose caches are behind gives no traffic to what its predecessor aborted,
// although the API server did not let that one delete the canary Ingresses.
func TestNoLeaderGoesOnWithWhatThePreviousOneAborted(t *testing.T) {
	check(t, 60, func(t *rapid.T) {
		judged := rapid.Bool().Draw(t, "a Fail aborts it")
		w := newWorld(t, "20%, 30s, 60%, 30s, 100%", judged)
		w.apply("v2")
		w.untilShare(20)
		effect := rapid.SampledFrom([]faultEffect{timesOut, failsInside, againstPolicy}).Draw(t, "effect")
		w.manager.faults = []*fault{{kind: "Ingress", verb: "delete", writes: 1000, until: w.now.Add(10 * time.Minute), effect: effect}}
		if judged { // it writes the state alone, and raises no generation
			w.verdicts["v2"], w.failsOnce = rollout.Fail, true
			w.until("it is seen", func() bool { return len(w.verdicts) == 0 })
		} else {
			w.command(spec.VerbAbort)
		}
		w.run(time.Duration(rapid.IntRange(0, 9).Draw(t, "seconds")) * time.Second)
		w.changeLeader(t, "Deployment")
		w.manager.down = w.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds without a leader")) * time.Second)
		w.run(2 * time.Minute)
		w.heal()
		w.rest()
		w.atRest()
		if w.web.phase != spec.RolledBack {
			w.fail("it ends: %s", w.ending())
		}
	})
}

// changeLeader lets another manager lead. Its API server is behind with one kind.
func (w *world) changeLeader(t *rapid.T, kind string) {
	w.say("fate", "lets another manager lead")
	w.startManager()
	w.manager.dirty = true
	w.manager.behind = map[string]int{kind: rapid.IntRange(0, 20).Draw(t, "editions")}
	w.manager.stuck = rapid.IntRange(0, 4).Draw(t, "passes")
	w.manager.late = map[string]time.Time{kind: w.now.Add(time.Hour)}
}

// drawFaults are kills and faults over some minutes.
func (w *world) drawFaults(t *rapid.T) {
	faults := w.actsOfFate()
	for range rapid.IntRange(0, 5).Draw(t, "faults") {
		name := rapid.SampledFrom([]string{"a write fails", "a write fails", "a kill", "stale caches", "another leader"}).Draw(t, "fault")
		faults[name](t)
		w.run(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
	}
}

// A write that is refused for long is told in the refuser's words, and the progress
// deadline bounds it. Once it is allowed again, the rollout goes on, or is over.
func TestRefusedWritesAreToldAndBounded(t *testing.T) {
	check(t, 60, func(t *rapid.T) {
		w := newWorld(t, "20%, 1m, 50%, 1m", true)
		w.web.deadline = "5m"
		f := &fault{
			kind:   rapid.SampledFrom([]string{"Deployment", "Ingress", "Service"}).Draw(t, "kind"),
			verb:   rapid.SampledFrom([]string{"create", "patch", "delete"}).Draw(t, "verb"),
			after:  rapid.IntRange(0, 4).Draw(t, "spared writes"),
			effect: rapid.SampledFrom([]faultEffect{overQuota, againstPolicy, webhookSilent}).Draw(t, "effect"),
			writes: 1 << 30, until: never,
		}
		w.manager.faults = []*fault{f}
		w.apply("v2")
		refused := f.writes
		w.until("a write is refused, or nothing is left to do", func() bool { return f.writes < refused || w.quiet() })
		if w.quiet() {
			return // there is no such write
		}
		w.run(10 * time.Second)
		if f.writes < refused-1 && (w.web.reason != reason.WriteRefused || !strings.Contains(w.web.message, refusal)) {
			w.fail("nobody is told: %s: %s", w.web.reason, w.web.message)
		}
		long := rapid.Bool().Draw(t, "for longer than the progress deadline")
		if long {
			w.run(6 * time.Minute)
			if s := w.state(); w.canary != nil && s.Mode == rollout.ModeProgressing && f.kind != "Deployment" {
				w.fail("it waits past its progress deadline: %+v", s)
			}
		}
		w.manager.faults = nil
		w.rest()
		w.atRest()
		if !long && w.web.phase != "" {
			w.fail("allowed again, and it ends: %s", w.ending())
		}
	})
}
