package policy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/test/admission/policy"
	"github.com/headgate/headgate/webhook"
)

// drawDeployment draws a Deployment as one may be stored or sent. The annotations have
// mistakes now and then.
func drawDeployment(t *rapid.T, name string) *appsv1.Deployment {
	draw := func(what string, values ...string) string {
		return rapid.SampledFrom(values).Draw(t, name+" "+what)
	}
	dep := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", Generation: 6, Annotations: map[string]string{}},
		Spec: appsv1.DeploymentSpec{
			Paused:   rapid.Bool().Draw(t, name+" paused"),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.DeploymentStrategyType(
				draw("strategy", "RollingUpdate", "RollingUpdate", "RollingUpdate", "Recreate"))},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: map[string]string{}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: draw("image", "v1", "v1", "v2")}}},
			},
		},
	}
	if replicas := rapid.SampledFrom([]int32{-1, 0, 3, 3, 3}).Draw(t, name+" replicas"); replicas >= 0 {
		dep.Spec.Replicas = &replicas
	}
	pod := dep.Spec.Template.Annotations
	annotate(pod, "kubectl.kubernetes.io/restartedAt", draw("restarted", "", "", "monday", "tuesday"))
	annotate(pod, "team", draw("pod annotation", "", "", "", "shop"))
	if draw("pod label", "", "", "", "tier") != "" {
		dep.Spec.Template.Labels["tier"] = "front"
	}
	if len(pod) == 0 && rapid.Bool().Draw(t, name+" no pod annotations") {
		dep.Spec.Template.Annotations = nil
	}
	a := dep.Annotations
	annotate(a, "headgate.dev/strategy", draw("opt-in", "", "canary", "canary", "canary", "blue-green", "canry"))
	annotate(a, "headgate.dev/rollout", draw("rollout", "", "5", "7"))
	annotate(a, "headgate.dev/phase", draw("phase", "", "Progressing", "RolledBack"))
	annotate(a, "headgate.dev/restart", draw("restart", "", "", "rolling", "canary", "yes"))
	annotate(a, "headgate.dev/command", draw("command", "", "", "", "abort", "promote:5", "ship"))
	annotate(a, "headgate.dev/step", draw("unknown", "", "", "", "", "", "10%"))
	annotate(a, "team", draw("annotation", "", "shop"))
	return dep
}

func annotate(annotations map[string]string, key, value string) {
	if value != "" {
		annotations[key] = value
	}
}

// drawWrite draws an update, or now and then a create. Most updates differ from the old
// object in a few fields only.
func drawWrite(t *rapid.T) policy.Write {
	w := policy.Write{User: "alice", New: drawDeployment(t, "new")}
	if rapid.IntRange(0, 9).Draw(t, "create") == 0 {
		return w
	}
	w.Old = drawDeployment(t, "old")
	keep := func(what string) bool { return rapid.IntRange(0, 3).Draw(t, "keep "+what) > 0 }
	if keep("the template") {
		w.New.Spec.Template = *w.Old.Spec.Template.DeepCopy()
	}
	if keep("the pause") {
		w.New.Spec.Paused = w.Old.Spec.Paused
	}
	if keep("the annotations") {
		w.New.Annotations = maps.Clone(w.Old.Annotations)
	}
	if keep("size and strategy") {
		w.New.Spec.Replicas, w.New.Spec.Strategy = w.Old.Spec.Replicas, w.Old.Spec.Strategy
	}
	return w
}

