package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// ledger records every write, in order.
type ledger struct{ writes []string }

func (l *ledger) note(format string, args ...any) {
	l.writes = append(l.writes, fmt.Sprintf(format, args...))
}

func (l *ledger) Observe(context.Context, rollout.Target) (rollout.Traffic, error) {
	return rollout.Traffic{}, nil
}
func (l *ledger) CheckPods(context.Context, rollout.Target) (*rollout.Problem, error) {
	return nil, nil
}
func (l *ledger) SetWeight(_ context.Context, _ rollout.Target, weight int, _ spec.Match) error {
	l.note("weight %d", weight)
	return nil
}
func (l *ledger) Remove(context.Context, rollout.Target) error { l.note("remove routes"); return nil }
func (l *ledger) Cleanup(context.Context, rollout.Target) error {
	l.note("remove services")
	return nil
}

func (l *ledger) Affected(context.Context, client.Object) (rollout.Affected, error) {
	return rollout.Affected{}, nil
}

func (l *ledger) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			l.note("create %s", obj.GetName())
			return c.Create(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			l.note("patch %s", obj.GetName())
			return c.Patch(ctx, obj, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			l.note("delete %s", obj.GetName())
			return c.Delete(ctx, obj, opts...)
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, obj client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
		) error {
			l.note("patch %s of %s", sub, obj.GetName())
			return c.SubResource(sub).Patch(ctx, obj, p, opts...)
		},
	}
}

type fixture struct {
	*Reconciler
	*snapshot
	ledger *ledger
}

func split(weight int) rollout.RoutesGoal {
	return rollout.RoutesGoal{Kind: rollout.SplitRoutes, Weight: weight}
}

// storedState is the message of the condition with the state.
func storedState(t *testing.T, s fixture) string {
	t.Helper()
	dep := &appsv1.Deployment{}
	if err := s.Live.Get(t.Context(), client.ObjectKeyFromObject(s.dep), dep); err != nil {
		t.Fatal(err)
	}
	if c := findCondition(dep, spec.ConditionState); c != nil {
		return c.Message
	}
	return ""
}

// newFixture is a rollout with a canary of 2 pods at weight 50.
func newFixture(t *testing.T) fixture {
	t.Helper()
	dep := stableDeployment()
	canary := newCanary(dep, "7", map[string]string{"app": "web-canary"}, "{}", 2)
	l := &ledger{}
	c := indexed(appsScheme(t)).WithObjects(dep, canary).WithStatusSubresource(dep).Build()
	for _, obj := range []client.Object{dep, canary} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
			t.Fatal(err)
		}
	}
	r := &Reconciler{
		Client: interceptor.NewClient(c, l.funcs()), Live: c, Router: l, Autoscalers: &heldAutoscalers{ledger: l},
		Events: events.NewFakeRecorder(10), Now: func() time.Time { return time.Unix(0, 0) },
	}
	s := &snapshot{dep: dep, canaryDep: canary}
	s.Stable = rollout.Stable{Hold: "7", Phase: spec.Pending}
	s.Traffic = rollout.Traffic{Routed: true, Weight: 50}
	return fixture{r, s, l}
}

