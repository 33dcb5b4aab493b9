package gitops

import (
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestButtons presses each button as Argo CD's server does: a merge patch of what the Lua
// changed. No press makes the Application OutOfSync.
func TestButtons(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, options, func(a *app) { a.Annotations[spec.AnnotationSteps] = "50%, 1h, 100%" })
		a.watch()
		a.ship("v2", nil)
		a.await(reason.Waiting)
		a.press("pause")
		a.await(reason.PausedByCommand)
		a.health(a.synced("paused")[0], "Suspended", "paused by command", "Suspended")
		a.refusesPress("pause", "nothing to pause")
		a.press("resume")
		a.await(reason.Waiting)
		a.health(a.synced("resumed")[0], "Progressing", "rollout ", "Suspended")
		a.refusesPress("resume", "use promote")
		a.refusesPress("restart", "a new template is held")
		a.refusesPress("retry", "nothing to retry")
		a.press("abort")
		a.await(reason.AbortedByCommand)
		a.refusesPress("promote", "nothing to promote")

		rollout := a.live().Annotations[spec.AnnotationRollout]
		a.press("retry")
		a.awaitOther(rollout)
		a.await(reason.Waiting)
		a.press("promote")
		a.await(reason.Promoted)
		a.gone()
		a.synced("promoted")

		a.ship("v3", nil)
		a.await(reason.Waiting)
		a.press("promote-full")
		a.await(reason.Promoted)
		a.gone()
		a.health(a.synced("promoted in full")[0], "Healthy", "", "Healthy")
	})
}

// refusesPress checks that a button is disabled, and that its script ends with an error that
// contains words if it is pressed all the same.
func (a *app) refusesPress(button, words string) {
	a.Helper()
	press := actionRequest{Namespace: a.Namespace, Name: a.Name}
	shown, err := argo.ask(a.within(time.Minute), request{Action: &press})
	a.must(err)
	if enabled, ok := shown.Action.Buttons[button]; !ok || enabled {
		a.Errorf("the button %s is there: %v, enabled: %v", button, ok, enabled)
	}
	before := a.live()
	press.Press = button
	if _, err := argo.ask(a.within(time.Minute), request{Action: &press}); err == nil || !strings.Contains(err.Error(), words) {
		a.Errorf("the button %s: %v, want an error with %q", button, err, words)
	}
	if after := a.live(); after.Generation != before.Generation {
		a.Errorf("the button %s wrote", button)
	}
}

// awaitOther waits until the Deployment is held for another rollout.
func (a *app) awaitOther(rollout string) {
	a.Helper()
	dep := a.deployment()
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		if now := dep.Annotations[spec.AnnotationRollout]; now == rollout || now == "" {
			return errPhase("still that of rollout " + now)
		}
		return nil
	}))
}
