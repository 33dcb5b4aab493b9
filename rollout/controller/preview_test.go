package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// errPreviewQuota is what a Router returns that wrote everything but the preview.
var errPreviewQuota = fmt.Errorf("setting weight 50: %w", &rollout.PreviewError{
	Err: apierrors.NewForbidden(netv1.Resource("ingresses"), "web-preview", errors.New("exceeded quota: q, used: 2, limited: 2")),
})

type routerWithoutPreview struct{ *ledger }

func (r routerWithoutPreview) SetWeight(ctx context.Context, t rollout.Target, weight int, match spec.Match) error {
	_ = r.ledger.SetWeight(ctx, t, weight, match)
	return errPreviewQuota
}

// A preview that cannot be written stops no other write: neither as traffic is taken
// away nor as it is added.
func TestApplyGoesOnWithoutThePreview(t *testing.T) {
	for _, weight := range []int{25, 75} {
		s := newFixture(t)
		s.Router = routerWithoutPreview{s.ledger}
		d := rollout.Decision{
			Reason: reason.WeightSet, Message: "weight", Phase: spec.Progressing, Routes: split(weight),
			Canary: &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2},
		}
		if err := s.apply(t.Context(), s.snapshot, d); err != nil {
			t.Fatal(err)
		}
		last := s.ledger.writes[len(s.ledger.writes)-1]
		if last != "patch status of web" || !errors.Is(s.previewErr, errPreviewQuota) {
			t.Errorf("weight %d: last write %q, error %v", weight, last, s.previewErr)
		}
	}
}

// What refused the preview is observed until the preview is written. It is about one
// rollout, and about one that wants a preview.
func TestRefusedPreviewIsRemembered(t *testing.T) {
	s := newFixture(t)
	wants := rollout.Target{Deployment: s.dep, Rollout: "7", Spec: spec.Spec{PreviewHost: "preview.a.test"}}
	s.target = wants
	var p previews
	expect := func(target rollout.Target, want string) {
		t.Helper()
		got := ""
		if refused := p.refusal(target); refused != nil {
			got = refused.Message
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	const message = "the API server refuses to write it: " +
		`ingresses.networking.k8s.io "web-preview" is forbidden: exceeded quota: q, limited: 2`

	expect(wants, "")
	s.previewErr = errPreviewQuota
	p.remember(s.snapshot)
	expect(wants, message)
	s.previewErr = &rollout.PreviewError{Err: apierrors.NewConflict(netv1.Resource("ingresses"), "web-preview", errors.New("newer"))}
	p.remember(s.snapshot)
	expect(wants, message)

	next, none := wants, wants
	next.Rollout, none.Spec.PreviewHost = "8", ""
	expect(next, "")
	expect(none, "")

	s.previewErr = nil
	p.remember(s.snapshot)
	expect(wants, "")

	s.previewErr = errPreviewQuota
	p.remember(s.snapshot)
	p.forget(client.ObjectKeyFromObject(s.dep))
	expect(wants, "")
}

// A preview that is refused costs a rollout nothing but one event, and is tried again.
func TestReconcileGoesOnWithoutThePreview(t *testing.T) {
	r, dep, l := newPreviewedRollout(t)
	recorded := &actions{}
	r.Events = recorded
	key := client.ObjectKeyFromObject(dep)
	for range 4 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); !errors.Is(err, errPreviewQuota) {
			t.Fatalf("Reconcile() = %v, want the refusal, so that the preview is tried again soon", err)
		}
	}
	if err := r.Live.Get(t.Context(), key, dep); err != nil {
		t.Fatal(err)
	}
	_, text, err := rollout.StoredState(dep)
	if err != nil {
		t.Fatal(err)
	}
	state, err := rollout.DecodeState(text)
	if err != nil || state.Step != 1 || !state.PreviewDropped {
		t.Errorf("the state is %+v, %v", state, err)
	}
	if got := conditionOf(dep); got.Reason != string(reason.AwaitingPromotion) ||
		!strings.HasSuffix(got.Message, `exceeded quota: q, limited: 2`) {
		t.Errorf("the condition is %s: %s", got.Reason, got.Message)
	}
	if got := recorded.count(reason.PreviewDropped); got != 1 {
		t.Errorf("%d events say that the preview was dropped", got)
	}
	if want := append([]string{"hold autoscalers"}, slices.Repeat([]string{"weight 50"}, 4)...); !slices.Equal(l.writes, want) {
		t.Errorf("writes %v", l.writes)
	}
}

// newPreviewedRollout is a rollout at its first weight, 50, with a pause after it. Its
// Router cannot write the preview.
func newPreviewedRollout(t *testing.T) (*Reconciler, *appsv1.Deployment, *ledger) {
	t.Helper()
	dep := stableDeployment()
	dep.Generation = 1
	maps.Copy(dep.Annotations, map[string]string{
		spec.AnnotationStrategy: "canary", spec.AnnotationSteps: "50%, pause, 100%", spec.AnnotationPreviewHost: "preview.a.test",
		spec.AnnotationRollout: "7", spec.AnnotationPhase: string(spec.Progressing),
	})
	dep.Spec.Paused = true
	state, err := rollout.State{
		Rollout: "7", Template: fingerprint(dep.Spec.Template), Mode: rollout.ModeProgressing, Routed: true, Weight: 50, Baseline: 2,
		Steps: []spec.Step{{Kind: spec.SetWeight, Weight: 50}, {Kind: spec.Pause}, {Kind: spec.SetWeight, Weight: 100}},
		Began: time.Unix(0, 0), StepSince: time.Unix(0, 0),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	canary := newCanary(dep, "7", map[string]string{"app": "web-canary"}, state, 2)
	canary.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, AvailableReplicas: 2}
	l := &ledger{}
	c := indexed(clientgoscheme.Scheme).WithObjects(dep, canary).WithStatusSubresource(&appsv1.Deployment{}).Build()
	now := time.Unix(60, 0)
	traffic := rollout.Traffic{
		Services: []string{"web"}, Ingresses: []string{"web"}, Routed: true, Current: true,
		Weight: 50, Lowest: 50, Highest: 50, Since: time.Unix(1, 0),
	}
	return &Reconciler{
		Client: c, Live: c, Router: foundTraffic{routerWithoutPreview{l}, traffic}, Judge: noJudge{}, Autoscalers: &heldAutoscalers{ledger: l},
		Metrics: NewMetrics(prometheus.NewRegistry()), Now: func() time.Time { return now },
	}, dep, l
}

type foundTraffic struct {
	routerWithoutPreview
	traffic rollout.Traffic
}

func (r foundTraffic) Observe(context.Context, rollout.Target) (rollout.Traffic, error) {
	return r.traffic, nil
}
