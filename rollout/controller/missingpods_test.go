package controller

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
)

const lookedAt = 1000 // seconds; the time of the snapshot in these tests

// stablePod is a pod of the ReplicaSet with hash, in the state that m says.
func stablePod(name, hash string, m moment) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "shop",
		Labels: map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: hash},
	}}
	m(&pod.Status)
	return pod
}

// promoting is a promotion whose update has made no progress for idle.
func promoting(t *testing.T, idle time.Duration, objects ...client.Object) (fixture, *int) {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(appsv1.AddToScheme(scheme))
	utilruntime.Must(corev1.AddToScheme(scheme))
	dep := stableDeployment()
	dep.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentProgressing, LastUpdateTime: metav1.NewTime(time.Unix(lookedAt, 0).Add(-idle)),
	}}
	old, current := replicaSet(dep, version{"web:v1", ""}, 1), replicaSet(dep, version{"web:v2", ""}, 2)
	old.SetLabels(map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: "old"})
	current.SetLabels(map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: "new"})
	version{"web:v2", ""}.of(dep)
	lists := 0
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, old, current)...).
		WithIndex(&appsv1.ReplicaSet{}, ownerIndex, ownerKey).Build()
	live := interceptor.NewClient(c, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			lists++
			return c.List(ctx, list, opts...)
		},
	})
	s := &snapshot{dep: dep}
	s.Now = time.Unix(lookedAt, 0)
	s.Stable.Replicas = 4
	s.Spec.Restart = "rolling"
	s.Canary = &rollout.CanaryStatus{State: rollout.State{Rollout: "7", Mode: rollout.ModePromoting}}
	return fixture{Reconciler: &Reconciler{Client: c, Live: live}, snapshot: s}, &lists
}

func TestObserveMissingPods(t *testing.T) {
	serves := moment(func(s *corev1.PodStatus) {
		s.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Unix(0, 0)),
		}}
	})
	const notFound = "not found"
	noImage := web(waits("ImagePullBackOff", notFound))
	starting := moment(func(*corev1.PodStatus) {})
	leaving := stablePod("web-new-leaving", "new", unscheduled("it goes away"))
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"x/y"}
	some := func(n int, m moment) []client.Object {
		var all []client.Object
		for i := range n {
			all = append(all, stablePod(fmt.Sprintf("web-new-%c", 'a'+i), "new", m))
		}
		return all
	}
	const cannotPull = `(image "web:v2" of container web cannot be pulled: there is no such image)`
	for name, tt := range map[string]struct {
		pods   []client.Object
		change func(*snapshot)
		want   string
	}{
		"one of them cannot start": {
			pods: append(some(3, serves), stablePod("web-new-x", "new", noImage)),
			want: "1 of 4 pods: web-new-x " + cannotPull,
		},
		"the message names a few": {
			pods: some(7, noImage), change: func(s *snapshot) { s.Stable.Replicas = 1000 },
			want: "1000 of 1000 pods: web-new-a, web-new-b, web-new-c and 997 more " + cannotPull,
		},
		"a pod that starts has no failure to tell": {
			pods: append(some(3, serves), stablePod("web-new-x", "new", starting)),
			want: "1 of 4 pods: web-new-x",
		},
		"pods of the version before are not missing": {
			pods: append(some(3, serves), stablePod("web-old-1", "old", noImage)),
			want: "1 of 4 pods",
		},
		"a pod that goes away is not named": {pods: append(some(3, serves), leaving), want: "1 of 4 pods"},
		"a failure names no pod, because its pod is named": {
			pods: append(some(3, serves), stablePod("web-new-x", "new", unscheduled("0/3 nodes fit"))),
			want: "1 of 4 pods: web-new-x (a pod cannot be scheduled: 0/3 nodes fit)",
		},
		"pods are refused": {
			pods: some(3, serves), want: "1 of 4 pods (a pod is forbidden: exceeded quota: q, limited: pods=3)",
			change: func(s *snapshot) {
				s.dep.Status.Conditions = append(s.dep.Status.Conditions, appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue,
					Message: `pods "web-5d8f7c9b6d-x2x9k" is forbidden: exceeded quota: q, used: pods=3, limited: pods=3`,
				})
			},
		},
		"all are Available": {pods: some(4, serves)},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := promoting(t, time.Hour, tt.pods...)
			if tt.change != nil {
				tt.change(s.snapshot)
			}
			for range 2 { // the text is the same at each look
				if err := s.observePodFailures(t.Context(), s.snapshot); err != nil {
					t.Fatal(err)
				}
				if s.Stable.Missing != tt.want {
					t.Errorf("got  %s\nwant %s", s.Stable.Missing, tt.want)
				}
			}
		})
	}
}

// A promotion that makes progress lists no pods, whatever its size.
func TestMissingPodsAreListedOnlyWithoutProgress(t *testing.T) {
	for name, tt := range map[string]struct {
		idle   time.Duration
		change func(*snapshot)
		want   int
	}{
		"it makes progress":               {idle: 59 * time.Second},
		"it has made none for a minute":   {idle: time.Minute, want: 1},
		"its own deadline has passed":     {change: func(s *snapshot) { s.Stable.Stalled = true }, want: 1},
		"nothing is released yet":         {idle: time.Hour, change: func(s *snapshot) { s.Stable.Hold = "7" }},
		"every pod is the new version":    {idle: time.Hour, change: func(s *snapshot) { s.Stable.Complete = true }},
		"the traffic comes back already":  {idle: time.Hour, change: func(s *snapshot) { s.Canary.State.Mode = rollout.ModeReturning }},
		"the rollout is still at a step":  {idle: time.Hour, change: func(s *snapshot) { s.Canary.State.Mode = rollout.ModeProgressing }},
		"the record cannot be read":       {idle: time.Hour, change: func(s *snapshot) { s.Canary.StateErr = errors.New("?") }},
		"another condition is a year old": {change: func(s *snapshot) { s.dep.Status.Conditions[0].Type = appsv1.DeploymentAvailable }},
	} {
		t.Run(name, func(t *testing.T) {
			s, lists := promoting(t, tt.idle)
			if tt.change != nil {
				tt.change(s.snapshot)
			}
			if err := s.observePodFailures(t.Context(), s.snapshot); err != nil {
				t.Fatal(err)
			}
			if *lists != tt.want {
				t.Errorf("%d lists of pods, want %d", *lists, tt.want)
			}
		})
	}
}

// That pods cannot be listed holds nothing up.
func TestMissingPodsThatCannotBeListed(t *testing.T) {
	s, _ := promoting(t, time.Hour)
	s.Live = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("pods are forbidden")
		},
	})
	if err := s.observePodFailures(t.Context(), s.snapshot); err != nil || s.Stable.Missing != "" {
		t.Errorf("%v, %q", err, s.Stable.Missing)
	}
}
