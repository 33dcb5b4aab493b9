package controller

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// autoscaler scales the stable Deployment, by every default.
func autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-autoscaler", Annotations: map[string]string{"team": "shop"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    ptr.To[int32](2), MaxReplicas: 9,
		},
	}
}

// selects sets what spec.behavior.scaleDown.selectPolicy says.
func selects(p autoscalingv2.ScalingPolicySelect) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		if hpa.Spec.Behavior == nil {
			hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
		}
		if hpa.Spec.Behavior.ScaleDown == nil {
			hpa.Spec.Behavior.ScaleDown = &autoscalingv2.HPAScalingRules{}
		}
		hpa.Spec.Behavior.ScaleDown.SelectPolicy = &p
	}
}

// mark is an autoscaler that is held.
func mark(hpa *autoscalingv2.HorizontalPodAutoscaler, text string) {
	selects(autoscalingv2.DisabledPolicySelect)(hpa)
	hpa.Annotations[spec.AnnotationScaleDown] = text
}

func belongsTo(apiVersion, kind string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "web-scaler", UID: "k", Controller: ptr.To(true)}}
	}
}

// newScaledStage is newStage with hpa, and an API server that fills in defaults.
func newScaledStage(t *testing.T, hpa *autoscalingv2.HorizontalPodAutoscaler) stage {
	t.Helper()
	s := newStage(t, hpa)
	s.target.Rollout = "7"
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := c.Patch(ctx, obj, p, opts...); err != nil {
				return err
			}
			return edited(ctx, s, defaulted)
		},
	})
	return s
}

// edited is what somebody else does to the autoscaler.
func edited(ctx context.Context, s stage, edit func(*autoscalingv2.HorizontalPodAutoscaler)) error {
	hpa := autoscaler()
	if err := s.Live.Get(ctx, client.ObjectKeyFromObject(hpa), hpa); err != nil {
		return err
	}
	edit(hpa)
	defaulted(hpa)
	return s.Live.(client.Client).Update(ctx, hpa)
}

// defaulted completes behavior as the API server does.
func defaulted(hpa *autoscalingv2.HorizontalPodAutoscaler) {
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

func (s stage) autoscaler(t *testing.T) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	hpa := autoscaler()
	if err := s.Live.Get(t.Context(), client.ObjectKeyFromObject(hpa), hpa); err != nil {
		t.Fatal(err)
	}
	return hpa
}

// told are the reasons of the events since the last call.
func (s stage) told() []string {
	var reasons []string
	for {
		select {
		case line := <-s.Events.(*events.FakeRecorder).Events:
			reasons = append(reasons, strings.Fields(line)[1])
		default:
			return reasons
		}
	}
}

var holding = rollout.Decision{HoldScaleDown: true}

// pass is what apply does about autoscalers, twice: the second time must write
// nothing.
func (s stage) pass(t *testing.T, d rollout.Decision) {
	t.Helper()
	for _, again := range []bool{false, true} {
		before := len(s.ledger.writes)
		for _, step := range []func(context.Context, *seen, rollout.Decision) error{s.holdScaleDown, s.freeScaleDown} {
			if err := step(t.Context(), s.seen, d); err != nil {
				t.Fatal(err)
			}
		}
		if again && len(s.ledger.writes) > before {
			t.Errorf("with nothing to do it writes %v", s.ledger.writes[before:])
		}
	}
}

