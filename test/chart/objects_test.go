package chart_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/chart"
)

// objects are what the chart makes of values.
func objects(t *testing.T, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, document := range printed(t, values).documents {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		all = append(all, object)
	}
	return all
}

// fill decodes an object strictly: a field that its type does not have is an error.
func fill(t *testing.T, object map[string]any, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, into, true); err != nil {
		t.Fatal(err)
	}
}

func podOf(t *testing.T, all []*unstructured.Unstructured) corev1.PodTemplateSpec {
	t.Helper()
	for _, object := range all {
		if object.GetKind() == "Deployment" {
			template, _, _ := unstructured.NestedMap(object.Object, "spec", "template")
			var pod corev1.PodTemplateSpec
			fill(t, template, &pod)
			return pod
		}
	}
	t.Fatal("there is no Deployment")
	panic("unreachable")
}

// For a policy that wants a label on each object, one object without it is one too many.
func TestCommonLabelsAreOnEveryObject(t *testing.T) {
	for name, values := range options(t) {
		values = maps.Clone(values)
		if values == nil {
			values = map[string]any{}
		}
		values["commonLabels"] = map[string]any{"cost-center": "42"}
		delete(values, "extraObjects")
		all := objects(t, values)
		for _, object := range all {
			if object.GetLabels()["cost-center"] != "42" {
				t.Errorf("%s: %s %s has the labels %v", name, object.GetKind(), object.GetName(), object.GetLabels())
			}
		}
		if got := podOf(t, all).Labels["cost-center"]; got != "42" {
			t.Errorf("%s: the pods have the label %q", name, got)
		}
	}
}

func TestLabelsOfTheChartCannotBeReplaced(t *testing.T) {
	for _, set := range []string{"commonLabels", "podLabels"} {
		r := release(nil)
		r.Values = map[string]any{set: map[string]any{"app.kubernetes.io/name": "other"}}
		_, err := chart.Render(t.Context(), dir, r)
		if err == nil || !strings.Contains(err.Error(), "app.kubernetes.io/name is a label of the chart's own") {
			t.Errorf("%s: %v, want a refusal", set, err)
		}
	}
}

// The fields are those of the Pod Security Standard "restricted", and a root file system that
// cannot be written.
func TestPodsAreRestricted(t *testing.T) {
	for name, values := range options(t) {
		pod := podOf(t, objects(t, values)).Spec
		if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot ||
			s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod has %+v", name, s)
		}
		for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
			s := c.SecurityContext
			if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
				s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
				s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
				t.Errorf("%s: container %s has %+v", name, c.Name, s)
			}
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("%s: the pod uses the host's namespaces", name)
		}
	}
}

// rules calls do with every rule of every role that the chart makes of values.
func rules(t *testing.T, values map[string]any, do func(role *unstructured.Unstructured, rule rbacv1.PolicyRule)) {
	t.Helper()
	found := 0
	for _, object := range objects(t, values) {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		var role rbacv1.Role
		fill(t, map[string]any{"rules": object.Object["rules"]}, &role)
		for _, rule := range role.Rules {
			found++
			do(object, rule)
		}
	}
	if found < 5 {
		t.Errorf("found %d rules", found)
	}
}

// A wildcard would grant what nobody has looked at, and what a later Kubernetes adds.
func TestNoRuleHasAWildcard(t *testing.T) {
	for name, values := range options(t) {
		rules(t, values, func(role *unstructured.Unstructured, rule rbacv1.PolicyRule) {
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames, rule.NonResourceURLs) {
				if strings.Contains(word, "*") {
					t.Errorf("%s: %s %s has %+v", name, role.GetKind(), role.GetName(), rule)
				}
			}
		})
	}
}

// With any of these rights, whoever may annotate a Deployment would be one fault of Headgate
// away from the rights of others.
func TestNoRuleGivesTheRightsOfOthers(t *testing.T) {
	for name, values := range options(t) {
		rules(t, values, func(role *unstructured.Unstructured, rule rbacv1.PolicyRule) {
			for _, verb := range rule.Verbs {
				for _, resource := range rule.Resources {
					if why := tooMuch(role, rule, verb, resource); why != "" {
						t.Errorf("%s: %s %s may %s %s: %s", name, role.GetKind(), role.GetName(), verb, resource, why)
					}
				}
			}
		})
	}
}

// tooMuch says why a role may not have a right. "": it may.
func tooMuch(role *unstructured.Unstructured, rule rbacv1.PolicyRule, verb, resource string) string {
	const itsNamespace = "headgate-system" // of the release
	named := len(rule.ResourceNames) > 0
	writes := !slices.Contains([]string{"get", "list", "watch"}, verb)
	switch {
	case slices.Contains([]string{"escalate", "bind", "impersonate", "approve", "sign", "deletecollection"}, verb):
		return "a verb by which one gets other rights"
	case slices.Contains(rule.APIGroups, "rbac.authorization.k8s.io"):
		return "roles are the operator's"
	case resource == "secrets" && (role.GetNamespace() != itsNamespace || !named):
		return "of Secrets it needs one of its own namespace, by name"
	case strings.HasPrefix(resource, "pods/"), strings.HasPrefix(resource, "serviceaccounts"), strings.HasPrefix(resource, "nodes"):
		return "a way into pods, or to their tokens"
	case resource == "pods" && verb == "create", resource == "cronjobs" && writes, resource == "configmaps" && writes:
		return "the user's own to write"
	case verb == "update" && slices.Contains([]string{"deployments", "replicasets", "services", "ingresses", "pods"}, resource):
		return "an update replaces what a user wrote meanwhile"
	case slices.Contains(rule.APIGroups, "admissionregistration.k8s.io") && !named:
		return "of webhooks and policies it needs its own, by name"
	}
	return ""
}

// Two releases in namespaced mode, in one namespace or called the same, share no object and no
// Lease, not even where both read recipes.
func TestNamespacedReleasesShareNothing(t *testing.T) {
	of := func(name, namespace, its string) chart.Release {
		return chart.Release{Name: name, Namespace: namespace, KubeVersion: version, Values: map[string]any{
			"namespaces": []any{its}, "recipes": map[string]any{"namespace": "recipes"},
		}}
	}
	owners := map[string]string{}
	for _, r := range []chart.Release{
		of("headgate", "team-a", "shop"), of("headgate", "team-b", "blog"), of("headgate-2", "team-a", "payments"), of("a", "team", "news"),
	} {
		text, err := chart.Render(t.Context(), dir, r)
		if err != nil {
			t.Fatal(err)
		}
		all := output{documents: between.Split(text, -1)[1:]}
		lease := regexp.MustCompile(`HEADGATE_LEASE\n +value: (.+)`).FindStringSubmatch(text)
		for _, identity := range append(all.identities(), "Lease "+lease[1]+" "+r.Namespace) {
			if other, taken := owners[identity]; taken {
				t.Errorf("%s and %s both have %s", other, r.Name+" in "+r.Namespace, identity)
			}
			owners[identity] = r.Name + " in " + r.Namespace
		}
	}
}
