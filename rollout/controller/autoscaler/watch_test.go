package autoscaler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestHeldFor(t *testing.T) {
	hpa := unheld()
	h := &Holder{}
	if got := h.HeldFor(hpa); got != nil {
		t.Errorf("without a mark: %v, want none", got)
	}
	heldWith(`{"deployment":"web","selectPolicy":null}`)(hpa)
	if diff := cmp.Diff([]types.NamespacedName{web}, h.HeldFor(hpa)); diff != "" {
		t.Errorf("with a mark (-want +got):\n%s", diff)
	}
	scaling("Deployment", "api")(hpa)
	if diff := cmp.Diff([]types.NamespacedName{{Namespace: "shop", Name: "api"}, web}, h.HeldFor(hpa)); diff != "" {
		t.Errorf("with a mark and another target (-want +got):\n%s", diff)
	}
}

func TestChanged(t *testing.T) {
	tests := map[string]struct {
		change change
		want   bool
	}{
		"the status":                   {func(hpa *hpaType) { hpa.ResourceVersion, hpa.Status.CurrentReplicas = "2", 5 }, false},
		"it no longer wants to shrink": {func(hpa *hpaType) { hpa.Status.Conditions = nil }, true},
		"an annotation":                {func(hpa *hpaType) { hpa.Annotations["team"] = "web" }, true},
		"the spec":                     {func(hpa *hpaType) { hpa.Spec.MaxReplicas++ }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := unheld()
			heldWith("{}")(before)
			shrinking(before)
			after := before.DeepCopy()
			tt.change(after)
			if got := (&Holder{}).Changed(before, after); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
