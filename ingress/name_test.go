package ingress

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func TestCanaryName(t *testing.T) {
	for name, tc := range map[string]struct {
		stable, want string
		limit        int
	}{
		"short names get the suffix":             {"web", "web-canary", 63},
		"the longest name that fits stays whole": {strings.Repeat("a", 56), strings.Repeat("a", 56) + "-canary", 63},
		"one character more is cut and hashed":   {strings.Repeat("a", 57), strings.Repeat("a", 47) + "-f13b2d72-canary", 63},
		"a cut never ends in two separators": {
			strings.Repeat("a", 46) + "-" + strings.Repeat("b", 16), strings.Repeat("a", 46) + "-d6997635-canary", 63},
		"an Ingress has more room than a Service": {strings.Repeat("a", 57), strings.Repeat("a", 57) + "-canary", 253},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, forCanary.objectName(tc.stable, tc.limit))
		})
	}
}

func TestCanaryNameIsAlwaysValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stable := rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "stable")
		got := forCanary.objectName(stable, serviceNameLimit)
		if errs := validation.IsDNS1035Label(got); len(errs) > 0 {
			t.Fatalf("canaryName(%q) = %q: %v", stable, got, errs)
		}
		if got == stable {
			t.Fatalf("canaryName(%q) is the stable name", stable)
		}
	})
}

func TestPreviewName(t *testing.T) {
	diff(t, "web-preview", forPreview.objectName("web", 63))
	diff(t, strings.Repeat("a", 46)+"-f13b2d72-preview", forPreview.objectName(strings.Repeat("a", 57), 63))
}

func TestOwns(t *testing.T) {
	dep := target().Deployment
	for name, tc := range map[string]struct {
		change func(*metav1.ObjectMeta)
		want   bool
	}{
		"label and controller":           {func(*metav1.ObjectMeta) {}, true},
		"the label alone is easily had":  {func(m *metav1.ObjectMeta) { m.OwnerReferences = nil }, false},
		"the owner alone is not enough":  {func(m *metav1.ObjectMeta) { m.Labels = nil }, false},
		"made for a Deployment now gone": {func(m *metav1.ObjectMeta) { m.OwnerReferences[0].UID = "uid-before" }, false},
		"managed by another tool":        {func(m *metav1.ObjectMeta) { m.Labels[spec.LabelManagedBy] = "Helm" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			svc := buildService(target(), service("web", "web"), forCanary)
			tc.change(&svc.ObjectMeta)
			diff(t, tc.want, rollout.Owns(dep, svc))
		})
	}
}
