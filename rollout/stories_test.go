package rollout_test

import (
	"time"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

var commonStories = map[string]story{
	"a good version":                                 {usual, goodVersion},
	"a bad version":                                  {"5%, 1m, 25%, 1m, 100%, 1m", badVersion},
	"too few requests at first":                      {usual, tooFewRequests},
	"prometheus is down for a minute":                {usual, prometheusDown},
	"one failure is allowed":                         {brief, oneFailureAllowed},
	"verdicts turn while pods start":                 {usual, verdictTurns},
	"a third version at 50%":                         {brief, thirdVersion},
	"git goes back at 50%":                           {brief, goesBack},
	"git goes back at once":                          {brief, goesBackAtOnce},
	"git goes back after a rollback":                 {brief, goesBackAfterRollback},
	"a canary that never starts":                     {brief, neverStarts},
	"a canary loses its pods once":                   {brief, losesPodsOnce},
	"a canary loses its pods three times":            {usual, losesPodsThrice},
	"a pause step, promoted":                         {"20%, pause, 100%, 30s", pausedPromoted},
	"a pause step, promoted before the verdict":      {"20%, pause, 100%, 30s", promotedEarly},
	"a pause step, aborted":                          {"20%, pause, 100%, 30s", pausedAborted},
	"paused and resumed by command":                  {brief, pausedByCommand},
	"paused for an hour while pods start":            {brief, pausedWhileStarting},
	"retried after a rollback":                       {brief, retried},
	"promoted fully at 50%":                          {brief, promotedFully},
	"promoted fully after a rollback":                {brief, promotedAfterRollback},
	"a command for another rollout":                  {brief, otherRollout},
	"one command overtakes another":                  {brief, overtaken},
	"commands that make no sense":                    {brief, nonsense},
	"the rolling update stalls":                      {brief, stalls},
	"the rolling update stalls and a person goes on": {brief, stallsAndAPersonGoesOn},
	"a third version while promoting":                {brief, thirdWhilePromoting},
	"an autoscaler has shrunk stable":                {usual, shrunk},
	"scaled up at 50%":                               {brief, scaledUp},
	"scaled to zero":                                 {brief, scaledToZero},
	"the opt-in goes at 50%":                         {brief, optedOut},
	"the opt-in goes before anything began":          {brief, optedOutPending},
	"somebody deletes the canary Ingresses":          {brief, routesDeleted},
	"somebody deletes one canary Ingress":            {brief, routeDeleted},
	"somebody deletes one canary Ingress in force":   {brief, routeInForceDeleted},
	"somebody edits the weight":                      {brief, weightEdited},
	"somebody deletes the canary":                    {brief, canaryDeleted},
	"somebody deletes the record of a rollback":      {brief, recordDeleted},
	"somebody takes the hold away":                   {brief, holdRemoved},
	"the state is damaged":                           {brief, stateDamaged},
	"the state is damaged while promoting":           {brief, stateDamagedWhilePromoting},
	"Headgate goes back to an older version":         {brief, goesBackToAnOlderHeadgate},
	"no Service at first":                            {brief, noService},
	"the analysis is missing at 50%":                 {brief, planMissing},
	"the steps do not parse at 50%":                  {brief, stepsWrong},
	"the webhook is down for a new version":          {brief, bypassed},
	"the webhook is down for a third version":        {brief, bypassedWhileHeld},
	"the running version is down":                    {brief, stableDown},
	"blue-green":                                     {"0%, analysis, 100%, 2m", blueGreen},
	"blue-green, and green is bad":                   {"0%, analysis, 100%, 2m", badGreen},
	"users have sessions":                            {brief, sessions},
	"weights without waits, and a slow Prometheus":   {"25%, 100%", noWaits},
	"the manager is dead for an hour":                {usual, deadForAnHour},
}

func goodVersion(w *world) {
	w.apply("v2")
	w.rest()
}

func sessions(w *world) {
	w.fate("an Ingress gives sessions to its users")
	rewrite(w, ingressNames[1], func(ing *netv1.Ingress) { ing.Annotations = map[string]string{nginx + "affinity": "cookie"} })
	w.apply("v2")
	w.rest()
}

func badVersion(w *world) {
	w.apply("v2")
	w.untilShare(25)
	w.fate("v2 answers with errors from now on")
	w.verdicts["v2"] = rollout.Fail
	w.rest()
}

func tooFewRequests(w *world) {
	w.verdicts["v2"] = rollout.Inconclusive
	w.apply("v2")
	w.run(4 * time.Minute)
	w.fate("customers arrive")
	w.verdicts["v2"] = rollout.Pass
	w.rest()
}

func prometheusDown(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("Prometheus is down")
	w.metricsDown = true
	w.run(time.Minute + 30*time.Second)
	w.fate("Prometheus is back")
	w.metricsDown = false
	w.rest()
}

func oneFailureAllowed(w *world) {
	w.web.plan.FailureLimit = 1
	w.apply("v2")
	w.untilShare(50)
	w.verdicts["v2"] = rollout.Fail
	w.until("one Fail was counted", func() bool { return w.state().Tally.Failures == 1 })
	w.verdicts["v2"] = rollout.Pass
	w.rest()
}

// verdictTurns: between the Pass at 10% and the raise to 50% pods must start, and
// meanwhile the metrics stop answering. That Pass is no licence any more.
func verdictTurns(w *world) {
	w.apply("v2")
	w.untilShare(10)
	w.fate("nodes are full: new pods do not start")
	w.broken["v2"] = true
	w.until("the canary is to grow", func() bool { return w.canary != nil && len(w.canary.set.pods) == 2 })
	w.metricsDown = true
	w.run(40 * time.Second)
	w.fate("a node is added")
	w.broken["v2"] = false
	w.canary.set.pods = []time.Time{w.now, w.now}
	w.publish()
	w.run(20 * time.Minute)
	w.fate("Prometheus is back")
	w.metricsDown = false
	w.rest()
}

func thirdVersion(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.apply("v3")
	w.rest()
}

func goesBack(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.apply("v1")
	w.rest()
}

func goesBackAtOnce(w *world) {
	w.apply("v2")
	w.run(time.Second)
	w.apply("v1")
	w.rest()
}

func goesBackAfterRollback(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.command("abort")
	w.rest()
	w.apply("v1")
	w.rest()
}

func neverStarts(w *world) {
	w.web.deadline = "2m"
	w.broken["v2"] = true
	w.apply("v2")
	w.rest()
}

func losesPodsOnce(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.loseCanaryPods()
	w.rest()
}

func losesPodsThrice(w *world) {
	w.apply("v2")
	for range 3 {
		w.until("traffic or the end", func() bool { return w.inForce.weight >= 10 || w.web.phase == spec.RolledBack })
		w.loseCanaryPods()
		w.run(30 * time.Second)
	}
	w.rest()
}

func pausedPromoted(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(10 * time.Minute)
	w.command("promote")
	w.rest()
}

func promotedEarly(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.run(5 * time.Second)
	w.command("promote")
	w.rest()
}

func pausedAborted(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Paused)
	w.command("abort")
	w.rest()
}

