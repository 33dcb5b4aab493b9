package e2e

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// The tests in this file stop what all services share, so none is parallel.

// TestManagerKilledAtEveryPhase kills every manager, without warning, each time the
// rollout has a new reason. The first kill comes right after Headgate has held the
// autoscaler.
//
// It reads the events of a watch and not the present state: no reason is missed, however
// short it was there.
func TestManagerKilledAtEveryPhase(t *testing.T) {
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%", spec.AnnotationAnalysis: good}).withAutoscaler()
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	kills := map[string]bool{}
	for now := range s.everyReason(6 * time.Minute) {
		if now == string(reason.Promoted) {
			break
		}
		if now != string(reason.Ready) && !kills[now] {
			kills[now] = true
			replaceManagers(s.service)
			if now == string(reason.AwaitingPromotion) {
				s.commandSoon("promote")
			}
		}
	}
	s.gone(time.Minute)
	for _, phase := range []reason.Reason{
		reason.CanaryStarting, reason.AwaitingVerdict,
		reason.AwaitingPromotion, reason.Adopting,
	} {
		if !kills[string(phase)] {
			t.Errorf("no manager was killed at %s; only at %v", phase, kills)
		}
	}
	s.awaitRestored()
	if writes := s.scalerWrites(); len(writes) != 2 {
		t.Errorf("want the autoscaler held and restored, the writes are %v", writes)
	}
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// everyReason yields the reason of the condition after every change of the Deployment,
// the present one first. It fails the test when limit is over.
func (s *service) everyReason(limit time.Duration) iter.Seq[string] {
	s.Helper()
	ctx := s.within(limit)
	events, err := shared.Client().Watch(ctx, &appsv1.DeploymentList{},
		client.InNamespace(s.Namespace), client.MatchingFields{"metadata.name": s.Name})
	s.must(err)
	return func(yield func(string) bool) {
		defer events.Stop()
		now, message := "", ""
		for e := range events.ResultChan() {
			dep, ok := e.Object.(*appsv1.Deployment)
			if !ok {
				break
			}
			if now, message = condition(dep); !yield(now) {
				return
			}
		}
		s.Fatalf("the watch ended at %s: %s: %v", now, message, context.Cause(ctx))
	}
}

// commandSoon gives a command as soon as a webhook answers again.
func (s *service) commandSoon(command string) {
	s.Helper()
	s.must(lab.Poll(s.within(time.Minute), func() error {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, spec.AnnotationCommand, command)
		return shared.Client().Patch(s.Context(), s.deployment(), client.RawPatch(types.MergePatchType, patch))
	}))
}

