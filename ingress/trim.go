package ingress

import (
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Trim removes from a Service or an Ingress what nothing reads, before it goes into the
// cache: the status, the labels of an object that Headgate did not make, and the
// annotations of such a Service. It is a transform for the cache that a Router reads from:
// it changes obj, and a second call changes nothing. Any other object stays as it is.
//
// Headgate writes its own objects by a patch from what the cache has of them to what they
// should be, so what was trimmed is in neither and stays on the API server.
func Trim(obj any) (any, error) {
	switch obj := obj.(type) {
	case *corev1.Service:
		rollout.TrimMeta(obj)
		obj.Status = corev1.ServiceStatus{}
		if obj.Labels[spec.LabelManagedBy] != spec.ManagedBy {
			obj.Labels, obj.Annotations = nil, nil
		}
	case *netv1.Ingress:
		rollout.TrimMeta(obj)
		obj.Status = netv1.IngressStatus{}
		if obj.Labels[spec.LabelManagedBy] != spec.ManagedBy {
			obj.Labels = nil
		}
	}
	return obj, nil
}
