package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/controlplane"
)

const webhookName = "deployments.headgate.dev"

// TestDeploymentsThatDidNotOptInAreNotDelayed counts the API server's calls of
// the webhook: none for a Deployment without the annotation, none for scaling or
// unrelated edits of one with it, one for a new template.
//
// It is not parallel: other tests call the webhook too.
func TestDeploymentsThatDidNotOptInAreNotDelayed(t *testing.T) {
	s := &service{T: t, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 1, Namespace: newNamespace(t)}}
	calls := func(what string, want int, do func()) {
		t.Helper()
		before := s.webhookCalls()
		do()
		if got := s.webhookCalls() - before; got != want {
			t.Errorf("%s: %d webhook calls, want %d", what, got, want)
		}
	}
	calls("a Deployment that did not opt in", 0, func() {
		s.ship("v1", nil)
		s.ship("v2", nil)
		s.annotate("example.com/note", "hello")
	})
	calls("the opt-in", 1, func() {
		s.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
		s.ship("v2", nil)
	})
	s.await(20*time.Second, reason.Ready)
	calls("scaling, status and unrelated annotations of one that did", 0, func() {
		(&unscaled{s}).to(2)
		s.annotate("example.com/note", "bye")
		s.must(shared.Available(s.within(time.Minute), s.deployment()))
	})
	calls("a new template", 1, func() {
		s.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{"edition": "two"},
		}}}})
	})
}

func (s *service) webhookCalls() int {
	s.Helper()
	n, err := shared.ControlPlane.WebhookCalls(s.Context(), webhookName)
	s.must(err)
	return n
}

// TestNothingIsWrittenAtRest: Headgate writes nothing while nothing happens, in every
// state in which a rollout can wait.
func TestNothingIsWrittenAtRest(t *testing.T) {
	t.Parallel()
	waiting := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	waiting.withAutoscaler()
	waiting.await(20*time.Second, reason.Ready)
	waiting.ship("v2", nil)
	waiting.await(time.Minute, reason.AwaitingPromotion)
	failed := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	failed.withAutoscaler()
	failed.await(20*time.Second, reason.Ready)
	failed.ship("v2", nil)
	failed.await(time.Minute, reason.AwaitingPromotion)
	failed.annotate(spec.AnnotationCommand, "abort")
	failed.await(time.Minute, reason.AbortedByCommand)
	canary := failed.canary()
	failed.must(shared.Await(failed.within(time.Minute), canary, func() error { return none(canary) }))

	// What it still has to write at first, an event for example, comes however late.
	settled := writesOf(t, waiting, failed)
	must(t, lab.Poll(waiting.within(time.Minute), func() error {
		time.Sleep(3 * time.Second)
		last := settled
		if settled = writesOf(t, waiting, failed); len(settled) > len(last) {
			return fmt.Errorf("it writes and writes: %v", settled[len(last):])
		}
		return nil
	}))
	time.Sleep(15 * time.Second)
	for _, w := range writesOf(t, waiting, failed)[len(settled):] {
		t.Errorf("written at rest: %s %s %s/%s %s", w.Verb, w.Resource, w.Namespace, w.Name, w.Subresource)
	}
	failed.over()
	waiting.annotate(spec.AnnotationCommand, "promote")
	waiting.await(time.Minute, reason.Promoted)
	waiting.gone(30 * time.Second)
	waiting.over()
}

// writesOf returns Headgate's writes in the namespaces of services, in its own and outside
// of any.
func writesOf(t *testing.T, services ...*service) []controlplane.Write {
	t.Helper()
	writes, err := shared.HeadgateWrites()
	must(t, err)
	watched := []string{"", lab.HeadgateNamespace}
	for _, s := range services {
		watched = append(watched, s.Namespace)
	}
	return slices.DeleteFunc(writes, func(w controlplane.Write) bool { return !slices.Contains(watched, w.Namespace) })
}

func none(dep *appsv1.Deployment) error {
	if *dep.Spec.Replicas == 0 && dep.Status.Replicas == 0 {
		return nil
	}
	return fmt.Errorf("%s still has %d pods", dep.Name, dep.Status.Replicas)
}

// TestHoldIsNotUndoneByAccident: only Headgate releases a held template.
func TestHoldIsNotUndoneByAccident(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	held := s.applied.Annotations[spec.AnnotationRollout]

	// Like `kubectl replace` and Argo CD's Replace=true: without markers and pause.
	s.must(shared.Client().Update(t.Context(), s.Deployment()))
	s.patch(map[string]any{"spec": map[string]any{"paused": false}})
	s.patch(map[string]any{"metadata": map[string]any{"annotations": map[string]any{spec.AnnotationRollout: nil}}})

	dep := s.deployment()
	s.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(dep), dep))
	if !dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] != held {
		t.Errorf("paused %v, %s=%q; want held as %q", dep.Spec.Paused, spec.AnnotationRollout, dep.Annotations[spec.AnnotationRollout], held)
	}
	s.annotate(spec.AnnotationCommand, "promote-full:"+held)
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.over()
}
