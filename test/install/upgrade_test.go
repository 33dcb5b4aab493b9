package install

import (
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestUpgradeInTheMiddleOfARollout goes from the chart before to the present one and back,
// and changes a setting meanwhile. The rollout goes on as one.
func TestUpgradeInTheMiddleOfARollout(t *testing.T) {
	i := install(t, before, nil)
	a := newApp(t, "25%, pause, 50%, pause, 75%, pause", nil)
	a.Await(20*time.Second, reason.Ready)
	a.Ship("v2", nil)
	a.Await(time.Minute, reason.AwaitingPromotion)
	rollout := a.Now().Annotations[spec.AnnotationRollout]

	i.upgrade(present, map[string]string{"ingress.drain": "3s", "log.level": "debug"})
	a.goesOn(rollout, 25, 50)
	i.must(i.Rollback())
	a.goesOn(rollout, 50, 75)
	i.upgrade(present, nil)
	a.Annotate(spec.AnnotationCommand, "promote")
	a.Await(time.Minute, reason.Promoted)
	a.Gone(time.Minute)
	i.must(i.Uninstall())
	a.free("v2")
}

// goesOn checks that the rollout is where it was, and takes it to the next weight.
func (a *app) goesOn(rollout string, weight, next int) {
	a.Helper()
	if now := a.Weight(); now != weight {
		a.Errorf("the weight is %d, it was %d", now, weight)
	}
	a.Annotate(spec.AnnotationCommand, "promote")
	a.AwaitWeight(time.Minute, next)
	a.Await(time.Minute, reason.AwaitingPromotion)
	if now := a.Now().Annotations[spec.AnnotationRollout]; now != rollout {
		a.Errorf("rollout %s, it was %s", now, rollout)
	}
}
