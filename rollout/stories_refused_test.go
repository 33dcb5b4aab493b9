package rollout_test

import (
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// refusedStories are of writes that the API server refuses, of weights that are not in
// force, and of what the condition says about pods and warnings.
var refusedStories = map[string]story{
	"the canary is refused":                        {usual, refusing("creates the canary", "scales the canary")},
	"the canary routes are refused":                {usual, refusing("canary Ingress")},
	"the first weight is refused":                  {usual, refusing("weight 10")},
	"a later weight is refused":                    {usual, refusing("weight 50")},
	"one of two Ingresses is refused":              {usual, refusing("canary Ingress 2: weight 50")},
	"a header rule is refused":                     {"0%, header=X-Canary, pause, 10%, 1m", refusing("header")},
	"a header rule beside a weight is refused":     {"10%, 1m, header=X-Canary, 1m, 50%, 1m", refusing("header")},
	"the release is refused":                       {brief, refusing("releases")},
	"the routers ignore, and Prometheus is down":   {usual, routersIgnoreUnseen},
	"a later weight is refused for a minute":       {usual, refusedForAMinute},
	"a weight cannot be put right at a pause":      {"20%, pause, 50%, 1m", editedAtPause},
	"the routers ignore the canary":                {usual, routersIgnore},
	"the routers ignore the canary for a minute":   {usual, routersIgnoreForAMinute},
	"one pod of a promotion never becomes ready":   {brief, onePodMissing},
	"a NetworkPolicy and a budget miss the canary": {"50%, pause, 100%", gapsFound},
}

const refuserSays = `updating Ingress "shop/web-canary": admission webhook "policy.example.com" denied the request`

// refusing refuses every write that is told in one of these words. Deletions are never
// refused.
func refusing(words ...string) func(*world) {
	return func(w *world) {
		w.web.deadline = "3m"
		w.refuse(words...)
		w.apply("v2")
		w.rest()
	}
}

func (w *world) refuse(words ...string) {
	w.fate("a policy refuses writes")
	w.refuses = func(what string) bool {
		for _, word := range words {
			if strings.Contains(what, word) && !strings.HasPrefix(what, "deletes") {
				return true
			}
		}
		return false
	}
}

func refusedForAMinute(w *world) {
	w.refuse("weight 50")
	w.apply("v2")
	w.untilReason(reason.WriteRefused)
	w.run(time.Minute)
	w.fate("the policy is gone")
	w.refuses = nil
	w.rest()
}

func editedAtPause(w *world) {
	w.web.deadline = "3m"
	w.apply("v2")
	w.untilReason(reason.AwaitingPromotion)
	w.run(time.Minute)
	w.refuse("canary Ingress")
	w.edit(5)
	w.rest()
}

func routersIgnore(w *world) {
	w.web.deadline = "3m"
	w.ignored = true
	w.apply("v2")
	w.rest()
}

// routersIgnoreUnseen: no answer of Prometheus is no sign that the routers work.
func routersIgnoreUnseen(w *world) {
	w.web.deadline = "3m"
	w.ignored = true
	w.apply("v2")
	w.untilReason(reason.AwaitingVerdict)
	w.fate("Prometheus is down")
	w.ignored, w.metricsDown = false, true
	w.run(time.Minute)
	w.fate("Prometheus is back")
	w.ignored, w.metricsDown = true, false
	w.rest()
}

func routersIgnoreForAMinute(w *world) {
	w.web.deadline = "3m"
	w.ignored = true
	w.apply("v2")
	w.untilReason(reason.AwaitingVerdict)
	w.run(time.Minute)
	w.fate("somebody corrects the Ingress class")
	w.ignored = false
	w.rest()
}

func onePodMissing(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.broken["v2"] = true
	w.missing = `3 of 4 pods: web-7d9f-abcde and 2 more (image "web:v2" of container web cannot be pulled: there is no such image)`
	w.untilReason(reason.PromotionStalled)
	w.run(5 * time.Minute)
	w.fate("the image is there again")
	w.mend("v2")
	w.rest()
}

func gapsFound(w *world) {
	w.gaps = []rollout.Note{
		{Reason: reason.CanaryNotCovered, Message: "NetworkPolicy to-the-database selects the stable pods but not the canary pods"},
		{Reason: reason.CanaryNotCovered, Message: "PodDisruptionBudget web selects the stable pods but not the canary pods"},
	}
	w.apply("v2")
	w.untilReason(reason.AwaitingPromotion)
	w.command("promote")
	w.rest()
}

// refused is a write that the API server refuses. The condition says so once, and the
// next pass tries again.
func (p *pass) refused() {
	w := p.w
	message := "rollout " + p.target() + ": the API server refuses a write of Headgate, which tries again every few seconds: " + refuserSays
	w.manager.again = w.now.Add(5 * time.Second)
	if w.web.reason == reason.WriteRefused && w.web.message == message {
		return
	}
	if w.web.reason != reason.WriteRefused {
		w.web.refused = w.now
	}
	w.web.reason, w.web.message = reason.WriteRefused, message
	p.event(reason.WriteRefused, message)
	w.publish()
}

// target is the rollout that the pass is about.
func (p *pass) target() string {
	if p.o.Canary != nil && p.o.Canary.StateErr == nil {
		return p.o.Canary.State.Rollout
	}
	return p.o.Stable.Hold
}
