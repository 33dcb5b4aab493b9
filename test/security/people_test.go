package security

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

const page = "../../docs/security.md"

// onPage are the objects of the YAML blocks of the page, by their kinds.
func onPage(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(page)
	must(t, err)
	objects := map[string]*unstructured.Unstructured{}
	for i, block := range strings.Split(string(text), "```yaml\n") {
		if i == 0 {
			continue
		}
		block, _, _ = strings.Cut(block, "```")
		for document := range strings.SplitSeq(block, "---\n") {
			obj := &unstructured.Unstructured{}
			must(t, yaml.UnmarshalStrict([]byte(document), &obj.Object))
			objects[obj.GetKind()] = obj
		}
	}
	return objects
}

// TestWhoMaySteer: whoever may read steers nothing, and whoever may patch Deployments promotes.
// The example of the page then leaves promoting to those who have its Role.
func TestWhoMaySteer(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reader := u.person("reader", nil, "system:aggregate-to-view")
	patcher := u.person("patcher", []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"patch"}},
	})
	command := func(c client.Client, verb string) error {
		return annotate(t.Context(), c, u.Deployment(), map[string]any{spec.AnnotationCommand: verb})
	}
	u.optIn("0%, pause, 50%, pause", nil)
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "weight 0")
	if err := command(reader, spec.VerbPromote); !apierrors.IsForbidden(err) {
		t.Errorf("a reader promotes: %v", err)
	}
	u.must(command(patcher, spec.VerbPromote))
	u.await(reason.AwaitingPromotion, "weight 50")

	example := onPage(t)
	promoter := u.person("promoter", rulesOf(t, example["Role"]))
	u.restrict(example)
	isRefused := func(what string, err error) {
		t.Helper()
		if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "promoter") {
			t.Errorf("%s: %v, want a refusal by the policy", what, err)
		}
	}
	for _, verb := range []string{spec.VerbPromote, spec.VerbPromoteFull, spec.VerbResume, spec.VerbRetry, spec.VerbPromoteFull + ":3"} {
		isRefused(verb, command(u, verb))
	}
	for _, key := range []string{spec.AnnotationStrategy, spec.AnnotationSteps} {
		isRefused(key, annotate(t.Context(), u, u.Deployment(), map[string]any{key: nil}))
	}
	isRefused("rules of the canary", annotate(t.Context(), u, u.canary(), map[string]any{spec.AnnotationAnalysisRules: "auto"}))
	u.must(command(u, spec.VerbPause))
	u.await(reason.PausedByCommand, "")
	u.must(command(promoter, spec.VerbResume))
	u.await(reason.AwaitingPromotion, "weight 50")
	u.ship("v3")
	u.await(reason.AwaitingPromotion, "weight 0")
	u.must(command(promoter, spec.VerbPromoteFull))
	u.await(reason.Promoted, "")
}

func rulesOf(t *testing.T, obj *unstructured.Unstructured) []rbacv1.PolicyRule {
	t.Helper()
	if obj == nil {
		t.Fatalf("%s has no Role", page)
	}
	var role rbacv1.Role
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, &role, true))
	return role.Rules
}

// restrict puts the policy of the page in force in the namespace of u.
func (u *user) restrict(example map[string]*unstructured.Unstructured) {
	u.Helper()
	binding := example["ValidatingAdmissionPolicyBinding"]
	for _, obj := range []*unstructured.Unstructured{example["ValidatingAdmissionPolicy"], binding} {
		u.must(shared.Client().Create(u.Context(), obj))
		u.Cleanup(func() { _ = shared.Client().Delete(context.Background(), obj) })
	}
	labels, _, err := unstructured.NestedStringMap(binding.Object, "spec", "matchResources", "namespaceSelector", "matchLabels")
	u.must(err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.Namespace}}
	u.must(shared.Client().Get(u.Context(), client.ObjectKeyFromObject(ns), ns))
	before := ns.DeepCopy()
	for key, value := range labels {
		metav1.SetMetaDataLabel(&ns.ObjectMeta, key, value)
	}
	u.must(shared.Client().Patch(u.Context(), ns, client.MergeFrom(before)))
	u.must(lab.Poll(u.within(time.Minute), func() error {
		dep := u.now()
		next := dep.DeepCopy()
		next.Annotations[spec.AnnotationCommand] = spec.VerbPromote
		err := u.Patch(u.Context(), next, client.MergeFrom(dep), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "promoter") {
			return fmt.Errorf("the policy is not in force: a dry run of promote says %s", fmt.Sprint(err))
		}
		return nil
	}))
}
