package autoscaler

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

func TestHold(t *testing.T) {
	const defaultMark = `{"deployment":"web","selectPolicy":null}`
	target := func(apiVersion, kind, name string) change {
		return func(hpa *hpaType) {
			hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: name}
		}
	}
	size := func(smallest *int32, largest int32) change {
		return func(hpa *hpaType) { hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = smallest, largest }
	}
	tests := map[string]struct {
		change change
		mark   string // "": it is not held
	}{
		"every field has its default":          {nil, defaultMark},
		"it has rules":                         {selects("Max"), `{"deployment":"web","selectPolicy":"Max"}`},
		"its scale-down is off already":        {selects("Disabled"), ""},
		"the user chose a slow scale-down":     {selects("Min"), ""},
		"minReplicas is maxReplicas":           {size(ptr.To[int32](9), 9), ""},
		"maxReplicas is 1":                     {size(nil, 1), ""},
		"KEDA writes it":                       {belongsTo("keda.sh/v1alpha1", "ScaledObject"), ""},
		"it scales another Deployment":         {target("apps/v1", "Deployment", "api"), ""},
		"it scales a StatefulSet of that name": {target("apps/v1", "StatefulSet", "web"), ""},
		"it scales a custom kind Deployment":   {target("acme.io/v1", "Deployment", "web"), ""},
		"it names an old API version":          {target("apps/v1beta2", "Deployment", "web"), defaultMark},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := unheld()
			if tt.change != nil {
				tt.change(hpa)
			}
			withDefaults(hpa)
			f := newFixture(t, hpa)
			f.hold(t)
			got, want := f.autoscaler(t), hpa.DeepCopy()
			var wantReasons []string
			if tt.mark != "" {
				heldWith(tt.mark)(want)
				withDefaults(want)
				wantReasons = []string{"ScaleDownHeld"}
			}
			if diff := cmp.Diff(want.Annotations, got.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantReasons, f.reasons()); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

// What somebody does to an autoscaler during the hold, and what is left of that
// after the rollout.
func TestFree(t *testing.T) {
	window := func(hpa *hpaType) {
		selects(policyOf(hpa))(hpa)
		hpa.Spec.Behavior.ScaleDown.StabilizationWindowSeconds = ptr.To[int32](60)
	}
	scaleUp := func(hpa *hpaType) {
		selects(policyOf(hpa))(hpa)
		hpa.Spec.Behavior.ScaleUp = &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](30)}
	}
	noBehavior := func(hpa *hpaType) { hpa.Spec.Behavior = nil }
	fixedSize := func(hpa *hpaType) { hpa.Spec.MaxReplicas = 2 }
	withoutMark := func(hpa *hpaType) { delete(hpa.Annotations, spec.AnnotationScaleDown) }
	restored, notHeld := []string{"ScaleDownRestored"}, []string{"ScaleDownNotHeld"}
	tests := map[string]struct {
		before, during change   // nil: nothing
		after          change   // makes of before what is left; nil: before itself
		reportedDuring []string // reasons
		reportedAfter  []string
		dead           bool // no manager runs during the rollout
	}{
		"nothing":                        {reportedAfter: restored},
		"nothing, and it has rules":      {before: selects("Max"), reportedAfter: restored},
		"another rule for scale-down":    {before: selects("Max"), during: window, after: window, reportedAfter: restored},
		"a first rule for scale-down":    {during: window, after: window, reportedAfter: restored},
		"a first rule for scale-up":      {during: scaleUp, after: scaleUp, reportedAfter: restored},
		"a GitOps tool resets the field": {before: selects("Max"), during: selects("Max"), reportedDuring: notHeld},
		"a GitOps tool resets all rules": {during: noBehavior, reportedDuring: notHeld},
		"another policy":                 {during: selects("Min"), after: selects("Min"), reportedDuring: notHeld},
		"a mark that is not JSON":        {before: selects("Max"), during: heldWith("Max"), reportedAfter: restored},
		"a mark with an unknown policy":  {before: selects("Max"), during: heldWith(`{"selectPolicy":"Never"}`), reportedAfter: restored},
		"a fixed size":                   {during: fixedSize, after: fixedSize, reportedAfter: restored},
		"another target":                 {during: scaling("Deployment", "api"), after: scaling("Deployment", "api"), reportedDuring: restored},
		"a target that is no Deployment": {
			during:         scaling("StatefulSet", "web"),
			after:          scaling("StatefulSet", "web"),
			reportedDuring: restored,
		},
		"the mark is removed alone":       {during: withoutMark, after: selects("Disabled")},
		"another policy, with no manager": {during: selects("Min"), after: selects("Min"), dead: true},
		"a reset field, with no manager":  {before: selects("Max"), during: selects("Max"), dead: true},
		"scale-down on, and then off again": {
			during: heldWith(`{"deployment":"web","selectPolicy":null,"lost":true}`), after: selects("Disabled"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := unheld()
			if tt.before != nil {
				tt.before(hpa)
			}
			withDefaults(hpa)
			f := newFixture(t, hpa)
			f.hold(t)
			if got := f.reasons(); len(got) != 1 {
				t.Fatalf("reported by the hold: %v", got)
			}
			if tt.during != nil {
				if err := f.change(t.Context(), tt.during); err != nil {
					t.Fatal(err)
				}
			}
			if !tt.dead {
				f.hold(t)
			}
			if diff := cmp.Diff(tt.reportedDuring, f.reasons()); diff != "" {
				t.Errorf("reported during the rollout (-want +got):\n%s", diff)
			}
			f.free(t, rollout.FreeAll)
			if diff := cmp.Diff(tt.reportedAfter, f.reasons()); diff != "" {
				t.Errorf("reported after the rollout (-want +got):\n%s", diff)
			}
			want, got := hpa.DeepCopy(), f.autoscaler(t)
			if tt.after != nil {
				tt.after(want)
				withDefaults(want)
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

// No manager ran while somebody deleted the Deployment, or gave the autoscaler
// another target too.
func TestFreeForADeploymentThatIsGone(t *testing.T) {
	for name, change := range map[string]change{
		"the target is the same": func(*hpaType) {},
		"the target is another":  scaling("Deployment", "api"),
	} {
		t.Run(name, func(t *testing.T) {
			hpa := unheld()
			heldWith(`{"deployment":"web","selectPolicy":null}`)(hpa)
			withDefaults(hpa)
			change(hpa)
			f := newFixture(t, hpa)
			for _, deployment := range f.HeldFor(hpa) {
				if _, err := f.Free(t.Context(), deployment, rollout.FreeAll, f.report); err != nil {
					t.Fatal(err)
				}
			}
			got := f.autoscaler(t)
			if got.Spec.Behavior != nil || len(markedKeys(got)) > 0 {
				t.Errorf("behavior %v, annotations %v; want none of Headgate's", got.Spec.Behavior, got.Annotations)
			}
		})
	}
}

func TestHoldOnAStaleRead(t *testing.T) {
	f := newFixture(t, unheld())
	f.afterList(func(ctx context.Context) error { return f.change(ctx, selects("Min")) })
	if err := f.Hold(t.Context(), web, f.report); !apierrors.IsConflict(err) {
		t.Errorf("Hold() = %v, want a conflict", err)
	}
	if hpa := f.autoscaler(t); policyOf(hpa) != autoscalingv2.MinChangePolicySelect {
		t.Errorf("the user's choice became %s", policyOf(hpa))
	}
}

func TestHoldOfAnAutoscalerThatIsGone(t *testing.T) {
	f := newFixture(t, unheld())
	f.afterList(func(ctx context.Context) error { return f.api.Delete(ctx, unheld()) })
	if err := f.Hold(t.Context(), web, f.report); err != nil {
		t.Errorf("the rollout waits for it: %v", err)
	}
	if got := f.reasons(); len(got) > 0 {
		t.Errorf("reported: %v", got)
	}
}

func TestGaps(t *testing.T) {
	keda := belongsTo("keda.sh/v1alpha1", "ScaledObject")
	const gap = "HorizontalPodAutoscaler web-autoscaler may shrink stable while the canary has its traffic, " +
		"and a rollback may then meet too few pods. Headgate does not change it, because "
	tests := map[string]struct {
		changes []change
		want    string
	}{
		"it can be held": {nil, ""},
		"KEDA writes it": {
			[]change{keda},
			gap + "it belongs to ScaledObject web-scaler: " +
				"set spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy to Disabled there while you release",
		},
		"KEDA writes it, and its scale-down is off": {[]change{keda, selects("Disabled")}, ""},
		"another operator writes it": {
			[]change{belongsTo("acme.io/v1", "Scaler")},
			gap + "it belongs to Scaler web-scaler: let that set spec.behavior.scaleDown.selectPolicy to Disabled while you release",
		},
		"the user chose a slow scale-down": {
			[]change{selects("Min")},
			gap + "its spec.behavior.scaleDown.selectPolicy is Min, which is your choice: set it to Disabled while you release",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hpa := unheld()
			for _, change := range tt.changes {
				change(hpa)
			}
			got, err := newFixture(t, hpa).Gaps(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			var want []rollout.Note
			if tt.want != "" {
				want = []rollout.Note{{Reason: reason.ScaleDownNotHeld, Message: tt.want}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}
