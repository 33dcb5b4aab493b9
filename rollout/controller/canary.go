package controller

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// newCanary is the canary Deployment for the template that dep has now.
func newCanary(dep *appsv1.Deployment, id string, track map[string]string, state string, replicas int32) *appsv1.Deployment {
	identity := maps.Clone(track)
	identity[spec.LabelRollout] = id

	template := dep.Spec.Template.DeepCopy()
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	maps.Copy(template.Labels, identity)
	retarget(&template.Spec, dep.Spec.Template.Labels, track)

	meta := rollout.OwnedMeta(dep, canaryName(dep), id)
	meta.Annotations[spec.AnnotationState] = state
	return &appsv1.Deployment{
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas:             &replicas,
			Selector:             &metav1.LabelSelector{MatchLabels: identity},
			Template:             *template,
			MinReadySeconds:      dep.Spec.MinReadySeconds,
			RevisionHistoryLimit: ptr.To[int32](0),
		},
	}
}

// retarget makes the (anti)affinity and spread terms by which pods refer to
// their own kind refer to canary pods: copies would keep canary pods away from
// stable ones, and on a small cluster unschedulable.
func retarget(pod *corev1.PodSpec, own, track map[string]string) {
	for i := range pod.TopologySpreadConstraints {
		retargetSelector(pod.TopologySpreadConstraints[i].LabelSelector, own, track)
	}
	if pod.Affinity == nil {
		return
	}
	if a := pod.Affinity.PodAffinity; a != nil {
		retargetTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, own, track)
	}
	if a := pod.Affinity.PodAntiAffinity; a != nil {
		retargetTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, own, track)
	}
}

func retargetTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, own, track map[string]string) {
	for i := range required {
		retargetSelector(required[i].LabelSelector, own, track)
	}
	for i := range preferred {
		retargetSelector(preferred[i].PodAffinityTerm.LabelSelector, own, track)
	}
}

// retargetSelector replaces the stable value of a track label, wherever selector asks for
// it, by the canary's.
func retargetSelector(selector *metav1.LabelSelector, own, track map[string]string) {
	if selector == nil {
		return
	}
	for key, value := range track {
		if stable, ok := selector.MatchLabels[key]; ok && stable == own[key] {
			selector.MatchLabels[key] = value
		}
		for i, e := range selector.MatchExpressions {
			if at := slices.Index(e.Values, own[key]); e.Key == key && at >= 0 {
				selector.MatchExpressions[i].Values[at] = value
			}
		}
	}
}
