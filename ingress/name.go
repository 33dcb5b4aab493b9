package ingress

import (
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// The longest names that the API server accepts: the name of a Service is a DNS
// label, that of an Ingress a DNS subdomain.
const (
	serviceNameLimit = 63
	ingressNameLimit = 253
)

// ingressName returns the name of the own Ingress that is derived from stable.
//
// Two Deployments may be behind one stable Ingress. Where api and web roll out
// behind the Ingress shop, the first of them gets shop-canary and the second
// shop-web-canary. An own Ingress keeps its name when the other Deployment is
// done: a new name would move the traffic to a new Ingress.
//
// A Deployment has one preview Ingress. It keeps its name when another stable
// Ingress becomes the first: ingress-nginx admits no second Ingress with the same
// host while the old one exists.
func (s snapshot) ingressName(t rollout.Target, stable *netv1.Ingress, p purpose) string {
	own := s.ownIngresses[p]
	if p == forPreview {
		for ing := range byName(own) {
			return ing.Name
		}
	}
	short := p.objectName(stable.Name, ingressNameLimit)
	long := p.objectName(stable.Name+"-"+t.Deployment.Name, ingressNameLimit)
	other := s.foreignIngress(short)
	switch {
	case own[short] != nil:
		return short
	case own[long] != nil, other != nil && other.Labels[spec.LabelManagedBy] == spec.ManagedBy:
		return long
	}
	return short
}

// foreignIngress returns the Ingress with this name that Headgate did not make for
// this Deployment, nil if there is none.
func (s snapshot) foreignIngress(name string) *netv1.Ingress {
	if ing := s.foreignCanaries[name]; ing != nil {
		return ing
	}
	return s.ingresses[name]
}

func nameTaken(kind, name string, p purpose) *rollout.Problem {
	return newProblem(reason.NameTaken,
		"%s %q exists, and Headgate did not make it for this Deployment: "+
			"delete or rename it, because the %s needs this name", kind, name, p)
}

// namespacedName returns NAMESPACE/NAME.
func namespacedName(obj client.Object) string { return client.ObjectKeyFromObject(obj).String() }
