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

// running leaves out pods that have ended: those of a Job often carry the labels
// of the whole application, but get no traffic any more.
var notEnded = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
)}

// strangers checks that every pod behind the split Services is one of t's:
// traffic to others would be split as well, and take part in no rollout.
func foreignPods(ctx context.Context, c client.Reader, r routes, t rollout.Target) (*rollout.Problem, error) {
	dep := t.Deployment
	for _, svc := range r.services {
		pods, err := listMetadata(ctx, c, corev1.SchemeGroupVersion.WithKind("PodList"),
			client.InNamespace(dep.Namespace), client.MatchingLabels(svc.Spec.Selector), notEnded)
		if err != nil {
			return nil, fmt.Errorf("listing the pods of Service %q: %w", svc.Name, err)
		}
		// After the pods: the owner of a pod that was listed exists by now.
		replicaSets, err := replicaSetsOf(ctx, c, dep)
		if err != nil {
			return nil, err
		}
		if pod := firstForeignPod(pods, replicaSets, dep); pod != "" {
			return newProblem(reason.ServiceSelectsOthers, "Service %q also selects pod %q, which is not of Deployment %q, and its traffic would be split too: "+
				"narrow the Service's selector", svc.Name, pod, dep.Name), nil
		}
	}
	return nil, nil
}

// firstStranger returns the name of a pod that dep does not own through one of
// the ReplicaSets, and that is not of a canary; "" if there is none.
func firstForeignPod(pods, replicaSets []metav1.PartialObjectMetadata, dep *appsv1.Deployment) string {
	own := map[types.UID]bool{}
	for _, rs := range replicaSets {
		own[rs.UID] = metav1.IsControlledBy(&rs, dep)
	}
	for _, pod := range pods {
		owner := metav1.GetControllerOf(&pod)
		_, canary := pod.Labels[spec.LabelRollout]
		if canary || !pod.DeletionTimestamp.IsZero() || owner != nil && own[owner.UID] {
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

// list reads the metadata of objects: names, labels and owners are all it takes.
func listMetadata(ctx context.Context, c client.Reader, kind schema.GroupVersionKind, opts ...client.ListOption) ([]metav1.PartialObjectMetadata, error) {
	var found metav1.PartialObjectMetadataList
	found.SetGroupVersionKind(kind)
	err := c.List(ctx, &found, opts...)
	return found.Items, err
}
