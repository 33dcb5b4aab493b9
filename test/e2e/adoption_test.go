package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestNoPodStartsTwice: the pods of the canary become the pods of the Deployment. To
// kubectl it is a Deployment like any other afterwards.
func TestNoPodStartsTwice(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 2s, 100%, pause", spec.AnnotationRollbackWindow: "1"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	canary := s.podNames("v2")
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	if now := s.podNames("v2"); len(canary) != 4 || !slices.Equal(canary, now) {
		t.Errorf("the canary had the pods %v, the Deployment has %v", canary, now)
	}
	s.ordinary()
	if notes := s.notes(reason.Adopting); len(notes) != 1 {
		t.Errorf("events say Adopting: %q, want one", notes)
	}
	s.onlyServes("v2")

	s.kubectl("rollout", "status", web, "--timeout=1m").done()
	if history := s.kubectl("rollout", "history", web).stdout; strings.Count(history, "\n2 ") != 1 {
		t.Errorf("the history does not have one revision 2: %s", history)
	}
	s.Replicas = 6
	(&unscaled{s}).to(6)
	s.awaitPods(20*time.Second, "v2", 6)
	for _, name := range canary {
		if !slices.Contains(s.podNames("v2"), name) {
			t.Errorf("pod %s is gone", name)
		}
	}
	s.kubectl("rollout", "undo", web).done()
	s.await(20*time.Second, reason.WithinRollbackWindow, reason.Ready)
	s.awaitPods(time.Minute, "v1", 6)
	s.awaitPods(time.Minute, "v2", 0)
	s.unharmed()
}

// ordinary checks that nothing tells a pod or a ReplicaSet of the Deployment from one that
// Kubernetes made for it, but for the name of a pod.
func (s *service) ordinary() {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(dep), dep))
	var sets appsv1.ReplicaSetList
	s.must(shared.Client().List(s.Context(), &sets, client.InNamespace(s.Namespace)))
	for i := range sets.Items {
		rs := &sets.Items[i]
		owner := metav1.GetControllerOf(rs)
		if owner == nil || owner.UID != dep.UID || owner.BlockOwnerDeletion == nil || !*owner.BlockOwnerDeletion {
			s.Errorf("ReplicaSet %s has the owner %v", rs.Name, owner)
		}
		for _, m := range []map[string]string{rs.Labels, rs.Annotations} {
			for key := range m {
				if key == spec.LabelManagedBy || key == spec.AnnotationAdoptedBy || key == spec.LabelRollout {
					s.Errorf("ReplicaSet %s has %s", rs.Name, key)
				}
			}
		}
	}
	if names := s.podsMarked(); len(names) > 0 {
		s.Errorf("the pods %v have labels of a canary", names)
	}
}

// podsMarked returns the pods with the label of a canary.
func (s *service) podsMarked() []string {
	s.Helper()
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corePods)
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(s.Namespace), client.HasLabels{spec.LabelCanary}))
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

var corePods = corev1.SchemeGroupVersion.WithKind("PodList")

// TestASmallCanaryGrowsBeforeItIsAdopted: half of the traffic still goes to stable, so the
// old pods serve until routers know the others.
func TestASmallCanaryGrowsBeforeItIsAdopted(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	half := s.podNames("v2")
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	now := s.podNames("v2")
	for _, name := range half {
		if !slices.Contains(now, name) {
			t.Errorf("pod %s of the canary is gone", name)
		}
	}
	if len(half) != 2 || len(now) != 4 {
		t.Errorf("the canary had the pods %v, the Deployment has %v", half, now)
	}
	s.ordinary()
	s.onlyServes("v2")
	s.over()
}

// TestManyAdoptionsInARow goes back and forth between versions, so that the Deployment
// has an older ReplicaSet of the template. No release waits for pods that start again.
func TestManyAdoptionsInARow(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "100%"}, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	for i, version := range []string{"v2", "v1", "v2", "v3", "v2", "v3", "v1", "v3", "v2", "v4"} {
		s.ship(version, nil)
		s.awaitRollout(time.Minute, s.applied.Annotations[spec.AnnotationRollout], reason.Promoted)
		s.gone(20 * time.Second)
		s.ordinary()
		if n := len(s.podNames(version)); n != 2 {
			t.Errorf("rollout %d: %d pods of %s, want 2", i+1, n, version)
		}
	}
	if notes := s.notes(reason.RollingInstead); len(notes) > 0 {
		t.Errorf("not every promotion was an adoption: %q", notes)
	}
	s.onlyServes("v4")
	s.over()
}

// TestNoRoomForTwoSetsOfPods is the recipe of docs/rollouts.md for a cluster whose GPUs
// are all in use: the quota has room for one pod more than the Deployment has.
func TestNoRoomForTwoSetsOfPods(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: "25%, 2s", spec.AnnotationPromotion: "rolling"}
	s := newService(t, annotations)
	s.await(20*time.Second, reason.Ready)
	s.limitPods(5)
	s.Version = "v2"
	dep := s.Deployment()
	dep.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
		MaxSurge: new(intstr.FromInt32(0)), MaxUnavailable: new(intstr.FromInt32(1)),
	}
	s.shipAs(dep)
	s.await(2*time.Minute, reason.Promoted)
	s.gone(20 * time.Second)
	s.awaitPods(20*time.Second, "v2", 4)
	s.onlyServes("v2")
	s.over()
}

// TestNoRoomToGrow: the canary keeps the pods that its weight needs, and the promotion is
// a rolling update.
func TestNoRoomToGrow(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "25%, pause"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.limitPods(6)
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(2*time.Minute, reason.Promoted)
	if notes := s.notes(reason.RollingInstead); len(notes) != 1 || !strings.Contains(notes[0], "exceeded quota: pods") {
		t.Errorf("events say RollingInstead: %q, want one with the quota", notes)
	}
	s.gone(20 * time.Second)
	s.awaitPods(20*time.Second, "v2", 4)
	s.onlyServes("v2")
	s.over()
}
