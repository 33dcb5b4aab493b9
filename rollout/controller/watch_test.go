package controller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/rollout/spec"
)

// sameHost is a Router that can do nothing but say which namespaces an Ingress,
// NAMESPACE/NAME, affects.
type sameHost struct {
	Router
	affected map[string][]string
}

func (h sameHost) AffectedNamespaces(_ context.Context, ing *netv1.Ingress) ([]string, error) {
	return h.affected[client.ObjectKeyFromObject(ing).String()], nil
}

// TestRolloutsAffectedBy: of other namespaces, an Ingress for a preview host and a canary
// Ingress for a stable host are to be noticed, and nothing else.
func TestRolloutsAffectedBy(t *testing.T) {
	held := func(namespace, preview string) *appsv1.Deployment {
		dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "web", Annotations: map[string]string{spec.AnnotationRollout: "7"},
		}}
		if preview != "" {
			dep.Annotations[spec.AnnotationPreviewHost] = preview
		}
		return dep
	}
	idle := held("shop", "")
	idle.Name, idle.Annotations = "idle", nil
	r := &Reconciler{
		Client: fake.NewClientBuilder().WithIndex(&appsv1.Deployment{}, activeIndex, activeKey).
			WithObjects(held("shop", ""), held("blog", "preview.blog.example.com"), idle).Build(),
		Router: sameHost{affected: map[string][]string{"other/canary": {"shop"}}},
	}
	for sentence, tt := range map[string]struct {
		obj  client.Object
		want []string
	}{
		"a Service, to those of its namespace": {
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}},
			[]string{"shop/web"},
		},
		"an IngressClass, to all": {&netv1.IngressClass{}, []string{"blog/web", "shop/web"}},
		"an Ingress, also to those with a preview host": {
			&netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}},
			[]string{"blog/web", "shop/web"},
		},
		"an Ingress of elsewhere, to those with a preview host": {
			&netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "other"}},
			[]string{"blog/web"},
		},
		"a canary Ingress of elsewhere, also to those with the same host": {
			&netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "canary"}},
			[]string{"blog/web", "shop/web"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var got []string
			for _, request := range r.rolloutsAffectedBy(t.Context(), tt.obj) {
				got = append(got, request.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
