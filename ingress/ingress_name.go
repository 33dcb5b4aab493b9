package ingress

import (
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// ingressName is NAME-canary, unless another Deployment behind the same stable
// Ingress rolls out at the same time and has that one. The name found then is
// kept: were it chosen anew when the other is done, the split would move.
func (s snapshot) canaryIngressName(t rollout.Target, stable *netv1.Ingress) string {
	return s.chooseName(t, stable, canaryName, s.ownCanaries)
}

// previewIngressName is NAME-preview, likewise, where NAME is the first stable
// Ingress. It is kept when another one becomes the first: ingress-nginx admits no
// second Ingress with the host while the old one is there.
func (s snapshot) previewIngressName(t rollout.Target, stable *netv1.Ingress) string {
	for ing := range byName(s.ownPreviews) {
		return ing.Name
	}
	return s.chooseName(t, stable, previewName, s.ownPreviews)
}

func (s snapshot) chooseName(t rollout.Target, stable *netv1.Ingress, derived func(string, int) string, ours map[string]*netv1.Ingress) string {
	plain := derived(stable.Name, ingressNameLimit)
	own := derived(stable.Name+"-"+t.Deployment.Name, ingressNameLimit)
	other := s.foreignIngress(plain)
	switch {
	case ours[plain] != nil:
		return plain
	case ours[own] != nil, other != nil && other.Labels[spec.LabelManagedBy] == spec.ManagedBy:
		return own
	}
	return plain
}

// taken returns the Ingress of that name which is not ours, or nil.
func (s snapshot) foreignIngress(name string) *netv1.Ingress {
	if ing := s.foreignCanaries[name]; ing != nil {
		return ing
	}
	return s.ingresses[name]
}

func nameTaken(kind, name, purpose string) *rollout.Problem {
	return newProblem(reason.NameTaken, "%s %q exists and was not made by Headgate for this Deployment, which needs the name for its %s: "+
		"delete or rename it", kind, name, purpose)
}
