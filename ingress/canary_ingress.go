package ingress

import (
	"iter"
	"maps"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// canaryIngress builds the canary of one stable Ingress: its class, and those of
// its paths that lead to a Service in split. It has no TLS section, which
// controllers ignore on a canary and certificate tools do not, and no default
// backend.
func (d dialect) buildCanaryIngress(t rollout.Target, stable *netv1.Ingress, split map[string]bool, of trafficSplit) *netv1.Ingress {
	ing := &netv1.Ingress{
		ObjectMeta: canaryMeta(t, canaryName(stable.Name, ingressNameLimit)),
		Spec: netv1.IngressSpec{
			IngressClassName: stable.Spec.IngressClassName,
			Rules:            canaryRules(stable, split),
		},
	}
	maps.Copy(ing.Annotations, d.copiedAnnotations(stable, copiedToCanary))
	// External DNS would publish the hosts a second time, without the user's
	// target and TTL. The prefix of its annotations changed in v0.22.
	ing.Annotations["external-dns.alpha.kubernetes.io/controller"] = spec.ManagedBy
	ing.Annotations["external-dns.kubernetes.io/controller"] = spec.ManagedBy
	d.writeSplit(ing, of)
	return ing.DeepCopy()
}

// canaryRules returns the rules of stable with only the paths that lead to a
// Service in split, each leading to its canary instead. Host, path, pathType and
// port stay as written: Traefik compares them raw. Other paths must not be
// there: a canary Ingress that is older than a re-created stable one takes their
// Services down. A rule is never without http: it kills the whole ingress-nginx.
func canaryRules(stable *netv1.Ingress, split map[string]bool) []netv1.IngressRule {
	var rules []netv1.IngressRule
	seen := map[location]bool{}
	for _, rule := range stable.Spec.Rules {
		var kept []netv1.HTTPIngressPath
		for path := range rulePaths(rule) {
			at := locationOf(rule.Host, path)
			if !split[path.Backend.Service.Name] || seen[at] {
				continue
			}
			seen[at] = true
			kept = append(kept, withService(path, canaryName(path.Backend.Service.Name, serviceNameLimit)))
		}
		if len(kept) > 0 {
			rules = append(rules, netv1.IngressRule{
				Host:             rule.Host,
				IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: kept}},
			})
		}
	}
	return rules
}

// leadingTo returns stable with service in place of its own.
func withService(stable netv1.HTTPIngressPath, service string) netv1.HTTPIngressPath {
	path := *stable.DeepCopy()
	path.Backend.Service.Name = service
	return path
}

// servicePaths yields the paths of rule that lead to a Service. A rule without
// http and a path to a resource have none.
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

// location is what two paths must have in common for one to be the canary of
// the other, normalised as ingress-nginx does.
type location struct {
	host, path string
	pathType   netv1.PathType
}

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

// mergeIngress returns existing with what want decides, copies of what allowed
// lets through included, and leaves alone what other controllers and admission
// webhooks added: to fight them for it would mean a write at every look.
func (d dialect) mergeIngress(existing, want *netv1.Ingress, allowed func(name string) bool) *netv1.Ingress {
	ing := existing.DeepCopy()
	d.removeDerived(ing.Annotations, allowed)
	ing.Labels = overlay(ing.Labels, want.Labels)
	ing.Annotations = overlay(ing.Annotations, want.Annotations)
	ing.Spec.Rules = want.Spec.Rules
	// A stable Ingress older than the cluster's default class names none; the
	// API server gives its canary one at creation, and that is right.
	if _, legacy := want.Annotations[annotationClass]; legacy || want.Spec.IngressClassName != nil {
		ing.Spec.IngressClassName = want.Spec.IngressClassName
	}
	return ing
}