func TestApplyOrder(t *testing.T) {
	goal := &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2}
	tests := map[string]struct {
		decision rollout.Decision
		gone     bool // the routes are
		held     bool // scale-down is
		want     []string
	}{
		"after bad news the first write takes the traffic away": {
			decision: rollout.Decision{Reason: reason.AnalysisFailed, Canary: goal, Phase: spec.RolledBack},
			want:     []string{"remove routes", "patch status of web", "patch web"},
		},
		"a rise is on record before it is made": {
			decision: rollout.Decision{Canary: goal, Routes: split(75), Phase: spec.Pending},
			want:     []string{"patch status of web", "weight 75"},
		},
		"what the canary grows for is on record before it grows": {
			decision: rollout.Decision{Canary: &rollout.CanaryGoal{State: goal.State, Replicas: 3}, Routes: split(50), Phase: spec.Pending},
			want:     []string{"patch status of web", "patch web-canary", "weight 50"},
		},
		"the reason for a release is on record before the release": {
			decision: rollout.Decision{Canary: goal, Routes: split(50), Hold: rollout.Release, Phase: spec.Promoting},
			want:     []string{"patch status of web", "weight 50", "patch web"},
		},
		"the record goes last": {
			decision: rollout.Decision{Reason: reason.Promoted},
			gone:     true,
			want:     []string{"patch web", "remove services", "delete web-canary", "patch status of web"},
		},
		"the record stays while there are routes": {
			decision: rollout.Decision{Phase: spec.Pending},
			want:     []string{"remove routes"},
		},
		"nothing shrinks stable once it may get its traffic back": {
			decision: rollout.Decision{Canary: goal, Routes: split(75), Phase: spec.Pending, HoldScaleDown: true},
			want:     []string{"patch status of web", "hold autoscalers", "weight 75"},
		},
		"autoscalers are free again before the record goes": {
			decision: rollout.Decision{Reason: reason.Promoted},
			gone:     true,
			held:     true,
			want:     []string{"patch web", "free autoscalers", "remove services", "delete web-canary", "patch status of web"},
		},
		"a command is taken in the same write as the phase": {
			decision: rollout.Decision{Canary: goal, Routes: rollout.RoutesGoal{Kind: rollout.KeepRoutes}, Phase: spec.Paused, TakeCommand: true},
			want:     []string{"patch status of web", "patch web"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.Autoscalers.(*heldAutoscalers).held = tt.held
			s.Traffic.Routed = !tt.gone
			if err := s.apply(t.Context(), s.snapshot, tt.decision); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.ledger.writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyRelease(t *testing.T) {
	s := newFixture(t)
	d := rollout.Decision{Routes: rollout.RoutesGoal{Kind: rollout.KeepRoutes}, Hold: rollout.Release, TakeCommand: true}
	if err := s.writeStable(t.Context(), s.snapshot, d); err != nil {
		t.Fatal(err)
	}
	dep := &appsv1.Deployment{}
	if err := s.Live.Get(t.Context(), client.ObjectKeyFromObject(s.dep), dep); err != nil {
		t.Fatal(err)
	}
	if dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] != "" || dep.Annotations[spec.AnnotationPhase] != "" {
		t.Errorf("after a release: paused %v, annotations %v", dep.Spec.Paused, dep.Annotations)
	}
	if diff := cmp.Diff(stableDeployment().Spec.Template, dep.Spec.Template); diff != "" {
		t.Errorf("the user's template was written (-before +after):\n%s", diff)
	}
}

// A template that arrives between the look and the write must not be released on
// the strength of the one before.
func TestApplyStale(t *testing.T) {
	touch := func(t *testing.T, s fixture, obj client.Object, generations int64) {
		t.Helper()
		obj.SetGeneration(obj.GetGeneration() + generations)
		if err := s.Live.(client.Client).Update(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a release of an older Deployment is a conflict", func(t *testing.T) {
		s := newFixture(t)
		touch(t, s, s.dep.DeepCopy(), 1)
		err := s.writeStable(t.Context(), s.snapshot, rollout.Decision{Hold: rollout.Release})
		if result, err := requeueIfStale(err); err != nil || result.RequeueAfter == 0 {
			t.Errorf("again() = %v, %v; want another look", result, err)
		}
	})
	t.Run("a status that was written meanwhile loses no verdict", func(t *testing.T) {
		s := newFixture(t)
		touch(t, s, s.dep.DeepCopy(), 0)
		d := rollout.Decision{Canary: &rollout.CanaryGoal{State: rollout.State{Rollout: "7", Why: reason.AnalysisFailed}, Replicas: 2}}
		if err := s.writeCanary(t.Context(), s.snapshot, d); err != nil {
			t.Fatal(err)
		}
		if state := storedState(t, s); !strings.Contains(state, "AnalysisFailed") {
			t.Errorf("the state is %s", state)
		}
	})
	t.Run("traffic is not added for canary pods that are gone", func(t *testing.T) {
		s := newFixture(t)
		s.Canary = &rollout.CanaryStatus{Replicas: 2, Available: 1} // the API server has none
		err := s.addTraffic(t.Context(), s.snapshot, rollout.Decision{Routes: split(75)})
		if !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
			t.Errorf("addTraffic() = %v, writes %v; want errStale and none", err, s.ledger.writes)
		}
	})
	t.Run("traffic is not added for a canary that is gone", func(t *testing.T) {
		s := newFixture(t)
		if err := s.Live.(client.Client).Delete(t.Context(), s.canaryDep.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		err := s.addTraffic(t.Context(), s.snapshot, rollout.Decision{Routes: split(75)})
		if !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
			t.Errorf("addTraffic() = %v, writes %v; want errStale and none", err, s.ledger.writes)
		}
	})
	t.Run("nothing is written over a newer state, and no traffic is added for an older one", func(t *testing.T) {
		s := newFixture(t)
		dep := s.dep.DeepCopy()
		newer := appsv1.DeploymentCondition{Type: spec.ConditionState, Message: "canary : {}"}
		dep.Status.Conditions = append(dep.Status.Conditions, newer)
		if err := s.Live.(client.Client).Status().Update(t.Context(), dep); err != nil {
			t.Fatal(err)
		}
		goal := &rollout.CanaryGoal{State: rollout.State{Rollout: "7", Weight: 75}, Replicas: 2}
		for what, err := range map[string]error{
			"writeCanary":  s.writeCanary(t.Context(), s.snapshot, rollout.Decision{Canary: goal}),
			"addTraffic":   s.addTraffic(t.Context(), s.snapshot, rollout.Decision{Routes: split(75)}),
			"resizeCanary": s.resizeCanary(t.Context(), s.snapshot, 3),
		} {
			if !errors.Is(err, errStale) {
				t.Errorf("%s() = %v, want errStale", what, err)
			}
		}
		if state := storedState(t, s); state != newer.Message {
			t.Errorf("the state is %s", state)
		}
	})
	t.Run("traffic is not added for an older canary", func(t *testing.T) {
		s := newFixture(t)
		touch(t, s, s.canaryDep.DeepCopy(), 1)
		err := s.addTraffic(t.Context(), s.snapshot, rollout.Decision{Routes: split(75)})
		if !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
			t.Errorf("addTraffic() = %v, writes %v; want errStale and none", err, s.ledger.writes)
		}
	})
}
