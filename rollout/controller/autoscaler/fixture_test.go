package autoscaler

import (
	"context"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

type hpaType = autoscalingv2.HorizontalPodAutoscaler

// change is what somebody does to an autoscaler.
type change = func(*hpaType)

var web = types.NamespacedName{Namespace: "shop", Name: "web"}

// unheld is an autoscaler of web in which every field has its default.
func unheld() *hpaType {
	return &hpaType{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-autoscaler", Annotations: map[string]string{"team": "shop"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    ptr.To[int32](2), MaxReplicas: 9,
		},
	}
}

// selects sets spec.behavior.scaleDown.selectPolicy.
func selects(p autoscalingv2.ScalingPolicySelect) change {
	return func(hpa *hpaType) {
		if hpa.Spec.Behavior == nil {
			hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
		}
		if hpa.Spec.Behavior.ScaleDown == nil {
			hpa.Spec.Behavior.ScaleDown = &autoscalingv2.HPAScalingRules{}
		}
		hpa.Spec.Behavior.ScaleDown.SelectPolicy = &p
	}
}

// heldWith makes an autoscaler held, with that text as its mark.
func heldWith(text string) change {
	return func(hpa *hpaType) {
		selects(autoscalingv2.DisabledPolicySelect)(hpa)
		hpa.Annotations[spec.AnnotationScaleDown] = text
	}
}

func belongsTo(apiVersion, kind string) change {
	return func(hpa *hpaType) {
		hpa.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: apiVersion, Kind: kind, Name: "web-scaler", UID: "k", Controller: ptr.To(true)},
		}
	}
}

func scaling(kind, name string) change {
	return func(hpa *hpaType) { hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name = kind, name }
}

// withDefaults completes spec.behavior as the API server does.
func withDefaults(hpa *hpaType) {
	b := hpa.Spec.Behavior
	if b == nil {
		return
	}
	fill := func(rules **autoscalingv2.HPAScalingRules, window *int32, policies ...autoscalingv2.HPAScalingPolicy) {
		if *rules == nil {
			*rules = &autoscalingv2.HPAScalingRules{}
		}
		if r := *rules; r.StabilizationWindowSeconds == nil {
			r.StabilizationWindowSeconds = window
		}
		if r := *rules; r.SelectPolicy == nil {
			r.SelectPolicy = ptr.To(autoscalingv2.MaxChangePolicySelect)
		}
		if r := *rules; r.Policies == nil {
			r.Policies = policies
		}
	}
	percent := autoscalingv2.HPAScalingPolicy{Type: "Percent", Value: 100, PeriodSeconds: 15}
	fill(&b.ScaleUp, ptr.To[int32](0), autoscalingv2.HPAScalingPolicy{Type: "Pods", Value: 4, PeriodSeconds: 15}, percent)
	fill(&b.ScaleDown, nil, percent)
}

// fixture is a Holder and an API server with one autoscaler.
type fixture struct {
	*Holder
	api    client.WithWatch // without the interceptors of Holder.Client
	writes int              // by the Holder
	notes  []rollout.Note   // reported by the Holder
}

func newFixture(t *testing.T, hpa *hpaType) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := autoscalingv2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	f := &fixture{api: fake.NewClientBuilder().WithScheme(scheme).WithObjects(hpa).
		WithIndex(hpa, targetIndex, targetKeys).WithIndex(hpa, markedIndex, markedKeys).Build()}
	f.Holder = &Holder{Client: interceptor.NewClient(f.api, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			f.writes++
			if err := c.Patch(ctx, obj, p, opts...); err != nil {
				return err
			}
			return f.change(ctx, withDefaults)
		},
	})}
	return f
}

// afterList makes something happen between each read and the write that follows.
func (f *fixture) afterList(happens func(context.Context) error) {
	f.Client = interceptor.NewClient(f.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := c.List(ctx, list, opts...); err != nil {
				return err
			}
			return happens(ctx)
		},
	})
}

// change writes the autoscaler as somebody else does.
func (f *fixture) change(ctx context.Context, changes ...change) error {
	hpa := unheld()
	if err := f.api.Get(ctx, client.ObjectKeyFromObject(hpa), hpa); err != nil {
		return err
	}
	for _, c := range append(changes, withDefaults) {
		c(hpa)
	}
	return f.api.Update(ctx, hpa)
}

func (f *fixture) autoscaler(t *testing.T) *hpaType {
	t.Helper()
	hpa := unheld()
	if err := f.api.Get(t.Context(), client.ObjectKeyFromObject(hpa), hpa); err != nil {
		t.Fatal(err)
	}
	return hpa
}

func (f *fixture) report(note rollout.Note) { f.notes = append(f.notes, note) }

// reasons returns the reasons of the notes since the last call.
func (f *fixture) reasons() []string {
	var reasons []string
	for _, note := range f.notes {
		reasons = append(reasons, string(note.Reason))
	}
	f.notes = nil
	return reasons
}

// hold is one reconcile during a rollout.
func (f *fixture) hold(t *testing.T) {
	t.Helper()
	f.twice(t, func() error {
		if err := f.Hold(t.Context(), web, f.report); err != nil {
			return err
		}
		_, err := f.Free(t.Context(), web, rollout.KeepAll, f.report)
		return err
	})
}

// free is one reconcile after a rollout.
func (f *fixture) free(t *testing.T, goal rollout.ScaleDownGoal) (kept bool) {
	t.Helper()
	f.twice(t, func() (err error) {
		kept, err = f.Free(t.Context(), web, goal, f.report)
		return err
	})
	return kept
}

// twice reconciles twice: the second time must write nothing.
func (f *fixture) twice(t *testing.T, reconcile func() error) {
	t.Helper()
	if err := reconcile(); err != nil {
		t.Fatal(err)
	}
	before := f.writes
	if err := reconcile(); err != nil {
		t.Fatal(err)
	}
	if f.writes > before {
		t.Errorf("a second reconcile makes %d writes, want none", f.writes-before)
	}
}
