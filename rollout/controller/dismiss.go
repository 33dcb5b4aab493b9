package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// dismissPods ends what adoptPods began, once no route leads to the canary any more, or
// where somebody deleted the canary. Pods that belong to the Deployment lose the labels
// of the canary. Pods that did not get that far are deleted, because nothing else would.
func (r *Reconciler) dismissPods(ctx context.Context, s *snapshot) error {
	if s.canaryDep != nil && !s.canaryDep.Spec.Paused {
		return nil // they are its own
	}
	if err := r.deleteAdopters(ctx, s); err != nil {
		return err
	}
	pods := listOf(corev1.SchemeGroupVersion.WithKind("PodList"))
	of := client.MatchingLabels{spec.LabelCanary: canaryLabel(s.dep)}
	if err := r.Live.List(ctx, pods, client.InNamespace(s.dep.Namespace), of); err != nil {
		return fmt.Errorf("listing the pods that a canary of Deployment %s/%s left: %w", s.dep.Namespace, s.dep.Name, err)
	}
	owners := map[string]podOwner{} // by the name of the ReplicaSet
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp != nil {
			continue
		}
		if err := r.dismissPod(ctx, s, &pods.Items[i], owners); err != nil {
			return err
		}
	}
	return nil
}

// deleteAdopters deletes ReplicaSets that were made for pods of a canary and that the
// Deployment did not get.
func (r *Reconciler) deleteAdopters(ctx context.Context, s *snapshot) error {
	sets := listOf(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	if err := r.Live.List(ctx, sets, client.InNamespace(s.dep.Namespace), ours); err != nil {
		return fmt.Errorf("listing the ReplicaSets that a canary of Deployment %s/%s left: %w", s.dep.Namespace, s.dep.Name, err)
	}
	for i := range sets.Items {
		rs := &sets.Items[i]
		// Annotations of a Deployment are copied to its ReplicaSets: one with an owner is not ours.
		if rs.Annotations[spec.AnnotationAdoptedBy] != s.dep.Name || metav1.GetControllerOf(rs) != nil {
			continue
		}
		policy := client.PropagationPolicy(metav1.DeletePropagationBackground)
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, rs, client.Preconditions{UID: &rs.UID}, policy, unwatched)); err != nil {
			return fmt.Errorf("deleting ReplicaSet %s: %w", rs.Name, err)
		}
	}
	return nil
}

// forgetHold removes the hold and the phase from rs. The Deployment controller copied them
// there while the template was held, and kubectl rollout undo would bring them back.
func (r *Reconciler) forgetHold(ctx context.Context, rs *metav1.PartialObjectMetadata) error {
	_, held := rs.Annotations[spec.AnnotationRollout]
	_, phase := rs.Annotations[spec.AnnotationPhase]
	if !held && !phase {
		return nil
	}
	patch, err := encodeMetadata(map[string]any{"annotations": map[string]any{spec.AnnotationRollout: nil, spec.AnnotationPhase: nil}})
	if err != nil {
		return err
	}
	err = r.Client.Patch(ctx, rs, client.RawPatch(types.MergePatchType, patch), fieldOwner, unwatched)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the annotations of ReplicaSet %s: %w", rs.Name, err)
	}
	return nil
}

// listOf returns a list of the metadata of objects.
func listOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	return list
}

func (r *Reconciler) dismissPod(ctx context.Context, s *snapshot, pod *metav1.PartialObjectMetadata, owners map[string]podOwner) error {
	owner := metav1.GetControllerOf(pod)
	if owner != nil && owner.Kind != "ReplicaSet" {
		return nil // it is somebody else's, and only has the label
	}
	if owner != nil {
		if err := r.findOwner(ctx, s, owner.Name, owners); err != nil {
			return err
		}
		switch owners[owner.Name] {
		case unknownOwner, ownedByNobody:
		case ownedByCanary:
			return nil // it goes with the canary; deleted before, it would be replaced
		case ownedByOther:
			return nil // it only has the label
		case ownedByStable:
			return r.patchPod(ctx, pod, map[string]any{"labels": map[string]any{spec.LabelRollout: nil, spec.LabelCanary: nil}})
		}
	}
	if err := client.IgnoreNotFound(r.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}, unwatched)); err != nil {
		return fmt.Errorf("deleting Pod %s, which did not become a pod of the Deployment: %w", pod.Name, err)
	}
	return nil
}

// podOwner says to which Deployment the ReplicaSet of a pod belongs.
type podOwner int

const (
	unknownOwner podOwner = iota
	ownedByNobody
	ownedByCanary
	ownedByStable
	ownedByOther
)

// findOwner finds out to which Deployment the ReplicaSet of this name belongs. It puts one
// of the user's Deployment in order.
func (r *Reconciler) findOwner(ctx context.Context, s *snapshot, name string, owners map[string]podOwner) error {
	if owners[name] != unknownOwner {
		return nil
	}
	rs := &metav1.PartialObjectMetadata{}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: name}, rs)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading ReplicaSet %s: %w", name, err)
	}
	owners[name] = ownedByNobody // also where it is gone: then it has no owner either
	switch {
	case s.canaryDep != nil && metav1.IsControlledBy(rs, s.canaryDep):
		owners[name] = ownedByCanary
	case metav1.IsControlledBy(rs, s.dep):
		owners[name] = ownedByStable
		return r.forgetHold(ctx, rs)
	default:
		// Of a canary that somebody deleted, the ReplicaSet stays for a moment.
		if owner := metav1.GetControllerOf(rs); owner != nil && owner.Name != canaryName(s.dep) {
			owners[name] = ownedByOther
		}
	}
	return nil
}
