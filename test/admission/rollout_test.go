package admission

import (
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// application is a Deployment with a Service and an Ingress. Nobody sends requests to it.
type application struct {
	*testing.T
	lab.Sample
}

func newApplication(t *testing.T, steps string) application {
	a := application{t, lab.Sample{
		Namespace: underload.Namespace(t, shared, "admission-"), Name: "web", Version: "v1", Replicas: 2,
		Annotations: map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: steps},
	}}
	must(t, anybody.Create(t.Context(), a.Service()))
	must(t, anybody.Create(t.Context(), a.Ingress()))
	a.ship("v1")
	a.await(reason.Ready)
	return a
}

func (a *application) ship(version string) {
	a.Helper()
	a.Version = version
	must(a.T, applyAs(a.Context(), anybody, a.Deployment()))
}

func (a *application) now() *appsv1.Deployment {
	a.Helper()
	dep := a.Deployment()
	must(a.T, anybody.Get(a.Context(), client.ObjectKeyFromObject(dep), dep))
	return dep
}

func (a *application) await(want reason.Reason) {
	a.Helper()
	must(a.T, lab.Poll(within(a.T, 2*time.Minute), func() error {
		if now, message := underload.Condition(a.now()); now != want {
			return fmt.Errorf("want %s, it is %s: %s", want, now, message)
		}
		return nil
	}))
}

func (a *application) annotate(key, value string) {
	a.Helper()
	dep := a.now()
	next := dep.DeepCopy()
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, key, value)
	must(a.T, anybody.Patch(a.Context(), next, client.MergeFrom(dep)))
}

// A template that comes while no pod of Headgate runs is held, and promoted when there is
// one again. A version that is aborted goes back, and the old template ends the rollout.
func TestRolloutsByPolicy(t *testing.T) {
	install(t, map[string]string{"admission.mode": "policy"})
	a := newApplication(t, "50%, 1s, 100%, 1s")
	scale(t, 0)
	a.ship("v2")
	if dep := a.now(); !dep.Spec.Paused || dep.Annotations[spec.AnnotationPhase] != string(spec.Pending) {
		t.Fatalf("v2 is not held: paused %v, annotations %v", dep.Spec.Paused, dep.Annotations)
	}
	scale(t, 1)
	a.await(reason.Promoted)
	must(t, shared.Available(within(t, time.Minute), a.Deployment()))
	if dep := a.now(); dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] != "" {
		t.Errorf("promoted and still held: paused %v, annotations %v", dep.Spec.Paused, dep.Annotations)
	}

	a.Annotations[spec.AnnotationSteps] = "50%, pause"
	a.ship("v3")
	a.await(reason.AwaitingPromotion)
	a.annotate(spec.AnnotationCommand, spec.VerbAbort)
	a.await(reason.AbortedByCommand)
	a.ship("v2")
	a.await(reason.StableRestored)
	if dep := a.now(); dep.Spec.Paused {
		t.Error("the old template is back and is still paused")
	}
}

// Whoever deletes the binding switches the hold off, also while no pod of Headgate runs.
func TestBindingIsASwitch(t *testing.T) {
	install(t, map[string]string{"admission.mode": "policy"})
	scale(t, 0)
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "headgate-hold"}}
	must(t, anybody.Delete(t.Context(), binding))
	awaitHold(t, false)
	install(t, map[string]string{"admission.mode": "policy"}) // waits until it holds again
}
