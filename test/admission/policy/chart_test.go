package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/test/chart"
)

// render returns the chart's objects, and their kinds.
func render(t *testing.T, set map[string]string) (rendered string, kinds []string) {
	t.Helper()
	rendered, err := chart.Render(t.Context(), dir,
		chart.Release{Name: "headgate", Namespace: "headgate-system", KubeVersion: "1.37.2", Set: set})
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^kind: (\w+)$`).FindAllStringSubmatch(rendered, -1) {
		kinds = append(kinds, match[1])
	}
	return rendered, kinds
}

// In policy mode nothing of the webhook is there: no certificate, no port, no permission.
func TestPolicyModeHasNoWebhook(t *testing.T) {
	rendered, kinds := render(t, policyMode)
	rendered = withoutHooks(rendered) // an uninstall deletes the policies
	for _, kind := range []string{"Secret", "MutatingWebhookConfiguration"} {
		if slices.Contains(kinds, kind) {
			t.Errorf("there is a %s", kind)
		}
	}
	for _, text := range []string{
		"name: webhook\n", "targetPort: webhook", "HEADGATE_WEBHOOK", "HEADGATE_CERT_SECRET", "secrets",
		"admissionregistration.k8s.io]", "-guard",
	} {
		if strings.Contains(rendered, text) {
			t.Errorf("there is %q", text)
		}
	}
	if !strings.Contains(rendered, "- name: HEADGATE_ADMISSION_MODE\n              value: policy\n") {
		t.Error("the manager is not told the mode")
	}
}

func TestWebhookModeHasAGuardUnlessItIsOff(t *testing.T) {
	for guard, want := range map[string]int{"Deny": 1, "Warn": 1, "Audit": 1, "Off": 0} {
		rendered, kinds := render(t, map[string]string{"admission.guard": guard})
		got := 0
		for _, kind := range kinds {
			if strings.HasSuffix(kind, "PolicyBinding") {
				got++
			}
		}
		if got != want || strings.Contains(rendered, "validationActions: ["+guard+"]") != (want == 1) {
			t.Errorf("%s: %d bindings, want %d with this action", guard, got, want)
		}
	}
}

// Every policy is for the namespaces that the webhook is for.
func TestPoliciesLeaveNamespacesOut(t *testing.T) {
	const selector = `namespaceSelector:
      matchLabels:
        stage: production
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: [kube-system, headgate-system]
`
	for mode, want := range map[string]int{"policy": 3, "webhook": 2} { // the webhook itself and the guard
		rendered, _ := render(t, map[string]string{
			"admission.mode": mode, "webhook.namespaceSelector.matchLabels.stage": "production",
		})
		if got := strings.Count(squeeze(rendered), squeeze(selector)); got != want {
			t.Errorf("%s: %d selectors, want %d", mode, got, want)
		}
	}
}

// withoutHooks leaves out what is only there during an uninstall.
func withoutHooks(rendered string) string {
	objects := strings.Split(rendered, "\n---\n")
	return strings.Join(slices.DeleteFunc(objects, func(o string) bool { return strings.Contains(o, "helm.sh/hook:") }), "\n---\n")
}

// An uninstall deletes every policy of the mode, each after its binding, and may delete nothing else.
func TestUninstallDeletesThePolicies(t *testing.T) {
	for mode, want := range map[string][]string{
		"webhook": {"ValidatingAdmissionPolicyBinding/headgate-guard", "ValidatingAdmissionPolicy/headgate-guard"},
		"policy": {
			"MutatingAdmissionPolicyBinding/headgate-hold", "MutatingAdmissionPolicy/headgate-hold",
			"ValidatingAdmissionPolicyBinding/headgate-annotations", "ValidatingAdmissionPolicy/headgate-annotations",
			"ValidatingAdmissionPolicyBinding/headgate-warnings", "ValidatingAdmissionPolicy/headgate-warnings",
		},
	} {
		rendered, _ := render(t, map[string]string{"admission.mode": mode})
		var got []string
		for _, match := range regexp.MustCompile(`--admission=(\S+)`).FindAllStringSubmatch(rendered, -1) {
			got = append(got, match[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: it deletes %q, want %q", mode, got, want)
		}
		for _, policy := range want {
			kind, name, _ := strings.Cut(policy, "/")
			plural := strings.TrimSuffix(strings.ToLower(kind)+"s", "ys")
			if strings.HasSuffix(kind, "Policy") {
				plural += "ies"
			}
			rule := "resources: [" + plural + "]\n    resourceNames: [" + name + "]\n    verbs: [delete]"
			if !strings.Contains(rendered, rule) {
				t.Errorf("%s: there is no rule\n%s", mode, rule)
			}
		}
	}
}

// squeeze makes any space one space.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
