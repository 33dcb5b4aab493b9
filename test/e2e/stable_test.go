package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// newUncalled returns a service that is opted in from its first deployment on and gets
// no requests.
func newUncalled(t *testing.T, env map[string]string) *service {
	t.Helper()
	s := &service{T: t, Sample: lab.Sample{Name: "web", Replicas: 2, Annotations: map[string]string{
		spec.AnnotationStrategy: "canary", spec.AnnotationSteps: "50%, 100%",
	}}}
	s.Namespace = newNamespace(t)
	s.apply(s.Service())
	s.apply(s.Ingress())
	s.given = s.routes()
	s.weights = watchWeights(t, s.Namespace)
	s.ship("v1", env)
	s.awaitPods(30*time.Second, "v1", 2)
	return s
}

// TestTheRunningVersionIsDown: without a stable pod that serves there is nothing to
// compare with. The new version may be the fix. A person releases it with one command,
// which the condition names.
func TestTheRunningVersionIsDown(t *testing.T) {
	t.Parallel()
	s := newUncalled(t, map[string]string{"NEVER_READY": "true"})
	s.ship("v2", nil)
	s.awaitWords(30*time.Second, reason.StableUnavailable, spec.AnnotationCommand+"=promote-full")
	s.noCanary()
	if s.hold() == "" || len(s.podNames("v2")) > 0 {
		t.Error("the fix went out by itself")
	}
	s.annotate(spec.AnnotationCommand, "promote-full")
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.must(shared.AwaitRoute(s.within(20*time.Second), s.Host()))
	s.load = s.send(s.Host())
	s.await(20*time.Second, reason.Ready)
	if versions := s.over().Versions(); versions["v2"] == 0 || len(versions) > 1 {
		t.Errorf("the answers are %v, want v2's only", versions)
	}
}

// TestRecreateIsNoSilentBypass: the strategy Recreate stops every pod first, so there
// is no canary. The template rolls out, and the condition says so.
func TestRecreateIsNoSilentBypass(t *testing.T) {
	t.Parallel()
	s := newUncalled(t, nil)
	s.await(20*time.Second, reason.Ready)
	s.Version = "v2"
	dep := s.Deployment()
	dep.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	s.shipAs(dep)
	s.awaitPods(time.Minute, "v2", 2)
	s.noCanary()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		if notes := s.notes(reason.Bypassed); len(notes) != 1 || !strings.Contains(notes[0], "without a canary") {
			return fmt.Errorf("events Bypassed are %q, want one", notes)
		}
		return nil
	}))
}
