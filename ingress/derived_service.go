package ingress

import (
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// buildService builds the Service through which the canary or the preview Ingress
// reaches the canary pods of t, and no other pods. Both Services are alike but for
// their names. Ports are copied as they are: ingress controllers find endpoints by
// port name, and the port in a path must fit the stable Service and this one.
//
// publishNotReadyAddresses, internalTrafficPolicy, traffic distribution and
// session affinity stay at their defaults. Each of them can send a request to a
// node without a canary pod, or to a canary pod that is not ready.
// A field that is newer than the API types of this program stays at its default for
// the same reason: nobody here knows where it sends requests.
func buildService(t rollout.Target, stable *corev1.Service, p purpose) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: p.meta(t, stable.Name, serviceNameLimit),
		Spec: corev1.ServiceSpec{
			Type:           corev1.ServiceTypeClusterIP,
			Selector:       canarySelector(t, stable.Spec.Selector),
			Ports:          withoutNodePorts(stable.Spec.Ports),
			IPFamilies:     stable.Spec.IPFamilies,
			IPFamilyPolicy: stable.Spec.IPFamilyPolicy,
		},
	}
	if stable.Spec.ClusterIP == corev1.ClusterIPNone {
		svc.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return svc.DeepCopy()
}

// canarySelector turns the selector of a stable Service into one for the canary pods of
// one rollout. It names no track label, whose value changes when the pods become pods of
// the Deployment: they must stay behind the canary Service until no route leads to it.
// Rollout 7 of Deployment web turns app=web,tier=front, of which app is the track label,
// into tier=front,headgate.dev/canary=web,headgate.dev/rollout=7.
func canarySelector(t rollout.Target, stable map[string]string) map[string]string {
	selector := maps.Clone(stable)
	selector[spec.LabelRollout] = t.Rollout
	if t.Canary == "" { // nothing else tells these pods from those of another canary
		maps.Copy(selector, t.Track)
		return selector
	}
	maps.DeleteFunc(selector, func(key, _ string) bool { return t.Track[key] != "" })
	selector[spec.LabelCanary] = t.Canary
	return selector
}

// withoutNodePorts returns ports without node ports, because two Services cannot
// have the same node port.
func withoutNodePorts(ports []corev1.ServicePort) []corev1.ServicePort {
	out := make([]corev1.ServicePort, len(ports))
	for i, port := range ports {
		port.NodePort = 0
		out[i] = port
	}
	return out
}

// mergeService returns existing with everything that Headgate sets in want. The
// cluster address and the IP families stay: the API server sets them at creation
// and lets nobody change them, and ingress controllers connect to the endpoints.
func mergeService(existing, want *corev1.Service) *corev1.Service {
	svc := existing.DeepCopy()
	svc.Labels = overlay(svc.Labels, want.Labels)
	svc.Annotations = overlay(svc.Annotations, want.Annotations)
	svc.Spec.Type = want.Spec.Type
	svc.Spec.Selector = want.Spec.Selector
	svc.Spec.Ports = want.Spec.Ports
	return svc
}

// overlay sets the entries of top in base and returns it. base may be nil.
func overlay(base, top map[string]string) map[string]string {
	if base == nil {
		base = map[string]string{}
	}
	maps.Copy(base, top)
	return base
}
