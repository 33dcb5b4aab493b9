package ingress

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// TestTrim: own objects lose what nobody reads, and those of the user also labels, and
// the annotations of a Service.
func TestTrim(t *testing.T) {
	meta := func(labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: "web", ResourceVersion: "7", Labels: labels,
			ManagedFields: []metav1.ManagedFieldsEntry{{}},
			Annotations:   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "example.com/server-alias": "b"},
		}
	}
	own, users := map[string]string{spec.LabelManagedBy: spec.ManagedBy}, map[string]string{"team": "shop"}
	kept := metav1.ObjectMeta{Name: "web", ResourceVersion: "7", Annotations: map[string]string{"example.com/server-alias": "b"}}
	withLabels, identity := kept, kept
	withLabels.Labels, identity.Annotations = own, nil
	service := func(m metav1.ObjectMeta) *corev1.Service {
		return &corev1.Service{ObjectMeta: m, Spec: corev1.ServiceSpec{Selector: users}}
	}
	ingress := func(m metav1.ObjectMeta) *netv1.Ingress {
		return &netv1.Ingress{ObjectMeta: m, Spec: netv1.IngressSpec{Rules: []netv1.IngressRule{{Host: "a"}}}}
	}
	balanced := corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "LoadBalanced"}}}
	for name, tt := range map[string]struct{ obj, want client.Object }{
		"own Service":      {service(meta(own)), service(withLabels)},
		"a user's Service": {service(meta(users)), service(identity)},
		"own Ingress":      {ingress(meta(own)), ingress(withLabels)},
		"a user's Ingress": {ingress(meta(users)), ingress(kept)},
		"another kind":     {&corev1.Secret{ObjectMeta: meta(users)}, &corev1.Secret{ObjectMeta: meta(users)}},
	} {
		t.Run(name, func(t *testing.T) {
			if svc, ok := tt.obj.(*corev1.Service); ok {
				svc.Status = balanced
			}
			for range 2 {
				got, err := Trim(tt.obj)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(any(tt.want), got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/web"}
	if got, err := Trim(tombstone); err != nil || got != any(tombstone) {
		t.Errorf("a tombstone became %v, %v", got, err)
	}
}
