package controller

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// heldAutoscalers are Autoscalers with one autoscaler, which wants to shrink stable
// where shrinking. It records each write in ledger and reports it.
type heldAutoscalers struct {
	*ledger
	held, shrinking bool
	heldFor         []types.NamespacedName
}

func (a *heldAutoscalers) Gaps(context.Context, types.NamespacedName) ([]rollout.Note, error) {
	return []rollout.Note{{Reason: reason.ScaleDownNotHeld, Message: "KEDA"}}, nil
}

func (a *heldAutoscalers) Hold(_ context.Context, _ types.NamespacedName, report func(rollout.Note)) error {
	if !a.held {
		a.note("hold autoscalers")
		report(rollout.Note{Reason: reason.ScaleDownHeld, Message: "held"})
	}
	a.held = true
	return nil
}

func (a *heldAutoscalers) Free(
	_ context.Context, _ types.NamespacedName, goal rollout.ScaleDownGoal, report func(rollout.Note),
) (kept bool, err error) {
	if !a.held {
		return false, nil
	}
	if goal == rollout.KeepAll || goal == rollout.KeepShrinking && a.shrinking {
		return true, nil
	}
	a.note("free autoscalers")
	report(rollout.Note{Reason: reason.ScaleDownRestored, Message: "freed"})
	a.held = false
	return false, nil
}

func (a *heldAutoscalers) HeldFor(client.Object) []types.NamespacedName { return a.heldFor }

func (a *heldAutoscalers) Changed(client.Object, client.Object) bool { return true }

func TestFreeScaleDownIsTriedAgain(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	promoted := &appsv1.DeploymentCondition{Reason: string(reason.Promoted), LastTransitionTime: metav1.NewTime(now.Add(-time.Minute))}
	tests := map[string]struct {
		decision  rollout.Decision
		shrinking bool
		want      time.Time
	}{
		"during the rollout":                         {rollout.Decision{HoldScaleDown: true}, true, time.Time{}},
		"after it, where the autoscaler is freed":    {rollout.Decision{}, false, time.Time{}},
		"after it, where it would shrink stable yet": {rollout.Decision{}, true, now.Add(4 * time.Minute)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.Autoscalers = &heldAutoscalers{ledger: s.ledger, held: true, shrinking: tt.shrinking}
			s.snapshot.Now, s.condition = now, promoted
			if err := s.freeScaleDown(t.Context(), s.snapshot, tt.decision); err != nil {
				t.Fatal(err)
			}
			if !s.freeScaleDownAt.Equal(tt.want) {
				t.Errorf("it is tried again at %s, want %s", s.freeScaleDownAt, tt.want)
			}
		})
	}
}

// No manager ran while somebody deleted the Deployment, or all that Headgate had
// of it.
func TestReconcileFreesAutoscalers(t *testing.T) {
	tests := map[string]func(t *testing.T, s fixture) error{
		"the Deployment is gone": func(t *testing.T, s fixture) error {
			return s.Live.(client.Client).Delete(t.Context(), s.dep)
		},
		"the Deployment has nothing of Headgate's any more": func(t *testing.T, s fixture) error {
			s.dep.Annotations = nil
			return s.Live.(client.Client).Update(t.Context(), s.dep)
		},
	}
	for name, meanwhile := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.Autoscalers = &heldAutoscalers{ledger: s.ledger, held: true, shrinking: true}
			if err := s.Live.(client.Client).Delete(t.Context(), s.canaryDep); err != nil {
				t.Fatal(err)
			}
			if err := meanwhile(t, s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.dep)}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"free autoscalers"}, s.ledger.writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScaleDownNotesNameTheRollout(t *testing.T) {
	s := newFixture(t)
	s.target.Rollout = "7"
	if err := s.holdScaleDown(t.Context(), s.snapshot, rollout.Decision{HoldScaleDown: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := <-s.Events.(*events.FakeRecorder).Events, "Normal ScaleDownHeld rollout 7: held"; got != want {
		t.Errorf("event %q, want %q", got, want)
	}
}

func TestObserveScaleDown(t *testing.T) {
	s := newFixture(t)
	if err := s.observeScaleDown(t.Context(), s.snapshot); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]rollout.Note{{Reason: reason.ScaleDownNotHeld, Message: "KEDA"}}, s.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestRolloutsScaledBy(t *testing.T) {
	key := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	s := newFixture(t)
	s.Autoscalers = &heldAutoscalers{heldFor: []types.NamespacedName{key("api"), key("old")}}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}
	want := []ctrl.Request{{NamespacedName: key("web")}, {NamespacedName: key("api")}, {NamespacedName: key("old")}}
	if diff := cmp.Diff(want, s.rolloutsScaledBy(t.Context(), hpa)); diff != "" {
		t.Errorf("reconciled for it (-want +got):\n%s", diff)
	}
}
