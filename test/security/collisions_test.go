package security

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestObjectsOfOthersAreNeverTaken: an object has the name that a rollout needs, and some also
// have the label of what Headgate makes. Headgate did not make it for this Deployment, so it
// stays as it is, whatever becomes of the rollout.
func TestObjectsOfOthersAreNeverTaken(t *testing.T) {
	ours := map[string]string{spec.LabelManagedBy: spec.ManagedBy, spec.LabelRollout: "3"}
	for name, tt := range map[string]struct {
		resource string
		make     func(meta metav1.ObjectMeta) client.Object
	}{
		"Deployment": {"deployments", func(meta metav1.ObjectMeta) client.Object {
			dep := lab.Sample{Namespace: meta.Namespace, Name: meta.Name, Version: "v1"}.Deployment()
			dep.Labels = meta.Labels
			return dep
		}},
		"Service": {"services", func(meta metav1.ObjectMeta) client.Object {
			return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		}},
		"Ingress": {"ingresses", func(meta metav1.ObjectMeta) client.Object {
			ing := lab.Sample{Namespace: meta.Namespace, Name: meta.Name}.Ingress()
			ing.Annotations = map[string]string{"nginx.ingress.kubernetes.io/canary": "true"}
			return ing
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			theirs := tt.make(metav1.ObjectMeta{Namespace: u.Namespace, Name: "web-canary", Labels: ours})
			u.must(shared.Client().Create(t.Context(), theirs))
			u.optIn("50%", nil)
			u.ship("v2")
			u.await(reason.NameTaken, theirs.GetName())
			u.must(annotate(t.Context(), u, u.Deployment(), map[string]any{spec.AnnotationStrategy: nil}))
			u.must(shared.Available(u.within(time.Minute), u.Deployment()))
			writes, err := shared.HeadgateWrites()
			u.must(err)
			for _, w := range writes {
				if w.Namespace == u.Namespace && w.Name == "web-canary" && w.Resource == tt.resource {
					t.Errorf("Headgate did %s %s %s, which is not its own", w.Verb, w.Resource, w.Name)
				}
			}
			u.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs))
			if theirs.GetDeletionTimestamp() != nil {
				t.Error("it is being deleted")
			}
		})
	}
}