func pausedByCommand(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.command("pause")
	w.run(5 * time.Minute)
	w.command("resume")
	w.rest()
}

func pausedWhileStarting(w *world) {
	w.apply("v2")
	w.run(time.Second)
	w.command("pause")
	w.run(time.Hour)
	w.command("resume")
	w.rest()
}

func retried(w *world) {
	w.verdicts["v2"] = rollout.Fail
	w.apply("v2")
	w.untilPhase(spec.RolledBack)
	w.run(time.Minute)
	w.fate("the database that v2 needs is up")
	w.verdicts["v2"] = rollout.Pass
	w.command("retry")
	w.rest()
}

func promotedFully(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.command("promote-full")
	w.rest()
}

func promotedAfterRollback(w *world) {
	w.verdicts["v2"] = rollout.Fail
	w.apply("v2")
	w.untilPhase(spec.RolledBack)
	w.run(time.Minute)
	w.command("promote-full")
	w.rest()
}

func otherRollout(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.apply("v3")
	w.run(20 * time.Second)
	w.untilShare(50)
	w.command("abort:2")
	w.rest()
}

// overtaken: the pause is on record, and not yet taken off the Deployment, when
// somebody aborts.
func overtaken(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.manager.between = func() { w.command("abort") }
	w.command("pause")
	w.rest()
}

func nonsense(w *world) {
	w.command("promote")
	w.run(time.Second)
	w.setProblem(true)
	w.apply("v2")
	w.run(time.Second)
	w.command("abort")
	w.run(time.Second)
	w.setProblem(false)
	w.command("abrt")
	w.untilShare(50)
	w.command("resume")
	w.run(time.Second)
	w.command("retry")
	w.run(time.Second)
	w.command("abort")
	w.run(time.Minute)
	w.command("promote")
	w.rest()
}

func stalls(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("nodes are full: new pods do not start")
	w.broken["v2"] = true
	w.until("the canary serves while stable stalls", func() bool { return w.web.reason == reason.PromotionStalled })
	w.run(5 * time.Minute)
	w.fate("a node is added")
	w.mend("v2")
	w.rest()
}

func stallsAndAPersonGoesOn(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("nodes are full: new pods do not start")
	w.broken["v2"] = true
	w.untilReason(reason.PromotionStalled)
	w.command("promote-full")
	w.untilReason(reason.PromotedEarly)
	w.run(time.Minute)
}

func thirdWhilePromoting(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Promoting)
	w.run(3 * time.Second)
	w.apply("v3")
	w.rest()
}

