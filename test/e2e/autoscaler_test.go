package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestStableIsNotShrunkBeforeAPromotion: the canary gets all traffic, twice as much
// as stable ever had. Stable keeps its pods. Its autoscaler may add pods, and does
// not count the pods of the canary.
func TestStableIsNotShrunkBeforeAPromotion(t *testing.T) {
	t.Parallel()
	s := newScaled(t, "100%, pause")
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.routed() // stable would get a part of the additional load before, and grow
	s.awaitScaler(idle)
	s.hpa.Spec.MaxReplicas = 2 * full
	s.apply(s.scaler(func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MaxReplicas = 2 * full }))
	more := s.send(s.Host())
	s.must(lab.Poll(s.within(time.Minute), func() error {
		if n := more.Report().Versions()["v2"]; n < 10*scaledRate { // ten seconds: the autoscaler looks every two
			return fmt.Errorf("v2 gave %d more answers", n)
		}
		return nil
	}))
	s.awaitLimited()
	s.awaitScaler(idle)
	if r := more.Stop(); len(r.FailedByRollout()) > 0 || r.Share("v2") < 1 {
		t.Errorf("more load, for v2 alone: %s", r)
	}
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(2*time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	s.awaitRestored()
	s.neverShrunk()
	s.heldWhileThereWasTraffic()
	s.over()

	s.awaitSize(1)
	s.load = s.send(s.Host())
	s.awaitSize(full)
	s.over()
}

// idle checks that the autoscaler sees only the pods of stable, which have no
// traffic.
func idle(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	is := hpa.Status
	if is.CurrentReplicas != full || is.DesiredReplicas != full {
		return fmt.Errorf("it counts %d replicas and wants %d, want %d", is.CurrentReplicas, is.DesiredReplicas, full)
	}
	if m := is.CurrentMetrics; len(m) != 1 || m[0].Resource == nil || !m[0].Resource.Current.AverageValue.IsZero() {
		return fmt.Errorf("it sees a load: %v", m)
	}
	return nil
}

// neverShrunk checks that stable always had enough pods for all the traffic.
func (s *scaled) neverShrunk() {
	s.Helper()
	if replicas, available := s.sizes.least(); replicas < full || available < full {
		s.Errorf("stable was down to %d replicas, %d of them Available", replicas, available)
	}
}

// heldWhileThereWasTraffic checks that Headgate wrote the autoscaler twice: before
// the canary got traffic, and after the canary could no longer have any.
func (s *scaled) heldWhileThereWasTraffic() {
	s.Helper()
	s.said(reason.ScaleDownHeld, "HorizontalPodAutoscaler web ")
	s.said(reason.ScaleDownRestored, "HorizontalPodAutoscaler web ")
	writes := s.scalerWrites()
	if len(writes) != 2 {
		s.Fatalf("the autoscaler was written %d times: %v", len(writes), writes)
	}
	// The API server answers one write before Headgate makes the next: its times have the
	// order of the writes. The first write of a weight above 0 is the first patch.
	for _, w := range s.routeLog() {
		if w.Verb == "patch" && w.Received.Before(writes[0].Time) {
			s.Errorf("held at %s, after a weight was written at %s", writes[0].Time, w.Received)
		}
	}
	// Headgate counts from when it has seen that the routes are gone.
	if gone := s.unrouted(time.Time{}); writes[1].Time.Before(gone.Add(settle)) {
		s.Errorf("restored %s after the routes had gone, routers settle in %s", writes[1].Time.Sub(gone), settle)
	}
}

// TestStableIsNotShrunkBeforeAnAbort: after an abort all pods are there for the
// traffic that returns. The autoscaler keeps its own rules.
func TestStableIsNotShrunkBeforeAnAbort(t *testing.T) {
	t.Parallel()
	s := newScaled(t, "75%, pause", func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{
			StabilizationWindowSeconds: new(int32(4)),
			Policies:                   []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 3, PeriodSeconds: 15}},
		}}
	})
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.awaitLimited()
	s.annotate(spec.AnnotationCommand, "abort")
	s.await(20*time.Second, reason.AbortedByCommand)
	canary := s.canary()
	s.must(shared.Await(s.within(30*time.Second), canary, func() error { return none(canary) }))
	s.awaitRestored()
	s.neverShrunk()
	s.heldWhileThereWasTraffic()
	s.over()
}

