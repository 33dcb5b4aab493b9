package ingress

import (
	"iter"
	"maps"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// buildCanaryIngress builds the canary Ingress of one stable Ingress: with its
// class, and with its paths to one of services. It has no TLS section: controllers
// ignore that of a canary, and certificate tools would act on it. It has no default
// backend either.
func (d dialect) buildCanaryIngress(t rollout.Target, stable *netv1.Ingress, services serviceNames, split trafficSplit) *netv1.Ingress {
	ing := &netv1.Ingress{
		ObjectMeta: forCanary.meta(t, stable.Name, ingressNameLimit),
		Spec: netv1.IngressSpec{
			IngressClassName: stable.Spec.IngressClassName,
			Rules:            canaryRules(stable, services),
		},
	}
	maps.Copy(ing.Annotations, d.copiedAnnotations(stable, forCanary))
	// Without these, External DNS would publish the hosts a second time, without the
	// target and the TTL that the user set. Their prefix changed in its v0.22.
	ing.Annotations["external-dns.alpha.kubernetes.io/controller"] = spec.ManagedBy
	ing.Annotations["external-dns.kubernetes.io/controller"] = spec.ManagedBy
	d.writeSplit(ing, split)
	return ing.DeepCopy()
}

// canaryRules returns the rules of stable, reduced to the paths to one of services.
// Each path leads to the canary Service instead. Host, path, pathType and port stay
// as written, because Traefik compares them without normalising. A field that is newer
// than the API types of this program is not copied: the Ingress API of Kubernetes is
// frozen and gets none, so reading every Ingress live would find nothing.
//
// All other paths must be left out: when a user creates the stable Ingress again,
// the canary Ingress is the older of the two, and a path in it to another Service
// would take that Service down. A rule without paths must be left out too: a rule
// without http makes the ingress-nginx process crash.
func canaryRules(stable *netv1.Ingress, services serviceNames) []netv1.IngressRule {
	var rules []netv1.IngressRule
	seen := map[location]bool{}
	for _, rule := range stable.Spec.Rules {
		var kept []netv1.HTTPIngressPath
		for path := range rulePaths(rule) {
			at := locationOf(rule.Host, path)
			if !services[path.Backend.Service.Name] || seen[at] {
				continue
			}
			seen[at] = true
			kept = append(kept, redirected(path, forCanary))
		}
		if len(kept) > 0 {
			rules = append(rules, httpRule(rule.Host, kept))
		}
	}
	return rules
}

// redirected returns a copy of path that leads to the Service derived for p.
func redirected(path netv1.HTTPIngressPath, p purpose) netv1.HTTPIngressPath {
	out := *path.DeepCopy()
	out.Backend.Service.Name = p.objectName(path.Backend.Service.Name, serviceNameLimit)
	return out
}

func httpRule(host string, paths []netv1.HTTPIngressPath) netv1.IngressRule {
	return netv1.IngressRule{
		Host:             host,
		IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: paths}},
	}
}

// rulePaths yields the paths of rule that lead to a Service. It yields nothing for
// a rule without http, and no path that leads to a resource.
func rulePaths(rule netv1.IngressRule) iter.Seq[netv1.HTTPIngressPath] {
	return func(yield func(netv1.HTTPIngressPath) bool) {
		if rule.HTTP == nil {
			return
		}
		for _, path := range rule.HTTP.Paths {
			if path.Backend.Service != nil && !yield(path) {
				return
			}
		}
	}
}

// location identifies a path as ingress-nginx does. A path of a canary Ingress is
// the canary of a path of a stable Ingress if both have the same location.
type location struct {
	host, path string
	pathType   netv1.PathType
}

// locationOf normalises as ingress-nginx does: an empty path is "/", and a pathType
// that is missing or ImplementationSpecific is Prefix.
func locationOf(host string, path netv1.HTTPIngressPath) location {
	at := location{host: host, path: path.Path, pathType: netv1.PathTypePrefix}
	if at.path == "" {
		at.path = "/"
	}
	if path.PathType != nil && *path.PathType != netv1.PathTypeImplementationSpecific {
		at.pathType = *path.PathType
	}
	return at
}

// mergeIngress returns existing, an own Ingress for p, with everything that
// Headgate sets in want. What other controllers and admission webhooks added stays:
// if Headgate removed it, they would add it again, and every pass would write.
func (d dialect) mergeIngress(existing, want *netv1.Ingress, p purpose) *netv1.Ingress {
	ing := existing.DeepCopy()
	d.removeDerived(ing.Annotations, p)
	ing.Labels = overlay(ing.Labels, want.Labels)
	ing.Annotations = overlay(ing.Annotations, want.Annotations)
	ing.Spec.Rules = want.Spec.Rules
	if p == forPreview {
		ing.Spec.TLS = want.Spec.TLS // of a canary Ingress, controllers ignore it
	}
	// A stable Ingress that is older than the default class of the cluster names
	// none. The API server sets the default class in its canary Ingress at creation,
	// and Headgate leaves it there.
	if _, legacy := want.Annotations[annotationClass]; legacy || want.Spec.IngressClassName != nil {
		ing.Spec.IngressClassName = want.Spec.IngressClassName
	}
	return ing
}