// shrunk: while the canary has all traffic an autoscaler that is the user's own
// affair shrinks stable to one pod. It must not get everything back at once.
func shrunk(w *world) {
	w.autoscaled(8, true)
	w.run(time.Minute)
	w.apply("v2")
	w.until("promoted", func() bool { return w.web.template == "v2" && w.web.hold == "" && w.canary == nil })
	w.run(2 * time.Minute)
}

func scaledUp(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.scale(8)
	w.rest()
}

func scaledToZero(w *world) {
	w.scale(0)
	w.run(10 * time.Second)
	w.apply("v2")
	w.run(10 * time.Second)
	w.scale(4)
	w.rest()
}

func optedOut(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.optInOrOut()
	w.rest()
}

func optedOutPending(w *world) {
	w.setProblem(true)
	w.apply("v2")
	w.run(time.Minute)
	w.fate("the webhook is down")
	w.webhookDown = true
	w.optInOrOut()
	w.rest()
}

func routesDeleted(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.deleteRoutes()
	w.rest()
}

func routeDeleted(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.deleteRoute(0)
	w.rest()
}

func routeInForceDeleted(w *world) {
	w.apply("v2")
	w.untilReason(reason.Waiting)
	w.deleteRoute(0)
	w.rest()
}

func weightEdited(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.edit(90)
	w.rest()
}

func canaryDeleted(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.deleteCanary()
	w.rest()
}

func recordDeleted(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.command("abort")
	w.rest()
	w.deleteCanary()
	w.run(time.Hour)
	w.command("retry")
	w.rest()
}

func holdRemoved(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.unhold()
	w.rest()
}

func stateDamaged(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.damage()
	w.rest()
}

// goesBackToAnOlderHeadgate: the state has a form that the older version does not know. To
// it that is a state which nobody can read.
func goesBackToAnOlderHeadgate(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("a newer Headgate, which stored the state in another form, gives way to this one")
	newer := w.state()
	newer.Form++
	text, err := newer.Encode()
	must(err)
	w.storeState(text)
	w.rest()
}

func stateDamagedWhilePromoting(w *world) {
	w.apply("v2")
	w.untilPhase(spec.Promoting)
	w.run(3 * time.Second)
	w.damage()
	w.rest()
}

func noService(w *world) {
	w.setProblem(true)
	w.apply("v2")
	w.run(10 * time.Minute)
	w.fate("somebody makes the Service")
	w.setProblem(false)
	w.rest()
}

func planMissing(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("somebody deletes the ConfigMap of the analysis")
	w.setPlanErr(true)
	w.run(10 * time.Minute)
	w.fate("it is back")
	w.setPlanErr(false)
	w.rest()
}

func stepsWrong(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.breakOrMendSteps()
	w.run(5 * time.Minute)
	w.breakOrMendSteps()
	w.rest()
}

func bypassed(w *world) {
	w.apply("v2")
	w.rest()
	w.fate("the webhook is down")
	w.webhookDown = true
	w.broken["v3"] = true // or it would be over before anybody looks
	w.apply("v3")
	w.run(10 * time.Second)
	w.mend("v3")
	w.rest()
}

func bypassedWhileHeld(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.fate("the webhook is down")
	w.webhookDown = true
	w.apply("v3")
	w.rest()
}

func stableDown(w *world) {
	w.fate("v1 crashes")
	w.stablePodsDie(4, 10*time.Minute)
	w.apply("v2")
	w.run(time.Minute)
	w.command("promote-full")
	w.rest()
}

func blueGreen(w *world) {
	w.web.strategy = "blue-green"
	w.apply("v2")
	w.rest()
}

func badGreen(w *world) {
	w.web.strategy = "blue-green"
	w.verdicts["v2"] = rollout.Fail
	w.apply("v2")
	w.rest()
}

func noWaits(w *world) {
	w.metricsDown = true
	w.apply("v2")
	w.run(20 * time.Minute)
	w.metricsDown = false
	w.rest()
}

func deadForAnHour(w *world) {
	w.apply("v2")
	w.run(time.Second)
	w.fate("the manager is dead")
	w.manager.down = w.now.Add(time.Hour)
	w.rest()
}

func (w *world) fate(what string) { w.say("fate", "%s", what) }

func (w *world) loseCanaryPods() {
	if w.canary != nil && len(w.canary.set.pods) > 0 {
		w.fate("every canary pod is evicted")
		w.canaryPodsDie(9, 20*time.Second)
	}
}

// mend lets the pods of a template start after all.
func (w *world) mend(template string) {
	w.broken[template] = false
	for i := range w.web.sets {
		for j, ready := range w.web.sets[i].pods {
			if ready == never {
				w.web.sets[i].pods[j] = w.now.Add(startup)
			}
		}
	}
	w.publish()
}

func (w *world) state() rollout.State {
	s, _ := rollout.DecodeState(w.seen.canary.state)
	return s
}

func (w *world) untilPhase(p spec.Phase) {
	w.until("phase "+string(p), func() bool { return w.web.phase == p })
}
