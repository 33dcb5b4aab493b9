package gitops

import (
	"testing"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestLifeOfAnApplication goes through everything that a commit can start, and compares at
// each halt and in between.
func TestLifeOfAnApplication(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, options)
		a.watch()
		a.health(a.synced("v1 runs")[0], "Healthy", "", "Healthy")

		a.ship("v2", nil)
		if now := a.compare()[0]; now.Health == "Healthy" {
			t.Error("right after the sync it is Healthy, as before: whoever waits for that goes on at once")
		}
		a.await(reason.AwaitingPromotion)
		c := a.synced("the canary of v2 runs")[0]
		a.health(c, "Suspended", "until a person decides: kubectl annotate", "Suspended")
		for _, child := range []string{"Deployment/web-canary", "Service/web-canary", "Ingress/web-canary"} {
			if _, ok := c.Children[child]; !ok {
				t.Errorf("%s is not in the tree below the Application: %v", child, c.Children)
			}
		}
		a.resync()
		a.synced("v2 was synced again")

		a.ship("v3", nil)
		a.await(reason.AwaitingPromotion)
		a.synced("v3 came while v2 was tried")

		a.ship("v1", nil)
		a.restored()
		a.health(a.synced("the commits were reverted")[0], "Healthy", "", "Healthy")
	})
}

// TestFailure: a rollout that was rolled back stays Synced, a sync of the same commit does
// not try it again, and a revert ends it.
func TestFailure(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, options, func(a *app) { a.Annotations[spec.AnnotationProgressDeadline] = "3s" })
		a.watch()
		a.ship("v2", map[string]string{"NEVER_READY": "true"})
		a.await(reason.ProgressDeadlineExceeded)
		a.health(a.synced("v2 failed")[0], "Degraded", "rolled back, stable serves all traffic", "Suspended")
		a.resync()
		a.await(reason.ProgressDeadlineExceeded)
		a.synced("the failed v2 was synced again")
		a.ship("v1", nil)
		a.restored()
		a.health(a.synced("v2 was reverted")[0], "Healthy", "", "Healthy")
	})
}

// TestPromotion: after a promotion Argo CD owns what it owned before, so an environment
// variable that leaves git leaves the Deployment.
func TestPromotion(t *testing.T) {
	t.Parallel()
	for _, promotion := range []string{"adoption", "rolling"} {
		t.Run(promotion, func(t *testing.T) {
			t.Parallel()
			forEachApply(t, func(t *testing.T, options []string) {
				a := newApp(t, options, func(a *app) {
					a.Annotations[spec.AnnotationSteps], a.Annotations[spec.AnnotationPromotion] = "100%, pause", promotion
				})
				a.watch()
				a.ship("v2", map[string]string{"NEW": "1"})
				a.await(reason.AwaitingPromotion)
				a.press("promote")
				a.await(reason.Promoted)
				a.gone()
				a.health(a.synced("v2 is promoted")[0], "Healthy", "", "Healthy")

				a.shipRemoval("v2")
				a.await(reason.AwaitingPromotion)
				a.hasNoVariable("held")
				a.synced("the variable left git")
				a.press("promote-full")
				a.await(reason.Promoted)
				a.gone()
				a.hasNoVariable("promoted")
				a.synced("the variable is gone")
			})
		})
	}
}

// shipRemoval is ship for a commit that only removes the environment. Argo CD sees that with
// the diff that belongs to how it applies.
func (a *app) shipRemoval(version string) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commit(version, nil)
	for _, c := range a.compare() {
		if seen := c.Status == "OutOfSync"; seen != (a.appliesServerSide() == (c.Mode != legacy)) {
			a.Errorf("%s: %s when a variable has left git", c.Mode, c.Status)
		}
	}
	a.sync()
}

func (a *app) hasNoVariable(when string) {
	a.Helper()
	if env := a.live().Spec.Template.Spec.Containers[0].Env; len(env) > 0 {
		a.Errorf("the variable left git, and what is %s has %v", when, env)
	}
}

// TestRemovalWithoutHeadgate: what Argo CD sees of a removal is the same for a Deployment that
// Headgate does not touch.
func TestRemovalWithoutHeadgate(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, options, func(a *app) { a.Annotations, a.Env = nil, map[string]string{"NEW": "1"} })
		a.shipRemoval("v1")
		a.hasNoVariable("live")
		a.synced("the variable is gone")
	})
}