// TestManagerKilledAfterTheVerdict: the next manager must not give any traffic to the
// version that failed.
func TestManagerKilledAfterTheVerdict(t *testing.T) {
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 10s, 100%", spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"ERROR_RATE": "0.3"})
	s.awaitWeight(time.Minute, 50)
	s.awaitWeight(time.Minute, -1)
	killManagers(s)
	canary := s.canary()
	s.must(shared.Await(s.within(2*time.Minute), canary, func() error {
		if *canary.Spec.Replicas > 0 {
			return fmt.Errorf("the canary still has %d replicas", *canary.Spec.Replicas)
		}
		return nil
	}))
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// TestPrometheusStopped: without Prometheus the weight stays for as long as that lasts,
// here for several measurements.
func TestPrometheusStopped(t *testing.T) {
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 5s, 100%", spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.awaitWeight(time.Minute, 50)
	shared.Prometheus.Stop()
	stopped := time.Now()
	s.await(time.Minute, reason.AwaitingVerdict)
	for time.Since(stopped) < 20*time.Second {
		time.Sleep(time.Second)
		if now := s.weights.now(); now != 50 {
			t.Fatalf("without Prometheus the weight went from 50 to %d", now)
		}
	}
	s.must(shared.Prometheus.Start(s.within(30 * time.Second)))
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.over()
}

func TestManagerAndWebhookGone(t *testing.T) {
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)

	scaleManagers(s, 0)
	t.Run("pods are replaced", func(t *testing.T) {
		before := s.podNames("v1")
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: before[0]}}
		s.must(shared.Client().Delete(t.Context(), pod))
		s.must(lab.Poll(s.within(30*time.Second), func() error {
			if now := s.podNames("v1"); len(now) != len(before) || slices.Contains(now, before[0]) {
				return fmt.Errorf("pods were %v, now %v", before, now)
			}
			return nil
		}))
	})
	t.Run("the Deployment scales", func(t *testing.T) {
		scale := &unscaled{s}
		scale.to(6)
		s.awaitPods(30*time.Second, "v1", 6)
		scale.to(4)
		s.awaitPods(30*time.Second, "v1", 4)
	})
	t.Run("no template gets past the hold", func(t *testing.T) {
		dep := s.deployment()
		err := shared.Client().Patch(t.Context(), dep, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"paused":false}}`)))
		if err == nil {
			t.Error("a held template was released while no webhook answered")
		}
	})
	scaleManagers(s, 2)
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(2*time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.over()
}

// TestTemplateThatWentOutUnseen: with failurePolicy Ignore and no manager, a template
// goes out as if nobody had opted in. The next manager reports it, once, and holds the
// template after it.
func TestTemplateThatWentOutUnseen(t *testing.T) {
	s := newUncalled(t, nil)
	s.await(20*time.Second, reason.Ready)
	s.failurePolicy(admissionv1.Ignore)
	s.guard(admissionv1.Audit)
	scaleManagers(s, 0)
	s.awaitUnguarded()
	s.ship("v2", nil)
	s.awaitPods(time.Minute, "v2", 2)
	s.awaitPods(time.Minute, "v1", 0)
	s.must(shared.Available(s.within(time.Minute), s.deployment()))

	scaleManagers(s, 2)
	s.awaitWords(time.Minute, reason.BypassFound, "went out without a canary while Headgate did not look")

	scaleManagers(s, 0) // a restart is no new version
	s.must(shared.Client().Patch(t.Context(), s.deployment(), client.RawPatch(types.MergePatchType, []byte(restartPatch))))
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	scaleManagers(s, 2)
	s.poke()
	time.Sleep(5 * time.Second)
	if notes := s.notes(reason.BypassFound); len(notes) != 1 {
		t.Errorf("events BypassFound are %q, want one", notes)
	}
	s.guard(admissionv1.Deny)
	s.failurePolicy(admissionv1.Fail)
	s.ship("v3", nil)
	s.await(time.Minute, reason.CanaryStarting, reason.RoutesSettling, reason.WeightSet)
}

// failurePolicy sets what the API server does while no webhook answers. The test ends
// with Fail again.
func (s *service) failurePolicy(policy admissionv1.FailurePolicyType) {
	s.Helper()
	var list admissionv1.MutatingWebhookConfigurationList
	set := func(policy admissionv1.FailurePolicyType) error {
		if err := shared.Client().List(context.Background(), &list); err != nil {
			return err
		}
		for i := range list.Items {
			c := &list.Items[i]
			for j := range c.Webhooks {
				c.Webhooks[j].FailurePolicy = &policy
			}
			if err := shared.Client().Update(context.Background(), c); err != nil {
				return err
			}
		}
		return nil
	}
	s.must(lab.Poll(s.within(20*time.Second), func() error { return set(policy) }))
	if policy == admissionv1.Ignore {
		s.Cleanup(func() { s.must(set(admissionv1.Fail)) })
	}
}

// guard sets what the policy beside the webhook does with a template that nobody held. The
// test ends with Deny again.
func (s *service) guard(action admissionv1.ValidationAction) {
	s.Helper()
	set := func(action admissionv1.ValidationAction) error {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "headgate-guard"}}
		patch := fmt.Appendf(nil, `{"spec":{"validationActions":[%q]}}`, action)
		return shared.Client().Patch(context.Background(), binding, client.RawPatch(types.MergePatchType, patch))
	}
	s.must(set(action))
	if action != admissionv1.Deny {
		s.Cleanup(func() { s.must(set(admissionv1.Deny)) })
	}
}

// awaitUnguarded waits until the API server would store a template that nobody holds. It
// learns of a changed binding a moment later.
func (s *service) awaitUnguarded() {
	s.Helper()
	image := client.RawPatch(types.StrategicMergePatchType, fmt.Appendf(nil,
		`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, lab.Image("v9")))
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		return shared.Client().Patch(s.Context(), s.deployment(), image, client.DryRunAll)
	}))
}

// unscaled scales as an autoscaler does: through the scale subresource.
type unscaled struct{ *service }

func (u *unscaled) to(replicas int) {
	u.Helper()
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	u.must(shared.Client().SubResource("scale").Patch(u.Context(), u.deployment(), patch))
}

func managers(s *service) []corev1.Pod {
	s.Helper()
	var list corev1.PodList
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(lab.HeadgateNamespace)))
	return list.Items
}

func killManagers(s *service) {
	s.Helper()
	for _, pod := range managers(s) {
		if err := shared.Node.KillPod(pod.Namespace, pod.Name); err != nil {
			s.Logf("killing %s: %v", pod.Name, err) // it is not running: it was killed a moment ago
		}
	}
}

// replaceManagers is killManagers, and does not wait for the Lease of the dead leader to
// run out, nor for the back-off of pods that are killed again and again: without the Lease
// and the pods, new managers begin at once.
func replaceManagers(s *service) {
	s.Helper()
	killManagers(s)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
	s.must(client.IgnoreNotFound(shared.Client().Delete(s.Context(), lease)))
	for _, pod := range managers(s) {
		s.must(client.IgnoreNotFound(shared.Client().Delete(s.Context(), &pod, client.GracePeriodSeconds(0))))
	}
}

func scaleManagers(s *service, replicas int) {
	s.Helper()
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	s.must(shared.Client().Patch(s.Context(), dep, patch))
	s.must(lab.Poll(s.within(time.Minute), func() error {
		if n := len(managers(s)); n != replicas {
			return fmt.Errorf("%d managers, want %d", n, replicas)
		}
		return nil
	}))
	s.must(shared.Available(s.within(time.Minute), dep))
}
