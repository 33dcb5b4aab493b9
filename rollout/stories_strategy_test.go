package rollout_test

import (
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

const fromArgo = `
- setCanaryScale: {replicas: 2}
- setWeight: 20
- setHeaderRoute:
    name: testers
    match:
    - headerName: X-Canary
      headerValue: {exact: beta}
- pause: {}
- setCanaryScale: {matchTrafficWeight: true}
- setWeight: 50
- pause: {duration: 60}
`

// strategyStories are of who comes to the canary, and of how big it is.
var strategyStories = map[string]story{
	"blue-green with metrics of requests only":           {"0%, analysis, 100%, 2m", greenUnseen},
	"blue-green switched by a person, and green is bad":  {"0%, analysis, pause, 100%, 5m", greenByHand},
	"blue-green whose preview host is taken":             {"0%, pause, 100%, 1m", previewTaken},
	"a header before weights":                            {"header=X-Canary:beta, 2m, 50%, 1m", goodVersion},
	"a header before weights, and testers find it bad":   {"header=X-Canary:beta, 2m, 50%, 1m", badForTesters},
	"a header before weights, aborted":                   {"header=X-Canary:beta, pause, 50%, 1m", abortedForTesters},
	"a header before weights, and the canary loses pods": {"header=X-Canary:beta, 2m, 50%, 1m", losesPodsForTesters},
	"a header before weights, and a problem at the next": {"header=X-Canary, cookie=canary, 50%, 1m", problemBetween},
	"a header before weights, released at once":          {"header=X-Canary, pause, 50%, 1m", releasedForTesters},
	"a cookie beside weights":                            {"10%, 1m, cookie=canary, 1m, 50%, 1m", goodVersion},
	"somebody edits the header":                          {"10%, header=X-Canary, 5m, 50%, 1m", headerEdited},
	"somebody edits the weight as the header comes":      {"50%, 1m, header=X-Canary, 1m", weightEditedAsHeaderComes},
	"a bigger canary to look at":                         {"scale=50%, pause, scale=traffic, 25%, 1m", lookedAt},
	"steps of Argo Rollouts":                             {fromArgo, argoSteps},
	"judged from the second weight on":                   {"10%, 1m, 50%, 1m, 100%, 1m", judgedLater},
	"an undo within the rollback window":                 {brief, undone},
	"an undo beyond the rollback window":                 {brief, undoneTooLate},
	"an undo within the rollback window, amid a rollout": {brief, undoneAmid},
	"an autoscaler is held until the promotion":          {usual, scaleDownHeld},
	"an autoscaler is held until the rollback":           {usual, scaleDownHeldForBad},
	"an autoscaler is held until the opt-in goes":        {usual, scaleDownHeldForOptOut},
	"an autoscaler scales up during a rollout":           {"25%, 2m", scaledUpByLoad},
	"a third version while pods start":                   {brief, thirdWhileStarting},
	"a third version while paused":                       {"50%, pause", thirdWhilePaused},
	"a third version while traffic returns":              {brief, rolling(thirdWhileReturning)},
	"a third version while rolling back":                 {brief, thirdWhileRollingBack},
}

func greenUnseen(w *world) {
	w.web.strategy, w.web.plan.NeedsTraffic = "blue-green", true
	w.apply("v2")
	w.rest()
}

func greenByHand(w *world) {
	w.web.strategy = "blue-green"
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(time.Hour)
	w.command("promote")
	w.untilShare(100)
	w.run(time.Minute)
	w.fate("v2 answers with errors from now on")
	w.verdicts["v2"] = rollout.Fail
	w.rest()
}

func badForTesters(w *world) {
	w.apply("v2")
	w.untilMatched()
	w.fate("v2 answers testers with errors")
	w.verdicts["v2"] = rollout.Fail
	w.rest()
}

func abortedForTesters(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(10 * time.Minute)
	w.command("abort")
	w.rest()
}

func losesPodsForTesters(w *world) {
	w.apply("v2")
	w.untilMatched()
	w.loseCanaryPods()
	w.rest()
}

// problemBetween: the header is in force and the cookie has to wait.
func problemBetween(w *world) {
	w.apply("v2")
	w.untilMatched()
	w.setProblem(true)
	w.run(3 * time.Minute)
	w.setProblem(false)
	w.rest()
}

// previewTaken: another tenant takes the preview host once before the rollout, and
// twice in the middle of it.
func previewTaken(w *world) {
	w.web.strategy = "blue-green"
	w.takePreviewHost(true)
	w.apply("v2")
	w.run(3 * time.Minute)
	w.fate("the preview host is free")
	w.takePreviewHost(false)
	w.untilPhase(spec.Paused)
	for range 2 {
		w.fate("another tenant takes the preview host")
		w.takePreviewHost(true)
		w.run(time.Minute)
		w.fate("the preview host is free")
		w.takePreviewHost(false)
		w.run(time.Minute)
	}
	w.fate("another tenant takes the preview host")
	w.takePreviewHost(true)
	w.command("promote")
	w.rest()
}

func releasedForTesters(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.command("promote-full")
	w.rest()
}

func headerEdited(w *world) {
	w.apply("v2")
	w.untilMatched()
	w.run(time.Minute)
	w.editMatch(spec.Match{Header: "X-Everybody"})
	w.rest()
}

// weightEditedAsHeaderComes: one decision lowers what somebody raised, and adds
// what is not on record yet.
func weightEditedAsHeaderComes(w *world) {
	w.web.analysis = false
	w.apply("v2")
	w.untilShare(50)
	w.run(10 * time.Second)
	w.fate("the manager is dead")
	w.manager.down = w.now.Add(2 * time.Minute)
	w.edit(90)
	w.rest()
}

func lookedAt(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(time.Hour)
	w.command("promote")
	w.rest()
}

func argoSteps(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(time.Minute)
	w.command("promote")
	w.rest()
}

// judgedLater: the first weight is for warming up.
func judgedLater(w *world) {
	w.web.plan.StartingStep = 2
	w.verdicts["v2"] = rollout.Fail
	w.apply("v2")
	w.until("weight 10 is over", func() bool { return w.state().Step > 1 })
	w.verdicts["v2"] = rollout.Pass
	w.rest()
}

func undone(w *world) {
	w.web.window = "1"
	w.apply("v2")
	w.rest()
	w.apply("v1")
	w.rest()
}

func undoneTooLate(w *world) {
	w.web.window = "1"
	for _, template := range []string{"v2", "v3", "v1"} {
		w.apply(template)
		w.rest()
	}
}

func undoneAmid(w *world) {
	w.web.window = "1"
	w.apply("v2")
	w.rest()
	w.apply("v3")
	w.untilShare(50)
	w.apply("v1")
	w.rest()
}

func scaleDownHeld(w *world) {
	w.autoscaled(4, false)
	w.apply("v2")
	w.rest()
}

func scaleDownHeldForBad(w *world) {
	w.autoscaled(4, false)
	w.apply("v2")
	w.untilShare(50)
	w.verdicts["v2"] = rollout.Fail
	w.rest()
}

func scaleDownHeldForOptOut(w *world) {
	w.autoscaled(4, false)
	w.apply("v2")
	w.untilShare(50)
	w.optInOrOut()
	w.rest()
}

func scaledUpByLoad(w *world) {
	w.autoscaled(4, false)
	w.apply("v2")
	w.untilShare(25)
	w.demand(9)
	w.rest()
}

func thirdWhileStarting(w *world) {
	w.apply("v2")
	w.run(time.Second)
	w.apply("v3")
	w.rest()
}

func thirdWhilePaused(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(time.Minute)
	w.apply("v3")
	w.run(2 * time.Minute)
	w.command("promote")
	w.rest()
}

func thirdWhileReturning(w *world) {
	w.apply("v2")
	w.untilReason(reason.TrafficReturning)
	w.apply("v3")
	w.rest()
}

func thirdWhileRollingBack(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.command("abort")
	w.untilPhase(spec.RolledBack)
	w.apply("v3")
	w.rest()
}

func (w *world) untilMatched() {
	w.until("a match is in force", func() bool { return !w.inForce.match.None() })
}
