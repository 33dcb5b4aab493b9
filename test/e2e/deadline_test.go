package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestForgottenPause: a rollout that waits for a person ends at its deadline. A
// command for another rollout does not end it.
func TestForgottenPause(t *testing.T) {
	t.Parallel()
	// A long deadline at first: a busy machine may need long to get to the pause.
	annotations := map[string]string{spec.AnnotationSteps: "50%, pause", spec.AnnotationRolloutDeadline: "10m"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	began := time.Now()
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)

	s.annotate(spec.AnnotationCommand, "abort:1")
	s.must(lab.Poll(s.within(10*time.Second), func() error {
		const refused = "abort:1 is refused: it names rollout 1"
		if notes := s.notes(reason.CommandRefused); len(notes) != 1 || !strings.Contains(notes[0], refused) {
			return fmt.Errorf("refused were %q, want abort:1", notes)
		}
		return nil
	}))
	if now, _ := s.condition(); now != string(reason.AwaitingPromotion) || s.weights.now() != 50 {
		t.Errorf("after a command for another rollout it is %s at weight %d, want AwaitingPromotion at 50", now, s.weights.now())
	}

	s.reannotate(map[string]string{spec.AnnotationRolloutDeadline: "20s"}) // of which some are over
	s.awaitWords(30*time.Second, reason.RolloutDeadlineExceeded, "it was not finished 20s after it began; it was at step 2 of 2")
	if took := time.Since(began); took < 20*time.Second {
		t.Errorf("it was rolled back after %s, want 20s", took)
	}
	s.onlyAnswers(s.load, "v1")
	s.emptied(time.Minute)
	if n := s.over().Versions()["v2"]; n == 0 {
		t.Error("v2 gave no answer before that")
	}
	if now := s.weights.now(); now != -1 {
		t.Errorf("after the rollback there is a canary Ingress, with weight %d", now)
	}
}

// TestCanaryThatCrashes: a canary that crashes is Ready now and then and never
// Available. That does not restart its deadline, and the message explains it.
func TestCanaryThatCrashes(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: ladder, spec.AnnotationProgressDeadline: "10m"}
	s := newService(t, annotations, func(s *service) { s.Replicas = 1 })
	s.await(20*time.Second, reason.Ready)
	s.patch(map[string]any{"spec": map[string]any{"minReadySeconds": 3}})
	began := time.Now()
	s.ship("v2", map[string]string{"CRASH_AFTER": "1500ms"})
	const why = "container app ended with exit code 1 (Error)"
	s.awaitWords(20*time.Second, reason.CanaryStarting, why)
	s.annotate(spec.AnnotationProgressDeadline, "12s")
	s.Annotations[spec.AnnotationProgressDeadline] = "12s"
	s.awaitWords(30*time.Second, reason.ProgressDeadlineExceeded, "after 12s: 0 of 1 canary pods are Available: "+why)
	if took := time.Since(began); took < 12*time.Second {
		t.Errorf("it was rolled back after %s, want 12s", took)
	}
	s.neverSeen("v2")
}

// TestRefusedWeight: a policy refuses a weight in the middle of a rollout. The condition has
// its words. When the policy goes, the rollout goes on; when it stays, the
// progress-deadline ends the rollout, although the policy still refuses weights.
func TestRefusedWeight(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{spec.AnnotationSteps: "20%, pause, 50%, pause, 100%", spec.AnnotationProgressDeadline: "25s"}
	s := newService(t, annotations)
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)

	allow := s.refuseWeights()
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitWords(time.Minute, reason.WriteRefused, "no more weights for now")
	if now := s.weights.now(); now != 20 {
		t.Errorf("the weight is %d while the next one is refused, want 20", now)
	}
	allow()
	s.awaitWords(time.Minute, reason.AwaitingPromotion, "weight 50")

	s.refuseWeights()
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitWords(time.Minute, reason.WriteRefused, "no more weights for now")
	s.awaitWords(time.Minute, reason.ProgressDeadlineExceeded, "no more weights for now")
	s.emptied(time.Minute)
	s.over()
	if now := s.weights.now(); now != -1 {
		t.Errorf("after the rollback there is a canary Ingress, with weight %d", now)
	}
}

// refuseWeights lets a policy refuse updates of canary Ingresses in the namespace of s,
// until the test ends or the returned function is called. It returns when the policy is
// in force.
func (s *service) refuseWeights() (allow func()) {
	s.Helper()
	name := "refuse-weights-" + s.Namespace
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec = admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.Namespace}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{"networking.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"ingresses"}},
			}}},
		},
		Validations: []admissionv1.Validation{{
			Expression: "!object.metadata.name.endsWith('-canary')", Message: "no more weights for now",
		}},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec = admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}
	for _, obj := range []client.Object{policy, binding} {
		s.must(shared.Client().Create(s.Context(), obj))
	}
	remove := func() {
		for _, obj := range []client.Object{binding, policy} {
			_ = client.IgnoreNotFound(shared.Client().Delete(context.Background(), obj))
		}
	}
	s.Cleanup(remove)
	label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"touched":"yes"}}}`))
	s.must(lab.Poll(s.within(30*time.Second), func() error {
		if err := shared.Client().Patch(s.Context(), s.canaryIngress(), label, client.DryRunAll); err == nil {
			return errors.New("the policy is not in force yet")
		}
		return nil
	}))
	return remove
}
