package rollout_test

import (
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

const (
	smoke       = "0%, job=smoke, 50%, 1m"
	scoredSmoke = "0%, " + scored + ", 50%, 1m"
)

// waitStories are of Jobs, gates and deadlines.
var waitStories = map[string]story{
	"a smoke test that passes":                     {smoke, goodVersion},
	"a smoke test that fails":                      {smoke, smokeFails},
	"a smoke test under traffic that fails":        {"50%, 1m, job=smoke, 100%, 1m", smokeFails},
	"a smoke test without its CronJob":             {smoke, noCronJob},
	"a smoke test whose CronJob is made late":      {smoke, lateCronJob},
	"a smoke test that a person does not wait for": {smoke, smokeSkipped},
	"a smoke test, aborted":                        {smoke, smokeAborted},
	"a smoke test, paused meanwhile":               {smoke, smokePaused},
	"a smoke test, and the canary loses its pods":  {"50%, job=smoke, 100%", smokeLost},
	"a smoke test with a good score":               {scoredSmoke, goodVersion},
	"a smoke test with a bad score":                {scoredSmoke, badScored},
	"gates are closed at first":                    {brief, gatesClosed},
	"a gate is closed again while pods start":      {"10%, 50%", gateCloses},
	"promoted fully at a closed gate":              {brief, fullAtGate},
	"promoted at a closed gate":                    {"10%, pause, 50%", promotedAtGate},
	"a forgotten pause":                            {"20%, pause, 100%", forgotten},
	"a forgotten pause by command":                 {brief, forgottenCommand},
	"a gate that never opens":                      {brief, neverOpens},
	"metrics that never say anything":              {usual, neverSay},
	"a canary that crashes again and again":        {brief, crashLoop},
	"a canary that crashes now and then":           {"10%, pause, 50%", crashNow},
	"the quota is exhausted":                       {brief, quota},
}

func smokeFails(w *world) {
	w.jobsFail = true
	w.apply("v2")
	w.rest()
}

func badScored(w *world) {
	w.jobsWrite = badScore
	w.apply("v2")
	w.rest()
}

func noCronJob(w *world) {
	w.setCronJob(false)
	w.apply("v2")
	w.rest()
}

func lateCronJob(w *world) {
	w.setCronJob(false)
	w.apply("v2")
	w.untilReason(reason.JobUnavailable)
	w.run(5 * time.Minute)
	w.fate("somebody makes the CronJob")
	w.setCronJob(true)
	w.rest()
}

func smokeSkipped(w *world) {
	w.apply("v2")
	w.untilJob()
	w.command("promote")
	w.rest()
}

func smokeAborted(w *world) {
	w.apply("v2")
	w.untilJob()
	w.command("abort")
	w.rest()
}

func smokePaused(w *world) {
	w.apply("v2")
	w.untilJob()
	w.command("pause")
	w.run(10 * time.Minute)
	w.command("resume")
	w.rest()
}

func smokeLost(w *world) {
	w.apply("v2")
	w.untilJob()
	w.loseCanaryPods()
	w.rest()
}

func gatesClosed(w *world) {
	w.web.gates = gatesEverywhere
	for _, point := range []spec.GatePoint{spec.GateStart, spec.GateRise, spec.GatePromotion} {
		w.openOrClose(point)
	}
	w.apply("v2")
	for _, point := range []spec.GatePoint{spec.GateStart, spec.GateRise, spec.GatePromotion} {
		w.until("it waits at the gate", func() bool {
			return w.web.reason == reason.AwaitingGate && strings.Contains(w.web.message, "before "+string(point))
		})
		w.run(time.Minute)
		w.openOrClose(point)
	}
	w.rest()
}

// gateCloses: the gate was open when it was asked; what it says while the pods
// start that it let through is for the next rise.
func gateCloses(w *world) {
	w.web.gates = gatesEverywhere
	w.apply("v2")
	w.until("the canary is to grow", func() bool { return w.canary != nil && len(w.canary.set.pods) == 2 })
	w.openOrClose(spec.GateRise)
	w.rest()
}

func fullAtGate(w *world) {
	w.web.gates = gatesEverywhere
	w.openOrClose(spec.GatePromotion)
	w.apply("v2")
	w.untilReason(reason.AwaitingGate)
	w.run(time.Minute)
	w.command("promote-full")
	w.rest()
}

// promotedAtGate: promote ends a wait for a person, and no other.
func promotedAtGate(w *world) {
	w.web.gates = "rise https://gate.example.com"
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(time.Minute)
	w.openOrClose(spec.GateRise)
	w.command("promote")
	w.run(time.Minute)
	w.command("promote")
	w.run(time.Minute)
	w.openOrClose(spec.GateRise)
	w.rest()
}

func forgotten(w *world) {
	w.web.analysis = false
	w.apply("v2")
	w.rest()
}

func forgottenCommand(w *world) {
	w.web.rolloutDeadline = "30m"
	w.apply("v2")
	w.untilShare(50)
	w.command("pause")
	w.rest()
}

func neverOpens(w *world) {
	w.web.gates, w.web.rolloutDeadline = gatesEverywhere, "20m"
	w.openOrClose(spec.GateRise)
	w.apply("v2")
	w.rest()
}

func neverSay(w *world) {
	w.web.rolloutDeadline = "15m"
	w.verdicts["v2"] = rollout.Inconclusive
	w.apply("v2")
	w.rest()
}

// crashLoop: now and then a pod is Available for a moment, and the other never at
// the same time.
func crashLoop(w *world) {
	w.passTimeout = min(w.passTimeout, 2*time.Second) // a pass that hangs ends before a pod is Available again
	w.web.deadline = "2m"
	w.apply("v2")
	for w.web.phase != spec.RolledBack {
		w.run(3 * time.Second)
		w.canaryPodsDie(1, 7*time.Second)
	}
	w.rest()
}

// crashNow: a single pod that is down for a moment every ten minutes.
func crashNow(w *world) {
	w.web.rolloutDeadline = "90m"
	w.apply("v2")
	for w.web.phase != spec.RolledBack {
		w.run(10 * time.Minute)
		w.canaryPodsDie(9, 5*time.Second)
	}
	w.rest()
}

func quota(w *world) {
	w.web.deadline, w.trouble = "2m", "pods are forbidden: exceeded quota: compute, requested: cpu=1, limited: cpu=4"
	w.broken["v2"] = true
	w.apply("v2")
	w.rest()
}

func (w *world) untilJob() {
	w.until("a Job runs", func() bool { return len(w.jobs) > 0 })
	w.run(5 * time.Second)
}
