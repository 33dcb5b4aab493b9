package ingress

import (
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// canaryService builds the Service that reaches the canary pods of t and no
// others. Ports are copied as they are: ingress controllers look endpoints up by
// port name, and a backend "as written" must fit both Services.
//
// publishNotReadyAddresses, internalTrafficPolicy, traffic distribution and
// session affinity stay at their defaults: each of them can send a request to
// where the few canary pods are not, or are not ready.
func buildCanaryService(t rollout.Target, stable *corev1.Service) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: canaryMeta(t, canaryName(stable.Name, serviceNameLimit)),
		Spec: corev1.ServiceSpec{
			Type:           corev1.ServiceTypeClusterIP,
			Selector:       canarySelector(t, stable.Spec.Selector),
			Ports:          canaryPorts(stable.Spec.Ports),
			IPFamilies:     stable.Spec.IPFamilies,
			IPFamilyPolicy: stable.Spec.IPFamilyPolicy,
		},
	}
	if stable.Spec.ClusterIP == corev1.ClusterIPNone {
		svc.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return svc.DeepCopy()
}

// canarySelector narrows the stable selector to the canary pods of one rollout.
func canarySelector(t rollout.Target, stable map[string]string) map[string]string {
	selector := maps.Clone(stable)
	maps.Copy(selector, t.Track)
	selector[spec.LabelRollout] = t.Rollout
	return selector
}

// canaryPorts drops the node ports: two Services cannot have the same one.
func canaryPorts(stable []corev1.ServicePort) []corev1.ServicePort {
	ports := make([]corev1.ServicePort, len(stable))
	for i, port := range stable {
		port.NodePort = 0
		ports[i] = port
	}
	return ports
}

// mergeService returns existing with what want decides. The cluster address and
// the IP families are decided at creation: the API server fills them in and does
// not let them change, and ingress controllers dial the endpoints.
func mergeService(existing, want *corev1.Service) *corev1.Service {
	svc := existing.DeepCopy()
	svc.Labels = overlay(svc.Labels, want.Labels)
	svc.Annotations = overlay(svc.Annotations, want.Annotations)
	svc.Spec.Type = want.Spec.Type
	svc.Spec.Selector = want.Spec.Selector
	svc.Spec.Ports = want.Spec.Ports
	return svc
}

// overlay sets the entries of top in base, which may be nil.
func overlay(base, top map[string]string) map[string]string {
	if base == nil {
		base = map[string]string{}
	}
	maps.Copy(base, top)
	return base
}