func TestHoldScaleDown(t *testing.T) {
	type edit = func(*autoscalingv2.HorizontalPodAutoscaler)
	held, notHeld := []string{"ScaleDownHeld"}, []string(nil)
	tests := map[string]struct {
		edits []edit
		want  []string // events
		mark  string
	}{
		"one with every default":                {nil, held, `{"deployment":"web","selectPolicy":null}`},
		"one with rules":                        {[]edit{selects("Max")}, held, `{"deployment":"web","selectPolicy":"Max"}`},
		"one whose scale-down is off":           {[]edit{selects("Disabled")}, notHeld, ""},
		"one that scales down reluctantly":      {[]edit{selects("Min")}, notHeld, ""},
		"one that cannot scale":                 {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MinReplicas = ptr.To[int32](9) }}, notHeld, ""},
		"one that cannot scale below 1":         {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = nil, 1 }}, notHeld, ""},
		"one that something else writes":        {[]edit{belongsTo("keda.sh/v1alpha1", "ScaledObject")}, notHeld, ""},
		"one of another Deployment":             {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.ScaleTargetRef.Name = "api" }}, notHeld, ""},
		"one of a StatefulSet of that name":     {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.ScaleTargetRef.Kind = "StatefulSet" }}, notHeld, ""},
		"one of somebody else's Deployment":     {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.ScaleTargetRef.APIVersion = "acme.io/v1" }}, notHeld, ""},
		"one that names an older API of theirs": {[]edit{func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.ScaleTargetRef.APIVersion = "apps/v1beta2" }}, held, `{"deployment":"web","selectPolicy":null}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := autoscaler()
			for _, edit := range tt.edits {
				edit(hpa)
			}
			defaulted(hpa)
			s := newScaledStage(t, hpa)
			s.pass(t, holding)
			got, want := s.autoscaler(t), hpa.DeepCopy()
			if tt.mark != "" {
				mark(want, tt.mark)
				defaulted(want)
			}
			if diff := cmp.Diff(want.Annotations, got.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, s.told()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// What somebody does to an autoscaler while it is held, and what is left of that
// once the rollout is over.
func TestFreeScaleDown(t *testing.T) {
	type edit = func(*autoscalingv2.HorizontalPodAutoscaler)
	window := func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		selects(policyOf(hpa))(hpa)
		hpa.Spec.Behavior.ScaleDown.StabilizationWindowSeconds = ptr.To[int32](60)
	}
	up := func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		selects(policyOf(hpa))(hpa)
		hpa.Spec.Behavior.ScaleUp = &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](30)}
	}
	none := func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.Behavior = nil }
	tests := map[string]struct {
		before, meanwhile edit
		after             edit // of before
		rolling           []string
		over              []string
		dead              bool // no manager ran until it was over
	}{
		"nothing":                                     {nil, nil, nil, nil, []string{"ScaleDownRestored"}, false},
		"nothing, to one with rules":                  {selects("Max"), nil, nil, nil, []string{"ScaleDownRestored"}, false},
		"another scale-down rule":                     {selects("Max"), window, window, nil, []string{"ScaleDownRestored"}, false},
		"a first rule":                                {nil, window, window, nil, []string{"ScaleDownRestored"}, false},
		"a first rule for scale-up":                   {nil, up, up, nil, []string{"ScaleDownRestored"}, false},
		"self-heal, of the field":                     {selects("Max"), selects("Max"), nil, []string{"ScaleDownNotHeld"}, nil, false},
		"self-heal, of all rules":                     {nil, none, nil, []string{"ScaleDownNotHeld"}, nil, false},
		"a choice of their own":                       {nil, selects("Min"), selects("Min"), []string{"ScaleDownNotHeld"}, nil, false},
		"a mark that is damaged":                      {selects("Max"), func(hpa *autoscalingv2.HorizontalPodAutoscaler) { mark(hpa, "Max") }, nil, nil, []string{"ScaleDownRestored"}, false},
		"a mark that says what is not a policy":       {selects("Max"), func(hpa *autoscalingv2.HorizontalPodAutoscaler) { mark(hpa, `{"selectPolicy":"Never"}`) }, nil, nil, []string{"ScaleDownRestored"}, false},
		"fixed size":                                  {nil, func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MaxReplicas = 2 }, func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MaxReplicas = 2 }, nil, []string{"ScaleDownRestored"}, false},
		"another target":                              {nil, retargeted("Deployment", "api"), retargeted("Deployment", "api"), []string{"ScaleDownRestored"}, nil, false},
		"another target that is no Deployment":        {nil, retargeted("StatefulSet", "web"), retargeted("StatefulSet", "web"), []string{"ScaleDownRestored"}, nil, false},
		"somebody takes the mark, not what it is":     {nil, unmarked, selects("Disabled"), nil, nil, false},
		"a choice of their own, while no manager ran": {nil, selects("Min"), selects("Min"), nil, nil, true},
		"self-heal, while no manager ran":             {selects("Max"), selects("Max"), nil, nil, nil, true},
		"they let it scale down, and then not": {nil, func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
			mark(hpa, `{"deployment":"web","selectPolicy":null,"lost":true}`)
		}, selects("Disabled"), nil, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := autoscaler()
			for _, edit := range []edit{tt.before, defaulted} {
				if edit != nil {
					edit(hpa)
				}
			}
			s := newScaledStage(t, hpa)
			s.pass(t, holding)
			if got := s.told(); len(got) != 1 {
				t.Fatalf("events of the hold: %v", got)
			}
			if tt.meanwhile != nil {
				if err := edited(t.Context(), s, tt.meanwhile); err != nil {
					t.Fatal(err)
				}
			}
			if !tt.dead {
				s.pass(t, holding)
			}
			if diff := cmp.Diff(tt.rolling, s.told()); diff != "" {
				t.Errorf("events during the rollout (-want +got):\n%s", diff)
			}
			s.pass(t, rollout.Decision{})
			if diff := cmp.Diff(tt.over, s.told()); diff != "" {
				t.Errorf("events after it (-want +got):\n%s", diff)
			}
			want, got := hpa.DeepCopy(), s.autoscaler(t)
			if tt.after != nil {
				tt.after(want)
				defaulted(want)
			}
			if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Annotations, got.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func retargeted(kind, name string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name = kind, name
	}
}

func unmarked(hpa *autoscalingv2.HorizontalPodAutoscaler) {
	delete(hpa.Annotations, spec.AnnotationScaleDown)
}

// The manager was dead while somebody deleted the Deployment, or all there was of
// the rollout.
func TestReconcileRestoresScaleDown(t *testing.T) {
	held := func() *autoscalingv2.HorizontalPodAutoscaler {
		hpa := autoscaler()
		mark(hpa, `{"deployment":"web","selectPolicy":null}`)
		defaulted(hpa)
		return hpa
	}
	tests := map[string]func(t *testing.T, s stage) error{
		"the Deployment is gone": func(t *testing.T, s stage) error {
			return s.Live.(client.Client).Delete(t.Context(), s.dep)
		},
		"it is not Headgate's any more, and its canary is gone": func(t *testing.T, s stage) error {
			s.dep.Annotations = nil
			return s.Live.(client.Client).Update(t.Context(), s.dep)
		},
		"the autoscaler went to another Deployment too": func(t *testing.T, s stage) error {
			if err := edited(t.Context(), s, retargeted("Deployment", "api")); err != nil {
				return err
			}
			return s.Live.(client.Client).Delete(t.Context(), s.dep)
		},
	}
	for name, meanwhile := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScaledStage(t, held())
			if err := s.Live.(client.Client).Delete(t.Context(), s.canary); err != nil {
				t.Fatal(err)
			}
			if err := meanwhile(t, s); err != nil {
				t.Fatal(err)
			}
			for _, req := range s.autoscaled(t.Context(), s.autoscaler(t)) {
				if _, err := s.Reconcile(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			got := s.autoscaler(t)
			if got.Spec.Behavior != nil || len(markedFor(got)) > 0 {
				t.Errorf("behavior %v, annotations %v; want none of Headgate's", got.Spec.Behavior, got.Annotations)
			}
		})
	}
}

func TestScaleDownIsNotWrittenOnAStaleRead(t *testing.T) {
	s := newScaledStage(t, autoscaler())
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := c.List(ctx, list, opts...); err != nil {
				return err
			}
			return edited(ctx, s, selects("Min")) // after the read
		},
	})
	err := s.holdScaleDown(t.Context(), s.seen, holding)
	if result, err := again(err); err != nil || result.RequeueAfter == 0 {
		t.Errorf("again() = %v, %v; want another look", result, err)
	}
	if hpa := s.autoscaler(t); policyOf(hpa) != autoscalingv2.MinChangePolicySelect {
		t.Errorf("the user's choice became %s", policyOf(hpa))
	}
}

func TestScaleDownOfAnAutoscalerThatIsGone(t *testing.T) {
	s := newScaledStage(t, autoscaler())
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := c.List(ctx, list, opts...); err != nil {
				return err
			}
			return s.Live.(client.Client).Delete(ctx, autoscaler()) // after the read
		},
	})
	if err := s.holdScaleDown(t.Context(), s.seen, holding); err != nil {
		t.Errorf("the rollout waits for it: %v", err)
	}
	if told := s.told(); len(told) > 0 {
		t.Errorf("events: %v", told)
	}
}

func TestObserveScaleDown(t *testing.T) {
	type edit = func(*autoscalingv2.HorizontalPodAutoscaler)
	tests := map[string]struct {
		edits []edit
		want  string
	}{
		"one that can be held": {nil, ""},
		"one of KEDA": {
			[]edit{belongsTo("keda.sh/v1alpha1", "ScaledObject")},
			"HorizontalPodAutoscaler web-autoscaler may shrink stable while the canary has its traffic, and a rollback then meets fewer pods. It is not written, because it belongs to ScaledObject web-scaler: set spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy: Disabled there while you release",
		},
		"one of KEDA, that is off": {[]edit{belongsTo("keda.sh/v1alpha1", "ScaledObject"), selects("Disabled")}, ""},
		"one of another operator": {
			[]edit{belongsTo("acme.io/v1", "Scaler")},
			"HorizontalPodAutoscaler web-autoscaler may shrink stable while the canary has its traffic, and a rollback then meets fewer pods. It is not written, because it belongs to Scaler web-scaler: have that set spec.behavior.scaleDown.selectPolicy: Disabled while you release",
		},
		"one that scales down reluctantly": {
			[]edit{selects("Min")},
			"HorizontalPodAutoscaler web-autoscaler may shrink stable while the canary has its traffic, and a rollback then meets fewer pods. It is not written, because its spec.behavior.scaleDown.selectPolicy is Min, which is your choice: set Disabled while you release",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := autoscaler()
			for _, edit := range tt.edits {
				edit(hpa)
			}
			s := newScaledStage(t, hpa)
			if err := s.observeScaleDown(t.Context(), s.seen); err != nil {
				t.Fatal(err)
			}
			var want []rollout.Note
			if tt.want != "" {
				want = []rollout.Note{{Reason: reason.ScaleDownNotHeld, Message: tt.want}}
			}
			if diff := cmp.Diff(want, s.Gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAutoscaled(t *testing.T) {
	request := func(name string) ctrl.Request {
		return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}}
	}
	s := newStage(t)
	resting := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api"}}
	if err := s.Client.Create(t.Context(), resting); err != nil {
		t.Fatal(err)
	}
	hpa := autoscaler()
	if diff := cmp.Diff([]ctrl.Request{request("web")}, s.autoscaled(t.Context(), hpa)); diff != "" {
		t.Errorf("the rollouts of an autoscaler (-want +got):\n%s", diff)
	}
	mark(hpa, `{"deployment":"old","selectPolicy":null}`)
	hpa.Spec.ScaleTargetRef.Name = "api"
	if diff := cmp.Diff([]ctrl.Request{request("web"), request("api"), request("old")}, s.autoscaled(t.Context(), hpa)); diff != "" {
		t.Errorf("the Deployments of one with a mark (-want +got):\n%s", diff)
	}
}

func TestAutoscalerStatusIsNoNews(t *testing.T) {
	was, is := autoscaler(), autoscaler()
	is.ResourceVersion, is.Status.CurrentReplicas = "2", 5
	if respecified().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}) {
		t.Error("a status is reconciled")
	}
	is.Annotations["team"] = "web"
	if !respecified().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}) {
		t.Error("a new annotation would be overlooked")
	}
	is = autoscaler()
	is.Spec.MaxReplicas++
	if !respecified().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}) {
		t.Error("a new spec would be overlooked")
	}
}
