package rollout_test

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
)

// adoptionStories are of canary pods that become pods of the Deployment, and of what can
// come in between. With "50%, 1m" the ReplicaSet that has the pods waits for the settle
// time before the Deployment gets it.
var adoptionStories = map[string]story{
	"adopted, and a rolling update is wanted":            {usual, rolling(goodVersion)},
	"adopted, and back, and again":                       {"100%, 1m", adoptedAgain},
	"a third version while pods have no owner":           {brief, whileOrphaned(func(w *world) { w.apply("v3") })},
	"a third version while pods are adopted":             {brief, whileFilled(func(w *world) { w.apply("v3") })},
	"a third version just after the adoption":            {brief, whilePromoted(func(w *world) { w.apply("v3") })},
	"git goes back while pods are adopted":               {brief, whileFilled(func(w *world) { w.apply("v1") })},
	"the opt-in goes while pods are adopted":             {brief, whileFilled((*world).optInOrOut)},
	"an abort while pods are adopted":                    {brief, whileFilled(func(w *world) { w.command("abort") })},
	"scaled up while pods are adopted":                   {brief, whileFilled(func(w *world) { w.scale(6) })},
	"scaled down while pods are adopted":                 {brief, whileFilled(func(w *world) { w.scale(2) })},
	"a pod dies while it has no owner":                   {brief, whileOrphaned(func(w *world) { w.canaryPodsDie(1, time.Minute) })},
	"somebody deletes the routes while pods are adopted": {brief, whileFilled((*world).deleteRoutes)},
	"somebody deletes the canary while pods are adopted": {brief, whileFilled((*world).deleteCanary)},
	"a policy lets nobody adopt pods":                    {brief, refusing(podWrites)},
	"the canary has no room to grow":                     {brief, noRoomToGrow},
	"the canary is larger than stable":                   {"scale=6, 50%, 1m", goodVersion},
}

// whileOrphaned lets something happen when the canary's pods have lost their ReplicaSet.
func whileOrphaned(happens func(*world)) func(*world) {
	return func(w *world) {
		w.apply("v2")
		w.until("the pods have no owner", func() bool {
			return w.adopting != nil && apisim.Get[*appsv1.ReplicaSet](w.api, namespace, canarySet) == nil
		})
		happens(w)
		w.rest()
	}
}

// whileFilled does so when their new ReplicaSet has them, and the Deployment does not
// have that.
func whileFilled(happens func(*world)) func(*world) {
	return func(w *world) {
		w.apply("v2")
		w.untilReason(reason.Adopting)
		w.run(2 * time.Second)
		happens(w)
		w.rest()
	}
}

func whilePromoted(happens func(*world)) func(*world) {
	return func(w *world) {
		w.apply("v2")
		w.untilReason(reason.Promoted)
		happens(w)
		w.rest()
	}
}

// adoptedAgain: the Deployment has an older ReplicaSet of the same template, without pods.
func adoptedAgain(w *world) {
	for _, version := range []string{"v2", "v1", "v2"} {
		w.apply(version)
		w.rest()
	}
}

func podWrites(_ *pass, w apisim.Write) bool { return w.Kind == "Pod" }

func noRoomToGrow(w *world) {
	w.apply("v2")
	w.untilShare(50)
	w.trouble = `pods "web-canary-x" is forbidden: exceeded quota: pods`
	w.broken["v2"] = true
	w.untilReason(reason.PromotionStalled)
	w.fate("the quota is larger")
	w.mend("v2")
	w.rest()
}
