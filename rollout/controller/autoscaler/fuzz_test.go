package autoscaler

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/headgate/headgate/rollout/spec"
)

// Whatever mark is on an autoscaler, Headgate writes nothing there but its mark and the one
// field that it holds, with a value that the field may have.
func FuzzMark(f *testing.F) {
	for _, text := range []string{
		`{"deployment":"web","selectPolicy":"Max"}`, `{"deployment":"web","selectPolicy":null}`, ``, `null`, `{`, `[]`,
		`{"deployment":"api","selectPolicy":"Min","lost":true}`, `{"selectPolicy":"x\"}},\"minReplicas\":0"}`,
	} {
		for kind := range uint8(4) {
			f.Add(text, kind)
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		hpa := unheld()
		heldWith(text)(hpa)
		if kind&1 != 0 {
			selects("Max")(hpa)
		}
		if kind&2 != 0 {
			withDefaults(hpa)
		}
		for _, e := range []*edit{holdEdit(hpa, "web"), freeEdit(hpa)} {
			if e == nil {
				continue
			}
			patch, err := e.patch("5")
			if err != nil {
				t.Fatal(err)
			}
			checkPatch(t, text, patch)
		}
	})
}

func checkPatch(t *testing.T, text string, patch []byte) {
	t.Helper()
	type scaleDown struct {
		ScaleDown struct{ SelectPolicy string }
	}
	var p struct {
		Metadata struct {
			ResourceVersion string
			Annotations     map[string]*string
		}
		Spec *struct{ Behavior *scaleDown }
	}
	if err := json.Unmarshal(patch, &p); err != nil {
		t.Fatalf("%q: %v\n%s", text, err, patch)
	}
	_, ok := p.Metadata.Annotations[spec.AnnotationScaleDown]
	if !ok || len(p.Metadata.Annotations) != 1 || p.Metadata.ResourceVersion != "5" {
		t.Errorf("%q: the patch is %s", text, patch)
	}
	if p.Spec == nil || p.Spec.Behavior == nil {
		return
	}
	if policy := p.Spec.Behavior.ScaleDown.SelectPolicy; !slices.Contains([]string{"Max", "Disabled"}, policy) {
		t.Errorf("%q: the patch sets %q", text, policy)
	}
}