// TestStableThatShrinksGetsItsTrafficBackInPortions is the control experiment: the
// user asks for a scale-down (selectPolicy Min), so the autoscaler shrinks stable.
// Without Headgate it would do so in the tests above too.
func TestStableThatShrinksGetsItsTrafficBackInPortions(t *testing.T) {
	t.Parallel()
	s := newScaled(t, "100%, pause", selects(autoscalingv2.MinChangePolicySelect))
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.said(reason.ScaleDownNotHeld, "selectPolicy is Min, which is your choice")
	s.awaitSize(1)
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(3*time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	s.over()
	s.cameBackInPortions()
	s.awaitSize(full)
	s.awaitRestored()
	if writes := s.scalerWrites(); len(writes) > 0 {
		t.Errorf("the autoscaler was written: %v", writes)
	}
}

// cameBackInPortions checks that stable never got back more than 125% of what its
// pods carry. Example: with 1 of 4 pods available, stable may get 25% * 1.25 = 31%
// of the traffic, so the weight of the canary is 69 or more.
func (s *scaled) cameBackInPortions() {
	s.Helper()
	s.weights.mu.Lock()
	changes := slices.Clone(s.weights.changes[min(2, len(s.weights.changes)):]) // after none, and 0
	s.weights.mu.Unlock()
	if len(changes) < 3 {
		s.Errorf("weights were %v, want portions", s.weights.all())
	}
	for i, c := range changes[1:] {
		carries := s.sizes.available(c.number) * 125 / full
		back := int32(100 - max(c.weight, 0))
		s.Logf("weight %d: stable gets %d%% back, its pods take %d%%", c.weight, back, carries)
		if back > carries || c.weight > changes[i].weight {
			s.Errorf("weight %d after %d: stable gets %d%% back, its pods take %d%%", c.weight, changes[i].weight, back, carries)
		}
	}
}

// TestAutoscalerOfSomebodyElse: Headgate does not write an autoscaler that has an
// owner. KEDA owns one, for example, and would overwrite it again.
func TestAutoscalerOfSomebodyElse(t *testing.T) {
	t.Parallel()
	s := newUnscaled(t, "50%, pause")
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "scaler"}}
	s.must(shared.Client().Create(t.Context(), owner))
	s.scale(func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
	})
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.said(reason.ScaleDownNotHeld, "it belongs to ConfigMap scaler")
	s.awaitRestored()
	if writes := s.scalerWrites(); len(writes) > 0 {
		t.Errorf("the autoscaler was written: %v", writes)
	}
	s.over()
}

// TestGitOpsAndAutoscaler: in the middle of a rollout the same manifest, which has
// no rule for scaling down, is written again in several ways.
func TestGitOpsAndAutoscaler(t *testing.T) {
	t.Parallel()
	s := newScaled(t, "50%, pause")
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)

	// Applied by its owner and by another field manager: nothing changes.
	s.apply(s.scaler())
	manifest := client.ApplyConfigurationFromUnstructured(s.manifest(s.scaler()))
	s.must(shared.Client().Apply(t.Context(), manifest, client.FieldOwner("argocd-controller"), client.ForceOwnership))
	s.must(held(s.now()))

	// Replaced: the mark is lost together with the field, so Headgate sets both again.
	s.must(shared.Client().Update(t.Context(), s.scaler()))
	s.awaitHeld()

	// One field is reset twice: somebody wants it so, and Headgate gives up.
	for range 2 {
		s.switchOn()
		s.awaitScaler(lost)
	}
	s.said(reason.ScaleDownNotHeld, "somebody switched the scale-down")
	s.awaitSize(full / 2)

	s.annotate(spec.AnnotationCommand, "abort")
	s.await(20*time.Second, reason.AbortedByCommand)
	s.awaitRestored()
	if writes := s.scalerWrites(); len(writes) != 4 {
		t.Errorf("want it held, held again, given up and unmarked; the writes are %v", writes)
	}
	s.over()
}

// now reads the autoscaler from the API server.
func (s *scaled) now() *autoscalingv2.HorizontalPodAutoscaler {
	s.Helper()
	hpa := s.scaler()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(hpa), hpa))
	return hpa
}

// switchOn writes the autoscaler back without its scaling rules.
func (s *scaled) switchOn() {
	s.Helper()
	hpa := s.now()
	hpa.ResourceVersion, hpa.Spec.Behavior = "", nil
	s.must(shared.Client().Update(s.Context(), hpa))
}

func lost(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if mark := hpa.Annotations[spec.AnnotationScaleDown]; !strings.Contains(mark, `"lost":true`) || hpa.Spec.Behavior != nil {
		return fmt.Errorf("want it given up, the mark is %q and selectPolicy %s", mark, selectPolicy(hpa))
	}
	return nil
}

// TestAutoscalerThatComesAndGoesInTheMiddle: an autoscaler is held from when it
// appears in the middle of a rollout until it is gone or the rollout ends.
func TestAutoscalerThatComesAndGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newUnscaled(t, "50%, pause")
	s.apply(lab.Sample{Namespace: s.Namespace, Name: "other", Version: "v1"}.Deployment())
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.scale()
	s.awaitHeld()
	for _, target := range []struct {
		name string
		seen func()
	}{{"other", s.awaitRestored}, {s.Name, s.awaitHeld}} {
		s.hpa.Spec.ScaleTargetRef.Name = target.name
		s.apply(s.scaler(func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.ScaleTargetRef.Name = target.name }))
		target.seen()
	}
	s.Annotations = nil
	s.ship("v2", nil)
	s.gone(30 * time.Second)
	s.awaitRestored()
	s.over()
}

func TestAutoscalerOfADeploymentDeletedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newScaled(t, "50%, pause")
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.awaitHeld()
	s.over()
	s.must(shared.Client().Delete(t.Context(), s.deployment()))
	s.awaitRestored()
	s.gone(30 * time.Second)
}
