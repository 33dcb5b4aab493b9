package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/spec"
)

func stableDeployment() *appsv1.Deployment {
	replicas := int32(4)
	self := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", UID: "u1", Generation: 6, ResourceVersion: "100",
			Labels: map[string]string{"app.kubernetes.io/instance": "shop", "helm.sh/chart": "web-1"},
			Annotations: map[string]string{
				spec.AnnotationStrategy:                            "canary",
				spec.AnnotationRollout:                             "7",
				spec.AnnotationPhase:                               "Pending",
				"argocd.argoproj.io/tracking-id":                   "shop:apps/Deployment:shop/web",
				"kubectl.kubernetes.io/last-applied-configuration": "{}",
			},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas:        &replicas,
			Paused:          true,
			MinReadySeconds: 3,
			Selector:        self,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "tier": "front"}},
				Spec: corev1.PodSpec{
					Containers: []corev1.Container{{Name: "web", Image: "web:v2"}},
					TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
						{TopologyKey: "zone", LabelSelector: self.DeepCopy()},
					},
					Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
						RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
							{TopologyKey: "node", LabelSelector: self.DeepCopy()},
							{TopologyKey: "node", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
						},
						PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
							{PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: &metav1.LabelSelector{
								MatchExpressions: []metav1.LabelSelectorRequirement{
									{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"db", "web"}},
								},
							}}},
						},
					}},
				},
			},
		},
	}
}

func TestNewCanary(t *testing.T) {
	dep := stableDeployment()
	before := dep.DeepCopy()
	canary := newCanary(dep, "7", map[string]string{"app": "web-canary"}, "{}", 2)

	if diff := cmp.Diff(before, dep); diff != "" {
		t.Errorf("the user's Deployment was changed (-before +after):\n%s", diff)
	}
	wantLabels := map[string]string{"app": "web-canary", "tier": "front", spec.LabelRollout: "7", spec.LabelCanary: "web"}
	if diff := cmp.Diff(wantLabels, canary.Spec.Template.Labels); diff != "" {
		t.Errorf("pod labels (-want +got):\n%s", diff)
	}
	wantMeta := metav1.ObjectMeta{
		Name: "web-canary", Namespace: "shop",
		Labels: map[string]string{spec.LabelManagedBy: "headgate", spec.LabelRollout: "7"},
		Annotations: map[string]string{
			spec.AnnotationState:                         "{}",
			"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
			"argocd.argoproj.io/ignore-resource-updates": "true",
		},
		OwnerReferences: canary.OwnerReferences,
	}
	if diff := cmp.Diff(wantMeta, canary.ObjectMeta); diff != "" {
		t.Errorf("nothing of the user's metadata may be copied (-want +got):\n%s", diff)
	}
	if !metav1.IsControlledBy(canary, dep) || *canary.OwnerReferences[0].BlockOwnerDeletion {
		t.Errorf("owner = %+v", canary.OwnerReferences)
	}
	if canary.Spec.Paused || *canary.Spec.Replicas != 2 || canary.Spec.MinReadySeconds != 3 {
		t.Errorf("spec: paused %v, replicas %d, minReadySeconds %d", canary.Spec.Paused, *canary.Spec.Replicas, canary.Spec.MinReadySeconds)
	}
}

func TestNewCanaryKeepsAwayFromItsOwnKind(t *testing.T) {
	pod := newCanary(stableDeployment(), "7", map[string]string{"app": "web-canary"}, "{}", 1).Spec.Template.Spec
	anti := pod.Affinity.PodAntiAffinity
	got := []string{
		pod.TopologySpreadConstraints[0].LabelSelector.MatchLabels["app"],
		anti.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector.MatchLabels["app"],
		anti.RequiredDuringSchedulingIgnoredDuringExecution[1].LabelSelector.MatchLabels["app"],
		anti.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchExpressions[0].Values[0],
		anti.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchExpressions[0].Values[1],
	}
	if diff := cmp.Diff([]string{"web-canary", "web-canary", "db", "db", "web-canary"}, got); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
}
