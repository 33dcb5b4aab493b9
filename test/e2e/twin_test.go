package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestNoRoomInTheQuota: the quota allows no canary pod. The rollout waits at weight 0,
// says why, and ends at its deadline. If the quota grows in time, it goes on.
func TestNoRoomInTheQuota(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: "50%, 100%", spec.AnnotationProgressDeadline: "10s"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	s.limitPods(2)
	pods := s.podNames("v1")
	s.ship("v2", nil)
	s.awaitWords(30*time.Second, reason.CanaryStarting, "exceeded quota: pods")
	s.awaitWords(30*time.Second, reason.ProgressDeadlineExceeded, "0 of 1 canary pods are Available: ")
	if _, message := s.condition(); !strings.Contains(message, "exceeded quota: pods") {
		t.Errorf("the condition does not say what was in the way: %s", message)
	}
	if got := s.weights.all(); slices.Max(got) > 0 {
		t.Errorf("a canary without pods got a weight: %v", got)
	}

	s.Annotations[spec.AnnotationProgressDeadline] = "1m"
	s.ship("v3", nil)
	s.awaitWords(30*time.Second, reason.CanaryStarting, "exceeded quota: pods")
	if now := s.podNames("v1"); !slices.Equal(pods, now) {
		t.Errorf("stable pods were %v, now %v", pods, now)
	}
	s.limitPods(5)
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	if n := s.over().Versions()["v2"]; n > 0 {
		t.Errorf("%d answers came from v2, which had no pods", n)
	}
}

// TestPodsThatCannotHaveATwin: with a volume for one node only, the template stays held
// until a person releases it without a canary. A host port, and a budget that misses
// canary pods, are only reported.
func TestPodsThatCannotHaveATwin(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 100%"}, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	s.apply(&corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "orders"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	})
	s.Version = "v2"
	dep := s.Deployment()
	dep.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "orders"},
	}}}
	s.shipAs(dep)
	s.awaitWords(30*time.Second, reason.VolumeNotShared, "PersistentVolumeClaim orders, which is ReadWriteOnce")
	s.noCanary()
	if n := len(s.podNames("v2")); s.hold() == "" || n > 0 {
		t.Errorf("%d pods run v2, want it held", n)
	}
	s.annotate(spec.AnnotationCommand, "promote-full")
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	if now := s.weights.all(); len(now) > 0 || len(s.podNames("v2")) != 2 {
		t.Errorf("released by command, pods of v2 are %v and weights were %v", s.podNames("v2"), now)
	}
	s.await(20*time.Second, reason.Ready)

	s.apply(&policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "none-away"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: new(intstr.FromInt32(0)), Selector: s.Deployment().Spec.Selector},
	})
	s.Version = "v3"
	dep = s.Deployment()
	dep.Spec.Template.Spec.Containers[0].Ports[0].HostPort = 8080
	s.shipAs(dep)
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	for reason, want := range map[reason.Reason]string{
		reason.CanaryNeedsFreeNode: "host port 8080",
		reason.CanaryNotCovered:    "PodDisruptionBudget none-away",
	} {
		if notes := s.notes(reason); len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("events %s are %q, want one with %s", reason, notes, want)
		}
	}
	s.over()
}

// limitPods sets a quota of pods in the namespace and waits until Kubernetes has counted
// the existing pods. Before that, a quota refuses every pod, for another reason.
func (s *service) limitPods(most int64) {
	s.Helper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "pods"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(most, resource.DecimalSI)}},
	}
	s.apply(quota)
	s.must(shared.Await(s.within(20*time.Second), quota, func() error {
		hard, used := quota.Status.Hard[corev1.ResourcePods], quota.Status.Used[corev1.ResourcePods]
		if hard.Value() != most || used.IsZero() {
			return fmt.Errorf("the quota counts %s of %s", used.String(), hard.String())
		}
		return nil
	}))
}
