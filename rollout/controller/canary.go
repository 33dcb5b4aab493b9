package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// createCanary creates canary, which newCanary made for dep, with the pod template that
// the API server has: the types of this program may lack fields of it. It puts what the
// API server answers into canary.
func (r *Reconciler) createCanary(ctx context.Context, dep, canary *appsv1.Deployment) error {
	sent, err := r.liveTemplate(ctx, dep)
	if err != nil {
		return err
	}
	known, err := fieldsOf(&dep.Spec.Template)
	if err != nil {
		return err
	}
	canary.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	fields, err := fieldsOf(canary)
	if err != nil {
		return err
	}
	canarySpec, _ := fields["spec"].(map[string]any)
	canarySpec["template"] = changeFields(map[string]any(sent), known, canarySpec["template"])
	obj := &unstructured.Unstructured{Object: fields}
	if err := r.Client.Create(ctx, obj, fieldOwner); err != nil {
		return fmt.Errorf("creating Deployment %s: %w", canary.Name, err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, canary)
}

// newCanary returns the canary Deployment for the template that dep has now, in
// rollout id. Its pods have the labels of stable pods, but for those in track.
func newCanary(dep *appsv1.Deployment, id string, track map[string]string, state string, replicas int32) *appsv1.Deployment {
	identity := maps.Clone(track)
	identity[spec.LabelRollout] = id

	template := dep.Spec.Template.DeepCopy()
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	maps.Copy(template.Labels, identity)
	template.Labels[spec.LabelCanary] = canaryLabel(dep)
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

// retarget makes the (anti-)affinity and spread terms that select stable pods select
// canary pods instead. An unchanged copy of "no two web pods on a node" would keep
// canary pods off the nodes of stable pods: on three nodes with three stable pods,
// no canary pod could be scheduled. stable are the labels of stable pods.
func retarget(pod *corev1.PodSpec, stable, track map[string]string) {
	for i := range pod.TopologySpreadConstraints {
		retargetSelector(pod.TopologySpreadConstraints[i].LabelSelector, stable, track)
	}
	if pod.Affinity == nil {
		return
	}
	if a := pod.Affinity.PodAffinity; a != nil {
		retargetTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, stable, track)
	}
	if a := pod.Affinity.PodAntiAffinity; a != nil {
		retargetTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, stable, track)
	}
}

func retargetTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, stable, track map[string]string) {
	for i := range required {
		retargetSelector(required[i].LabelSelector, stable, track)
	}
	for i := range preferred {
		retargetSelector(preferred[i].PodAffinityTerm.LabelSelector, stable, track)
	}
}

// retargetSelector replaces the stable value of each track label in selector by the
// canary value. With track app=web-canary, "app in (db, web)" becomes
// "app in (db, web-canary)".
func retargetSelector(selector *metav1.LabelSelector, stable, track map[string]string) {
	if selector == nil {
		return
	}
	for key, value := range track {
		if wanted, ok := selector.MatchLabels[key]; ok && wanted == stable[key] {
			selector.MatchLabels[key] = value
		}
		for i, e := range selector.MatchExpressions {
			if index := slices.Index(e.Values, stable[key]); e.Key == key && index >= 0 {
				selector.MatchExpressions[i].Values[index] = value
			}
		}
	}
}