// mutate is what the webhook makes of a write.
func mutate(t *rapid.T, w policy.Write) webhook.Outcome {
	template := func(dep *appsv1.Deployment) json.RawMessage {
		text, err := json.Marshal(dep.Spec.Template)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	r := webhook.Request{Old: w.Old, New: w.New, ByManager: w.User == manager}
	if w.Old != nil {
		r.OldTemplate, r.NewTemplate = template(w.Old), template(w.New)
	}
	return webhook.Mutate(r)
}

// content is a Deployment as JSON tells it: no annotations are the same as an empty map.
func content(dep *appsv1.Deployment) string {
	text, err := json.MarshalIndent(dep, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// differsOnPurpose says whether a write is one of those that docs/admission.md names under
// "What differs": the policy does not see what a request said before it was changed, and
// does not know whether all annotations parse.
func differsOnPurpose(w policy.Write, out webhook.Outcome, got policy.Result) string {
	switch command := w.New.Annotations["headgate.dev/command"]; {
	case out.Decision == webhook.Denied && command == "ship" && got.Deployment.Annotations["headgate.dev/command"] == "":
		return "a command that does not parse, removed together with the old rollout"
	case out.Decision == webhook.Held && len(out.Warnings) > 0 && onlyRestarted(w):
		return "a restart while other annotations do not parse"
	}
	return ""
}

// onlyRestarted says whether the templates differ in the time of the restart alone.
func onlyRestarted(w policy.Write) bool {
	if w.Old == nil {
		return false
	}
	a, b := w.Old.DeepCopy(), w.New.DeepCopy()
	delete(a.Spec.Template.Annotations, "kubectl.kubernetes.io/restartedAt")
	delete(b.Spec.Template.Annotations, "kubectl.kubernetes.io/restartedAt")
	a.ObjectMeta, b.ObjectMeta = metav1.ObjectMeta{}, metav1.ObjectMeta{}
	a.Spec.Replicas, a.Spec.Strategy, a.Spec.Paused = b.Spec.Replicas, b.Spec.Strategy, b.Spec.Paused
	return content(a) == content(b)
}

// Whatever a write is, the policy stores what the webhook stores and refuses what the
// webhook refuses, and each of its warnings is one of the webhook's.
func TestPolicyDecidesAsTheWebhookDoes(t *testing.T) {
	policies := load(t.Context(), t, "1.37.2", policyMode)
	decisions := map[webhook.Decision]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := drawWrite(t)
		out := mutate(t, w)
		got, err := policies.Admit(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if differsOnPurpose(w, out, got) != "" {
			return
		}
		decisions[out.Decision]++
		if out.Decision == webhook.Denied {
			if denial := strings.Join(got.Denials, "\n"); !sameLines(denial, out.Denial) {
				t.Fatalf("the policy says %q, the webhook %q", denial, out.Denial)
			}
			return
		}
		if len(got.Denials) > 0 {
			t.Fatalf("%s by the webhook, denied by the policy: %q", out.Decision, got.Denials)
		}
		if diff := cmp.Diff(content(out.Deployment), content(got.Deployment)); diff != "" {
			t.Fatalf("%s (-webhook +policy):\n%s", out.Decision, diff)
		}
		for _, warning := range got.Warnings {
			if !slices.Contains(out.Warnings, warning) {
				t.Errorf("the policy warns %q, the webhook %q", warning, out.Warnings)
			}
		}
		again, err := policies.Admit(t.Context(), policy.Write{Old: w.Old, New: got.Deployment, User: w.User})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(content(got.Deployment), content(again.Deployment)); diff != "" {
			t.Fatalf("%s: a second evaluation changes it again:\n%s", out.Decision, diff)
		}
	})
	t.Log(decisions)
}

// sameLines says whether two texts have the same lines, in any order.
func sameLines(a, b string) bool {
	return slices.Equal(slices.Sorted(strings.SplitSeq(a, "\n")), slices.Sorted(strings.SplitSeq(b, "\n")))
}

// The guard refuses exactly what the webhook would hold and what is not held. So it
// accepts everything that the webhook has decided.
func TestGuardRefusesWhatIsNotHeld(t *testing.T) {
	guard := load(t.Context(), t, "1.37.2", webhookMode)
	decisions := map[webhook.Decision]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := drawWrite(t)
		out := mutate(t, w)
		if out.Decision == webhook.Denied || out.Decision == webhook.Held && len(out.Warnings) > 0 && onlyRestarted(w) {
			return // the guard does not know whether annotations parse
		}
		decisions[out.Decision]++
		unseen, err := guard.Admit(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		mustHold := out.Decision == webhook.Held || out.Decision == webhook.StillHeld
		rollout := func(dep *appsv1.Deployment) string { return dep.Annotations["headgate.dev/rollout"] }
		asHeld := out.Deployment.Spec.Paused == w.New.Spec.Paused && rollout(out.Deployment) == rollout(w.New)
		if denied := len(unseen.Denials) > 0; denied != (mustHold && !asHeld) {
			t.Fatalf("%s: the guard says %q of the write that the webhook did not see", out.Decision, unseen.Denials)
		}
		seen, err := guard.Admit(t.Context(), policy.Write{Old: w.Old, New: out.Deployment, User: w.User})
		if err != nil {
			t.Fatal(err)
		}
		if len(seen.Denials)+len(seen.Warnings) > 0 {
			t.Fatalf("%s by the webhook, denied by the guard: %q", out.Decision, seen.Denials)
		}
	})
	t.Log(decisions)
}
