package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/admission/policy"
)

// checked are the annotations whose values the policy can judge.
var checked = []string{
	spec.AnnotationStrategy, spec.AnnotationRestart, spec.AnnotationPromotion, spec.AnnotationRollbackWindow,
	spec.AnnotationProgressDeadline, spec.AnnotationRolloutDeadline, spec.AnnotationPreviewHost, spec.AnnotationTrackLabel,
	spec.AnnotationCommand, spec.AnnotationReportStatus,
}

// parserSays is what the parser says of one annotation beside an opt-in. "" if it is right.
func parserSays(annotations map[string]string) string {
	_, err := spec.ParseSpec(annotations)
	if command, ok := annotations[spec.AnnotationCommand]; ok && err == nil {
		_, err = spec.ParseCommand(command)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// plain is an opted-in Deployment.
func plain() *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", Annotations: map[string]string{spec.AnnotationStrategy: "canary"}},
	}
}

// denials are what the policy says of an update that writes one annotation.
func denials(t rapid.TB, p *policy.Policies, key, value string) (denials []string, annotations map[string]string) {
	t.Helper()
	w := policy.Write{Old: plain(), New: plain(), User: "alice"}
	w.New.Annotations[key] = value
	result, err := p.Admit(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	return result.Denials, w.New.Annotations
}

// What is wrong in one of these annotations is denied in the words of the parser.
func TestWrongValuesAreDenied(t *testing.T) {
	policies := load(t.Context(), t, "1.37.2", policyMode)
	for key, values := range map[string][]string{
		spec.AnnotationStrategy:         {"", "canry", "Canary", "canary "},
		spec.AnnotationRestart:          {"", "yes"},
		spec.AnnotationPromotion:        {"", "fast"},
		spec.AnnotationRollbackWindow:   {"", "0", "00", "101", "1000", "-1", "+1", "3.0", "99999999999999999999"},
		spec.AnnotationProgressDeadline: {"", "0", "0s", "5", "-5m", "m", "soon", "0d", "1000d", "1h 5m"},
		spec.AnnotationRolloutDeadline:  {"", "0h", "day"},
		spec.AnnotationPreviewHost:      {"", "preview", "https://preview.example.com", "Preview.example.com", "-a.example.com", "a..com"},
		spec.AnnotationTrackLabel:       {"", "a b", "/a", "-a", strings.Repeat("a", 64)},
		spec.AnnotationCommand:          {"", "ship", "Promote", "promote_full"},
		spec.AnnotationReportStatus:     {"", "yes", "Kstatus"},
		"headgate.dev/step":             {"10%"},
	} {
		for _, value := range values {
			got, annotations := denials(t, policies, key, value)
			if want := parserSays(annotations); want == "" || !slices.Equal(got, []string{want}) {
				t.Errorf("%s=%q: the policy says %q, the parser %q", key, value, got, want)
			}
		}
	}
}

// The policy never denies what the parser accepts.
func TestNothingRightIsDenied(t *testing.T) {
	policies := load(t.Context(), t, "1.37.2", policyMode)
	pieces := []string{
		"canary", "blue-green", "rolling", "adoption", "kstatus", "promote", "-full", "pause", "resume", "abort", "retry", ":", "7",
		"0", "1", "100", "365d", "1.5", ".", "h", "m", "s", "ms", "µs", "μs", "ns", "+", "-", "d", "a", "example", ".com", "/", "_", "A", " ",
	}
	denied := 0
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom(checked).Draw(t, "key")
		value := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 5).Draw(t, "value"), "")
		got, annotations := denials(t, policies, key, value)
		if len(got) == 0 {
			return
		}
		denied++
		if want := parserSays(annotations); !slices.Equal(got, []string{want}) {
			t.Fatalf("%s=%q: the policy says %q, the parser %q", key, value, got, want)
		}
	})
	if denied == 0 {
		t.Error("nothing was denied, so nothing was tested")
	}
}
