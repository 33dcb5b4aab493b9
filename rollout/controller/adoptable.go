package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// notAdoptable returns why a pod that starts with the labels of a canary is not what a
// pod of dep would be. "": nothing in its template tells them apart once the labels are
// the same. track are the labels that differ.
func notAdoptable(dep, canary *appsv1.Deployment, track map[string]string) string {
	if canary.Spec.Template.Labels[spec.LabelCanary] == "" {
		return "an earlier version of Headgate made the canary"
	}
	if selector, err := metav1.LabelSelectorAsSelector(dep.Spec.Selector); err != nil || selector.Matches(labels.Set{}) {
		return "the selector of the Deployment does not name the labels of its pods"
	}
	pod := dep.Spec.Template.Spec
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, env := range c.Env {
			if key := labelOf(env); track[key] != "" {
				return fmt.Sprintf("variable %s of container %s has the value of label %s, which is fixed when a pod starts", env.Name, c.Name, key)
			}
		}
	}
	if hasRequiredTerm(canary.Spec.Template.Spec.Affinity, track) {
		return fmt.Sprintf("a required affinity selects pods by label %s: "+
			"it would keep the next canary away from pods that were a canary", keysOf(track))
	}
	return ""
}

// labelOf returns the label whose value env has, by the downward API. "": none.
func labelOf(env corev1.EnvVar) string {
	if env.ValueFrom == nil || env.ValueFrom.FieldRef == nil {
		return ""
	}
	key, _ := strings.CutPrefix(env.ValueFrom.FieldRef.FieldPath, "metadata.labels['")
	return strings.TrimSuffix(key, "']")
}

// hasRequiredTerm says whether a required term of a selects pods by the canary's value of
// a label of track.
func hasRequiredTerm(a *corev1.Affinity, track map[string]string) bool {
	var terms []corev1.PodAffinityTerm
	if a != nil && a.PodAffinity != nil {
		terms = append(terms, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution...)
	}
	if a != nil && a.PodAntiAffinity != nil {
		terms = append(terms, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution...)
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool {
		return selectsByTrack(t.LabelSelector, track)
	})
}

func selectsByTrack(selector *metav1.LabelSelector, track map[string]string) bool {
	if selector == nil {
		return false
	}
	for key, value := range track {
		if selector.MatchLabels[key] == value {
			return true
		}
		for _, e := range selector.MatchExpressions {
			if e.Key == key && slices.Contains(e.Values, value) {
				return true
			}
		}
	}
	return false
}

func keysOf(track map[string]string) string {
	keys := make([]string, 0, len(track))
	for key := range track {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// stopsLate says whether every container that may serve has a preStop hook: it serves on
// for a while after its pod was told to end. Containers with ports may serve, or all of
// them where none has any.
func stopsLate(pod corev1.PodSpec) bool {
	serving := slices.DeleteFunc(slices.Clone(pod.Containers), func(c corev1.Container) bool { return len(c.Ports) == 0 })
	if len(serving) == 0 {
		serving = pod.Containers
	}
	return !slices.ContainsFunc(serving, func(c corev1.Container) bool { return c.Lifecycle == nil || c.Lifecycle.PreStop == nil })
}

// checkAdoption tries to create the ReplicaSet for the canary's pods, without a result.
// A policy may refuse it, or change its template: then the Deployment controller would
// not find it.
func (r *Reconciler) checkAdoption(ctx context.Context, s *snapshot) error {
	want, err := r.newAdopter(ctx, s)
	if err != nil {
		return err
	}
	s.AdoptionCheck = &rollout.AdoptionCheck{}
	is := want.DeepCopy()
	switch err = r.Trial.Create(ctx, is, fieldOwner); {
	case refused(err) != nil:
		s.AdoptionCheck.Unfit = "the API server refuses a ReplicaSet for its pods: " + normalizeMessage(refused(err).Error(), canaryName(s.dep))
		return nil //nolint:nilerr // the refusal is the answer
	case err != nil:
		return fmt.Errorf("trying to create ReplicaSet %s: %w", want.GetName(), err)
	case !templateOf(is).Equal(templateOf(want)):
		s.AdoptionCheck.Unfit = "an admission webhook or a policy changes the pod template of ReplicaSets"
	default:
		s.AdoptionCheck.PreStop, err = r.oldPodsStopLate(ctx, s)
	}
	return err
}

// oldPodsStopLate says whether every pod that the Deployment has serves on for a while
// when it is told to end. The caches have no templates of ReplicaSets.
func (r *Reconciler) oldPodsStopLate(ctx context.Context, s *snapshot) (bool, error) {
	var sets appsv1.ReplicaSetList
	selected := client.MatchingLabels(s.dep.Spec.Selector.MatchLabels)
	if err := r.Live.List(ctx, &sets, client.InNamespace(s.dep.Namespace), selected); err != nil {
		return false, fmt.Errorf("listing the ReplicaSets of Deployment %s: %w", s.dep.Name, err)
	}
	return !slices.ContainsFunc(sets.Items, func(rs appsv1.ReplicaSet) bool {
		return metav1.IsControlledBy(&rs, s.dep) && hasPods(&rs) && !stopsLate(rs.Spec.Template.Spec)
	}), nil
}
