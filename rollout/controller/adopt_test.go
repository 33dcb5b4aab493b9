package controller

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/rollout/spec"
)

func ownedBy(kind, name string, uid types.UID) []metav1.OwnerReference {
	return []metav1.OwnerReference{{Kind: kind, Name: name, UID: uid, Controller: new(true)}}
}

// A Deployment of somebody else may have the labels of canary pods in its template. Its pods
// are not adopted, and they are not deleted either.
func TestPodsOfOthersAreLeftAlone(t *testing.T) {
	dep := stableDeployment()
	canary := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: dep.Namespace, Name: canaryName(dep), UID: "canary", Labels: map[string]string{spec.LabelRollout: "7"},
	}}
	s := &snapshot{dep: dep, canaryDep: canary}
	made := ownedBy("ReplicaSet", canary.Name+"-abc", "rs")
	for name, tt := range map[string]struct {
		owner            []metav1.OwnerReference // of the pod
		of               []metav1.OwnerReference // the owner of its ReplicaSet; nil: there is no ReplicaSet
		adopted, deleted bool
	}{
		"of the canary":                     {made, ownedBy("Deployment", canary.Name, canary.UID), true, false},
		"of a canary that somebody deleted": {made, ownedBy("Deployment", canary.Name, "gone"), true, true},
		"of a ReplicaSet that is gone":      {made, nil, true, true},
		"of the ReplicaSet that takes them": {ownedBy("ReplicaSet", adopterName(s), "rs"), ownedBy("Deployment", dep.Name, dep.UID), true, false},
		"of nobody for now":                 {nil, nil, true, true},
		"of another Deployment":             {ownedBy("ReplicaSet", "bait-abc", "rs"), ownedBy("Deployment", "bait", "bait"), false, false},
		"of one with a longer name": {
			ownedBy("ReplicaSet", canary.Name+"-x-abc", "rs"), ownedBy("Deployment", canary.Name+"-x", "x"), false, false,
		},
		"of a StatefulSet": {ownedBy("StatefulSet", canary.Name+"-abc", "set"), nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: dep.Namespace, Name: "pod", OwnerReferences: tt.owner, Labels: map[string]string{
					spec.LabelCanary: canaryLabel(dep), spec.LabelRollout: "7", appsv1.DefaultDeploymentUniqueLabelKey: "abc",
				},
			}}
			api := fake.NewClientBuilder().WithObjects(pod).Build()
			if tt.of != nil {
				set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
					Namespace: dep.Namespace, Name: tt.owner[0].Name, UID: "rs", OwnerReferences: tt.of,
				}}
				if err := api.Create(t.Context(), set); err != nil {
					t.Fatal(err)
				}
			}
			r := &Reconciler{Client: api, Live: api}
			if err := r.readAdoption(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if adopted := len(s.adoption.pods) == 1; adopted != tt.adopted {
				t.Errorf("adopted: %v", adopted)
			}
			canary.Spec.Paused = true
			if err := r.dismissPods(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			err := api.Get(t.Context(), client.ObjectKeyFromObject(pod), &corev1.Pod{})
			if deleted := client.IgnoreNotFound(err) == nil && err != nil; deleted != tt.deleted {
				t.Errorf("deleted: %v (%v)", deleted, err)
			}
		})
	}
}

// The Deployment controller copies annotations of a Deployment to its ReplicaSets.
func TestReplicaSetsOfOthersAreLeftAlone(t *testing.T) {
	dep := stableDeployment()
	marked := func(name string, owners []metav1.OwnerReference) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: dep.Namespace, Name: name, Labels: map[string]string{spec.LabelManagedBy: spec.ManagedBy},
			Annotations: map[string]string{spec.AnnotationAdoptedBy: dep.Name}, OwnerReferences: owners,
		}}
	}
	own, theirs := marked("web-1", nil), marked("bait-1", ownedBy("Deployment", "bait", "bait"))
	api := fake.NewClientBuilder().WithObjects(own, theirs).Build()
	r := &Reconciler{Client: api, Live: api}
	if err := r.deleteAdopters(t.Context(), &snapshot{dep: dep}); err != nil {
		t.Fatal(err)
	}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(own), own); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("its own is still there: %v", err)
	}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs); err != nil {
		t.Errorf("that of another Deployment: %v", err)
	}
}
