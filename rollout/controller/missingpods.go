package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// maxNamedPods is how many missing pods the condition names.
const maxNamedPods = 3

// missingPodsDelay is how long the rolling update of a promotion makes no progress
// before its missing pods are listed. A pod that comes up restarts this time, so a
// promotion of 1,000 pods that makes progress lists none.
const missingPodsDelay = time.Minute

// waitsForStablePods says whether a promotion waits for stable pods and has made no
// progress for a while. The Deployment controller dates the progress: it renews
// lastUpdateTime of the condition Progressing with each pod that becomes Ready.
func (s *snapshot) waitsForStablePods() bool {
	c := s.Canary
	if c.StateErr != nil || c.State.Mode != rollout.ModePromoting || s.Stable.Hold != "" || s.Stable.Complete {
		return false
	}
	if s.Stable.Stalled {
		return true
	}
	return slices.ContainsFunc(s.dep.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing && !c.LastUpdateTime.Add(missingPodsDelay).After(s.Now)
	})
}

// observeMissingPods finds which pods of the new version the promotion waits for. The
// result is only shown in a message, so the rollout goes on if a list fails.
func (r *Reconciler) observeMissingPods(ctx context.Context, s *snapshot) error {
	pods, err := r.podsOfNewVersion(ctx, s)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing stable pods", "namespace", s.dep.Namespace, "deployment", s.dep.Name)
		return nil
	}
	s.Stable.Missing = s.describeMissing(pods)
	return nil
}

// podsOfNewVersion returns the pods of the ReplicaSets that have the template of the
// Deployment. It reads the ReplicaSets from the cache and the pods from the API server.
func (r *Reconciler) podsOfNewVersion(ctx context.Context, s *snapshot) ([]corev1.Pod, error) {
	sets, err := r.replicaSetsOf(ctx, s.dep)
	if err != nil {
		return nil, err
	}
	var hashes []string
	for i := range sets {
		if rs := &sets[i]; s.sameVersion(rs) {
			hashes = append(hashes, rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
		}
	}
	if len(hashes) == 0 {
		return nil, nil // not even a ReplicaSet could be created
	}
	selector, err := metav1.LabelSelectorAsSelector(s.dep.Spec.Selector)
	if err != nil {
		return nil, err
	}
	ofNewVersion, err := labels.NewRequirement(appsv1.DefaultDeploymentUniqueLabelKey, selection.In, hashes)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	err = r.Live.List(ctx, &pods, client.InNamespace(s.dep.Namespace), client.MatchingLabelsSelector{Selector: selector.Add(*ofNewVersion)})
	return pods.Items, err
}

// describeMissing says how many pods of the new version are missing, names some of
// them, and says why the first of them is not Available. "": none is missing.
//
//	1 of 1000 pods: web-7d9f-abcde (image "web:v2" of container web cannot be pulled: there is no such image)
//	5 of 8 pods: web-7d9f-abcde, web-7d9f-fghij, web-7d9f-klmno and 2 more
func (s *snapshot) describeMissing(pods []corev1.Pod) string {
	missing := int(s.Stable.Replicas)
	var names []string
	var failures []podFailure
	for i := range pods {
		switch pod := &pods[i]; {
		case pod.DeletionTimestamp != nil:
		case isAvailable(pod, s.dep, s.Now):
			missing--
		default:
			names = append(names, pod.Name)
			failures = append(failures, failuresOfPod(pod, "a pod")...)
		}
	}
	if missing <= 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d pods", missing, s.Stable.Replicas)
	slices.Sort(names)
	if named := names[:min(len(names), maxNamedPods)]; len(named) > 0 {
		text += ": " + strings.Join(named, ", ")
		if more := missing - len(named); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
	}
	cause := refusedPods(s.dep)
	if cause == "" {
		cause = lowestRank(failures)
	}
	if cause != "" {
		text += " (" + normalizeFor(s.dep.Name, "a pod", cause) + ")"
	}
	return text
}
