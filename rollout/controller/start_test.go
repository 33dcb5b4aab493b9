package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// countingRouter counts how often the pods are listed, and finds these problems.
type countingRouter struct {
	*ledger
	problem, podProblem *rollout.Problem
	selectors           []map[string]string
	checks              int
}

func (c *countingRouter) Observe(context.Context, rollout.Target) (rollout.Traffic, error) {
	return rollout.Traffic{Problem: c.problem, Services: []string{"web"}, Selectors: c.selectors}, nil
}

func (c *countingRouter) CheckPods(context.Context, rollout.Target) (*rollout.Problem, error) {
	c.checks++
	return c.podProblem, nil
}

type noJudge struct{}

func (noJudge) Resolve(context.Context, string, string) (Analysis, error) { return nil, nil }

// waiting is a manager of Deployment web, which is held and has 2 Available pods of the
// version before.
type waiting struct {
	*Reconciler
	router *countingRouter
	live   []string // lists from the API server
	at     time.Time
}

func newWaiting(t *testing.T, change func(*appsv1.Deployment)) *waiting {
	t.Helper()
	dep := stableDeployment()
	dep.UID = "u1"
	dep.Spec.Replicas = ptr.To[int32](2)
	dep.Spec.Paused = true
	dep.Status.AvailableReplicas = 2
	dep.Annotations = map[string]string{
		spec.AnnotationStrategy: "canary", spec.AnnotationRollout: "7", spec.AnnotationPhase: string(spec.Pending),
	}
	dep.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "uploads"},
	}}}
	running := replicaSet(dep, version{"web:v0", ""}, 2)
	running.Labels = dep.Spec.Selector.MatchLabels
	change(dep)
	w := &waiting{router: &countingRouter{ledger: &ledger{}, selectors: []map[string]string{{"app": "web"}}}, at: time.Unix(1e9, 0)}
	objects := []client.Object{dep, running}
	if dep.Annotations[spec.AnnotationPhase] == string(spec.RolledBack) && dep.Annotations["record"] != "lost" {
		state, err := rollout.State{
			Rollout: "7", Template: fingerprint(dep.Spec.Template), Mode: rollout.ModeRolledBack, Why: reason.AnalysisFailed,
		}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, newCanary(dep, "7", map[string]string{"app": "web-canary"}, state, 0))
	}
	c := indexed(scheme.Scheme).WithObjects(objects...).WithStatusSubresource(dep).Build()
	live := interceptor.NewClient(c, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			w.live = append(w.live, fmt.Sprintf("list %T", list))
			return c.List(ctx, list, opts...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			w.live = append(w.live, fmt.Sprintf("get %T", obj))
			return c.Get(ctx, key, obj, opts...)
		},
	})
	w.Reconciler = &Reconciler{
		Client: c, Live: live, Router: w.router, Judge: noJudge{}, Autoscalers: &heldAutoscalers{ledger: w.router.ledger},
		Events: events.NewFakeRecorder(100), Now: func() time.Time { return w.at },
		Elapsed: func() time.Duration { return w.at.Sub(time.Time{}) },
	}
	return w
}

// looks reconciles n times, a second apart, and returns when it wants to be called
// again.
func (w *waiting) looks(t *testing.T, n int) time.Duration {
	t.Helper()
	var result ctrl.Result
	for range n {
		w.at = w.at.Add(time.Second)
		var err error
		if result, err = w.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "web"}}); err != nil {
			t.Fatal(err)
		}
	}
	return result.RequeueAfter
}

func (w *waiting) reason(t *testing.T) string {
	t.Helper()
	dep := &appsv1.Deployment{}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, dep); err != nil {
		t.Fatal(err)
	}
	if c := conditionOf(dep); c != nil {
		return c.Reason
	}
	return ""
}

// A Deployment that is rolled back or blocked is looked at whenever something happens
// in its namespace, and must cost the API server nothing.
func TestALookAtRestReadsNothingLive(t *testing.T) {
	none := func(*appsv1.Deployment) {}
	for name, tt := range map[string]struct {
		change  func(*appsv1.Deployment)
		problem *rollout.Problem
		want    reason.Reason
	}{
		"blocked by a Service":       {none, &rollout.Problem{Reason: reason.NoService, Message: "none"}, reason.NoService},
		"blocked by its annotations": {func(d *appsv1.Deployment) { d.Annotations[spec.AnnotationSteps] = "x" }, nil, reason.InvalidAnnotation},
		"blocked by its strategy":    {func(d *appsv1.Deployment) { d.Spec.Strategy.Type = "Recreate" }, nil, reason.RecreateNotSupported},
		"without an Available pod":   {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }, nil, reason.StableUnavailable},
		"rolled back": {func(d *appsv1.Deployment) {
			d.Annotations[spec.AnnotationPhase] = "RolledBack"
		}, nil, reason.AnalysisFailed},
		"rolled back, without record": {func(d *appsv1.Deployment) {
			d.Annotations[spec.AnnotationPhase], d.Annotations["record"] = "RolledBack", "lost"
		}, nil, ""},
		"at rest": {func(d *appsv1.Deployment) {
			delete(d.Annotations, spec.AnnotationRollout)
			delete(d.Annotations, spec.AnnotationPhase)
		}, nil, reason.Ready},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting(t, tt.change)
			w.router.problem = tt.problem
			w.looks(t, 20)
			if got := w.reason(t); got != string(tt.want) {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
			if w.router.checks > 0 || len(w.live) > 0 {
				t.Errorf("20 looks: %d checks of pods, %q", w.router.checks, w.live)
			}
		})
	}
}

func TestPodsAreCheckedOnceBeforeAStart(t *testing.T) {
	w := newWaiting(t, func(*appsv1.Deployment) {})
	w.router.problem = &rollout.Problem{Reason: reason.NoIngress, Message: "none"}
	w.looks(t, 20)
	w.router.problem = nil
	w.looks(t, 20)
	if got := w.reason(t); got != string(reason.CanaryStarting) || w.router.checks != 1 {
		t.Errorf("reason %s, %d checks of pods, want 1", got, w.router.checks)
	}
}

// What is in the way is a pod. Nothing watches it, so it is looked for once a minute,
// however often the Deployment is looked at, and at once when a selector changes.
func TestABlockingPodIsLookedForOnceAMinute(t *testing.T) {
	w := newWaiting(t, func(*appsv1.Deployment) {})
	w.router.podProblem = &rollout.Problem{Reason: reason.ServiceSelectsOthers, Message: "stray"}
	expect := func(checks int, why reason.Reason) {
		t.Helper()
		if got := w.reason(t); got != string(why) || w.router.checks != checks {
			t.Fatalf("reason %s, %d checks of pods, want %s, %d", got, w.router.checks, why, checks)
		}
	}
	again := w.looks(t, 30) // until 12:00:30, if the first look is at 12:00:01
	expect(1, reason.ServiceSelectsOthers)
	if diff := cmp.Diff(31*time.Second, again); diff != "" {
		t.Errorf("looks again in (-want +got): %s", diff)
	}
	w.looks(t, 30)
	expect(1, reason.ServiceSelectsOthers)
	w.looks(t, 1)
	expect(2, reason.ServiceSelectsOthers)
	w.router.selectors = []map[string]string{{"app": "web", "tier": "front"}}
	w.router.podProblem = nil
	w.looks(t, 1)
	expect(3, reason.CanaryStarting)
}
