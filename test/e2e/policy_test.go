package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// The operator's label for every object of a rollout, as TestMain sets it.
const teamLabel, team = "team", "platform"

// TestPolicyThatRequiresALabel: a policy refuses every object without a label. While it
// requires a value that the operator does not set, the condition says so in its words.
// With the operator's value, Headgate makes and updates all kinds of objects.
func TestPolicyThatRequiresALabel(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "job=smoke-test, 50%, 100%"}, func(s *service) { s.Replicas = 2 })
	s.Annotations[spec.AnnotationPreviewHost] = "preview." + s.Host()
	s.smokeTest(nil)
	s.require("somebody")
	s.ship("v2", nil)
	s.awaitWords(time.Minute, reason.WriteRefused, "every object needs the label team=somebody")

	s.require(team)
	s.must(shared.Await(s.within(time.Minute), s.preview(), func() error { return nil }))
	job := s.job(s.hold())
	for _, obj := range []client.Object{s.canary(), s.canaryService(), s.canaryIngress(), s.previewService(), s.preview(), job} {
		s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(obj), obj))
		if got := obj.GetLabels()[teamLabel]; got != team {
			t.Errorf("%T %s: the label is %q", obj, obj.GetName(), got)
		}
	}
	s.await(2*time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// require makes a policy refuse every object of this namespace that is not labelled
// with value, except those named like the service, and waits until it is in force.
func (s *service) require(value string) {
	s.Helper()
	fail, deny := admissionv1.Fail, []admissionv1.ValidationAction{admissionv1.Deny}
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: s.Namespace},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.Namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{written("apps", "deployments"), written("", "services"),
					written("networking.k8s.io", "ingresses"), written("batch", "jobs")},
			},
			MatchConditions: []admissionv1.MatchCondition{{Name: "not-the-users", Expression: fmt.Sprintf("object.metadata.name != %q", s.Name)}},
			Validations: []admissionv1.Validation{{
				Expression: fmt.Sprintf("has(object.metadata.labels) && %q in object.metadata.labels && object.metadata.labels[%q] == %q",
					teamLabel, teamLabel, value),
				Message: fmt.Sprintf("every object needs the label %s=%s", teamLabel, value),
			}},
		},
	}
	s.apply(policy)
	s.apply(&admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.Namespace},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: s.Namespace, ValidationActions: deny},
	})
	s.Cleanup(func() { _ = shared.Client().Delete(context.Background(), policy) })
	s.must(lab.Poll(s.within(time.Minute), func() error {
		probe := lab.Sample{Namespace: s.Namespace, Name: "probe", Version: "v1"}.Service()
		err := shared.Client().Create(s.Context(), probe, client.DryRunAll)
		switch {
		case err == nil:
			return errors.New("an object without the label is accepted")
		case !strings.Contains(err.Error(), teamLabel+"="+value):
			return fmt.Errorf("an object without the label: %w", err)
		}
		return nil
	}))
}

// written matches the objects of resource as they are created and updated.
func written(group, resource string) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}
