package controller

import (
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// version is one template: an image, and when it was restarted ("": never).
type version struct{ image, restarted string }

func (v version) of(dep *appsv1.Deployment) {
	dep.Spec.Template.Spec.Containers[0].Image = v.image
	if v.restarted != "" {
		metav1.SetMetaDataAnnotation(&dep.Spec.Template.ObjectMeta, spec.AnnotationRestartedAt, v.restarted)
	}
}

// replicaSet is one of dep that runs v.
func replicaSet(dep *appsv1.Deployment, v version, replicas int32) *appsv1.ReplicaSet {
	dep = dep.DeepCopy()
	v.of(dep)
	hash := map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "h" + v.restarted}
	maps.Copy(dep.Spec.Template.Labels, hash)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + v.image[len("web:"):] + v.restarted, Namespace: dep.Namespace,
			OwnerReferences: []metav1.OwnerReference{{
				UID: dep.UID, Name: dep.Name, Kind: "Deployment", APIVersion: "apps/v1", Controller: ptr.To(true),
			}},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Template: dep.Spec.Template},
	}
}

func TestObserveReplicaSets(t *testing.T) {
	type result struct{ Runs, TemplateRuns, Rolling bool }
	v1, v2, again := version{"web:v1", ""}, version{"web:v2", ""}, version{"web:v1", "10h"}
	resting, rolling := result{Runs: true, TemplateRuns: true}, result{Runs: true, TemplateRuns: true, Rolling: true}
	tests := map[string]struct {
		restart spec.Restart
		wanted  version
		paused  bool
		by      appsv1.DeploymentStrategyType
		active  []version
		emptied []version
		want    result
	}{
		"nothing runs":              {wanted: v1, want: result{}},
		"at rest":                   {wanted: v1, active: []version{v1}, emptied: []version{v2}, want: resting},
		"another version rolls out": {wanted: v2, active: []version{v1, v2}, want: rolling},
		"another comes when the pods are gone": {
			wanted: v2,
			by:     appsv1.RecreateDeploymentStrategyType,
			active: []version{v1},
			want:   result{Runs: true, Rolling: true},
		},
		"another is held": {wanted: v2, paused: true, active: []version{v1}, want: result{Runs: true}},
		"another is held, and ran before": {
			wanted:  v2,
			paused:  true,
			active:  []version{v1},
			emptied: []version{v2},
			want:    result{Runs: true},
		},
		"a restart is no other version":        {wanted: again, active: []version{v1, again}, want: resting},
		"nor is one whose mark was dropped":    {wanted: v1, active: []version{again}, want: resting},
		"a restart in the middle of a rollout": {wanted: again, active: []version{v1, v2}, want: rolling},
		"a restart for which a canary is wanted": {
			restart: spec.RestartCanary,
			wanted:  again,
			paused:  true,
			active:  []version{v1},
			want:    result{Runs: true},
		},
		"one that went out without it":             {restart: spec.RestartCanary, wanted: again, active: []version{v1, again}, want: rolling},
		"annotations do not say what is wanted":    {restart: "unreadable", wanted: again, active: []version{v1, again}, want: rolling},
		"a held restart, where none wants to hold": {wanted: again, paused: true, active: []version{v1}, want: resting},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dep := stableDeployment()
			tt.wanted.of(dep)
			dep.Spec.Paused, dep.Spec.Strategy.Type = tt.paused, tt.by
			s := &snapshot{dep: dep}
			if s.Spec.Restart = spec.RestartRolling; tt.restart != "" {
				s.Spec.Restart = tt.restart
			}
			var sets []client.Object
			for _, v := range tt.active {
				sets = append(sets, trimmed(t, replicaSet(stableDeployment(), v, 2)))
			}
			for _, v := range tt.emptied {
				sets = append(sets, trimmed(t, replicaSet(stableDeployment(), v, 0)))
			}
			r := &Reconciler{Client: replicaSets(t, sets)}
			if err := r.observeReplicaSets(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if got := (result{s.Stable.Runs, s.Stable.TemplateRuns, s.Stable.Rolling}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func appsScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, netv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

func replicaSets(t *testing.T, sets []client.Object) client.Client {
	t.Helper()
	return indexed(appsScheme(t)).WithObjects(sets...).Build()
}

func TestFingerprint(t *testing.T) {
	of := func(v version) string {
		dep := stableDeployment()
		v.of(dep)
		return fingerprint(dep.Spec.Template)
	}
	if of(version{"web:v1", ""}) == of(version{"web:v2", ""}) {
		t.Error("two images have one fingerprint")
	}
	if of(version{"web:v1", ""}) != of(version{"web:v1", "10h"}) {
		t.Error("a restart changes the fingerprint: a promotion would end by it")
	}
}

// TestChooseTrackAvoidsOtherServices: canary pods would answer the users of a Service that
// selects no stable pod.
func TestChooseTrackAvoidsOtherServices(t *testing.T) {
	s := &snapshot{dep: stableDeployment()}
	s.Traffic.Selectors = []map[string]string{{"app": "web"}}
	s.chooseTrack()
	if s.Problem != nil || s.target.Track["app"] != "web-canary" {
		t.Fatalf("track %v, problem %v", s.target.Track, s.Problem)
	}
	s.target.Track = nil
	s.Traffic.OtherServices = map[string]map[string]string{"theirs": {"app": "web-canary"}}
	s.chooseTrack()
	if s.Problem == nil || s.Problem.Reason != reason.CanaryIndistinct || s.target.Track != nil {
		t.Errorf("track %v, problem %v", s.target.Track, s.Problem)
	}
}
