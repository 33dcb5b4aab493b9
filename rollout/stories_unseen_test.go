package rollout_test

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
)

var unseenStories = map[string]story{
	"a new version while webhook and manager are away":        {brief, unseen},
	"two new versions, one of them while the manager is away": {brief, unseenAfterBypass},
	"a rollback goes out while the manager is away":           {brief, undoneUnseen},
	"a new version between two times of opting in":            {brief, optedOutBetween},
}

// away takes the manager away for ten minutes.
func (w *world) away() {
	w.fate("the manager is away")
	w.manager.down = w.now.Add(10 * time.Minute)
}

// unseen: it is reported once, and the report stays until the next rollout.
func unseen(w *world) {
	w.webhookDown = true
	w.away()
	w.apply("v2")
	w.rest()
	w.fate("the webhook is back")
	w.webhookDown = false
	w.apply("v3")
	w.rest()
}

// unseenAfterBypass: v2 is seen to go out; v3 replaces it while the manager is away.
func unseenAfterBypass(w *world) {
	w.fate("the webhook is down")
	w.webhookDown = true
	w.broken["v2"] = true
	w.apply("v2")
	w.untilReason(reason.Bypassed)
	w.away()
	w.apply("v3")
	w.rest()
}

// undoneUnseen: Headgate itself released it, so there is nothing to report.
func undoneUnseen(w *world) {
	w.web.window = "1"
	w.apply("v2")
	w.rest()
	w.apply("v1")
	w.until("v1 is released", func() bool { return w.web.hold == "" })
	w.away()
	w.rest()
}

func optedOutBetween(w *world) {
	w.optInOrOut()
	w.run(time.Minute)
	w.apply("v2")
	w.run(time.Minute)
	w.optInOrOut()
	w.rest()
}
