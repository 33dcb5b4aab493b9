package ingress

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// notEnded leaves out pods that have ended. The pods of a Job often have the labels
// of the whole application, but get no traffic any more.
var notEnded = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
)}

// CheckPods checks that every pod behind the split Services of t belongs to the
// Deployment. Traffic to any other pod would be split too, although its version is no
// part of the rollout. nil: they all belong to it.
//
// It lists pods and ReplicaSets from the API server, which no cache holds. Call it once
// before a rollout begins: Observe is called far more often, and does not do this.
func (r *Router) CheckPods(ctx context.Context, t rollout.Target) (*rollout.Problem, error) {
	in, err := r.inspect(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("finding the Services of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	dep := t.Deployment
	for _, svc := range in.routes.services {
		pods, err := listMetadata(ctx, r.live, corev1.SchemeGroupVersion.WithKind("PodList"),
			client.InNamespace(dep.Namespace), client.MatchingLabels(svc.Spec.Selector), notEnded)
		if err != nil {
			return nil, fmt.Errorf("listing the pods of Service %q: %w", svc.Name, err)
		}
		// ReplicaSets after the pods: the owner of a pod that was listed exists by now.
		replicaSets, err := replicaSetsOf(ctx, r.live, dep)
		if err != nil {
			return nil, err
		}
		if pod := firstForeignPod(pods, replicaSets, dep); pod != "" {
			return newProblem(reason.ServiceSelectsOthers,
				"Service %q also selects pod %q, which does not belong to Deployment %q, and its traffic would be split too: "+
					"correct the selector, so that it selects only pods of the Deployment", svc.Name, pod, dep.Name), nil
		}
	}
	return nil, nil
}

// firstForeignPod returns the name of the first pod that does not belong to dep, ""
// if there is none. A pod belongs to dep if dep owns its ReplicaSet, which must be
// one of replicaSets. Canary pods and pods that are being deleted do not count.
func firstForeignPod(pods, replicaSets []metav1.PartialObjectMetadata, dep *appsv1.Deployment) string {
	ownedByDep := map[types.UID]bool{}
	for _, rs := range replicaSets {
		ownedByDep[rs.UID] = metav1.IsControlledBy(&rs, dep)
	}
	for _, pod := range pods {
		owner := metav1.GetControllerOf(&pod)
		_, canary := pod.Labels[spec.LabelRollout]
		if canary || !pod.DeletionTimestamp.IsZero() || owner != nil && ownedByDep[owner.UID] {
			continue
		}
		return pod.Name
	}
	return ""
}

func replicaSetsOf(ctx context.Context, c client.Reader, dep *appsv1.Deployment) ([]metav1.PartialObjectMetadata, error) {
	selector, err := metav1.LabelSelectorAsSelector(dep.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector of Deployment %q: %w", dep.Name, err)
	}
	found, err := listMetadata(ctx, c, appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"),
		client.InNamespace(dep.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing the ReplicaSets of Deployment %q: %w", dep.Name, err)
	}
	return found, nil
}

// listMetadata reads the names, labels and owners of objects, and not their specs.
func listMetadata(
	ctx context.Context, c client.Reader, kind schema.GroupVersionKind, opts ...client.ListOption,
) ([]metav1.PartialObjectMetadata, error) {
	var found metav1.PartialObjectMetadataList
	found.SetGroupVersionKind(kind)
	err := c.List(ctx, &found, opts...)
	return found.Items, err
}
