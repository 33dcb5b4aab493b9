package rollout_test

import (
	"time"

	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
)

// refusedStories are of writes that the API server refuses, of weights that are not in
// force, and of what the condition says about pods and warnings.
var refusedStories = map[string]story{
	"the canary is refused":                        {usual, refusing(newCanary)},
	"the canary routes are refused":                {usual, refusing(anyIngress)},
	"the first weight is refused":                  {usual, refusing(weightOf(10))},
	"a later weight is refused":                    {usual, refusing(weightOf(50))},
	"one of two Ingresses is refused":              {usual, refusing(secondIngress)},
	"a header rule is refused":                     {"0%, header=X-Canary, pause, 10%, 1m", refusing(headerRule)},
	"a header rule beside a weight is refused":     {"10%, 1m, header=X-Canary, 1m, 50%, 1m", refusing(headerRule)},
	"the release is refused":                       {brief, rolling(refusing(release))},
	"the release is refused for an hour":           {brief, releaseRefused},
	"the routers ignore, and Prometheus is down":   {usual, routersIgnoreUnseen},
	"a later weight is refused for a minute":       {usual, refusedForAMinute},
	"a weight cannot be put right at a pause":      {"20%, pause, 50%, 1m", editedAtPause},
	"the routers ignore the canary":                {usual, routersIgnore},
	"the routers ignore the canary for a minute":   {usual, routersIgnoreForAMinute},
	"one pod of a promotion never becomes ready":   {brief, onePodMissing},
	"a NetworkPolicy and a budget miss the canary": {"50%, pause, 100%", gapsFound},
}

// refusing refuses every write of which one of these says so. Deletions are never
// refused.
func refusing(which ...func(*pass, apisim.Write) bool) func(*world) {
	return func(w *world) {
		w.web.deadline = "3m"
		w.refuse(which...)
		w.apply("v2")
		w.rest()
	}
}

func (w *world) refuse(which ...func(*pass, apisim.Write) bool) {
	w.fate("a policy refuses writes")
	w.refuses = func(write apisim.Write) bool {
		for _, is := range which {
			if write.Verb != "delete" && write.Sub == "" && is(w.manager.pass, write) {
				return true
			}
		}
		return false
	}
}

func anyIngress(_ *pass, w apisim.Write) bool { return w.Kind == "Ingress" }
func secondIngress(p *pass, w apisim.Write) bool {
	return anyIngress(p, w) && w.Key.Name == ingressNames[1]+"-canary" && p.d.Routes.Weight == 50
}
func headerRule(p *pass, w apisim.Write) bool { return anyIngress(p, w) && !p.d.Routes.Match.None() }
func weightOf(weight int) func(*pass, apisim.Write) bool {
	return func(p *pass, w apisim.Write) bool { return anyIngress(p, w) && p.d.Routes.Weight == weight }
}
func newCanary(_ *pass, w apisim.Write) bool { return w.Key.Name == canaryName && w.Verb == "create" }
func release(p *pass, w apisim.Write) bool {
	return w.Kind == "Deployment" && w.Key.Name == "web" && p.d.Hold == rollout.Release
}

// rolling is a story in which the promotion is a rolling update.
func rolling(tell func(*world)) func(*world) {
	return func(w *world) {
		w.web.promotion = "rolling"
		tell(w)
	}
}

func releaseRefused(w *world) {
	w.refuse(release)
	w.apply("v2")
	w.untilReason(reason.WriteRefused)
	w.run(time.Hour)
	w.fate("the policy is gone")
	w.refuses = nil
	w.rest()
}

func refusedForAMinute(w *world) {
	w.refuse(weightOf(50))
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
	w.refuse(anyIngress)
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
	selector := metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	must(w.api.Create(&netv1.NetworkPolicy{ObjectMeta: meta("to-the-database"), Spec: netv1.NetworkPolicySpec{PodSelector: selector}}))
	must(w.api.Create(&policyv1.PodDisruptionBudget{ObjectMeta: meta("web"), Spec: policyv1.PodDisruptionBudgetSpec{Selector: &selector}}))
	w.apply("v2")
	w.untilReason(reason.AwaitingPromotion)
	w.command("promote")
	w.rest()
}
