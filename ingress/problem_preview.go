package ingress

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// checkPreview decides whether the preview that the target wants is allowed. If it
// is not, it records why in previewRefused and removes the host from the target: no
// preview is made then, one that exists is deleted, and the weights go on as usual.
func (in *inspection) checkPreview(ctx context.Context) error {
	if in.target.Spec.PreviewHost == "" || len(in.routes.ingresses) == 0 {
		return nil
	}
	refused, err := firstProblem(ctx, previewPreconditions, *in)
	if err != nil {
		return err
	}
	if refused != nil {
		in.previewRefused, in.target.Spec.PreviewHost = refused, ""
	}
	return nil
}

// checkClientCertificates checks that the first stable Ingress, from which the
// preview is derived, asks for no client certificates. The preview does not ask for
// them, so everybody could open it.
func checkClientCertificates(in inspection) *rollout.Problem {
	stable := in.routes.ingresses[0]
	key := in.snapshot.key("auth-tls-secret")
	if _, ok := stable.Annotations[key]; !ok {
		return nil
	}
	return newProblem(reason.PreviewHostRefused,
		"Ingress %q requires client certificates (%s), and a preview would be open to everybody: remove %s",
		stable.Name, key, spec.AnnotationPreviewHost)
}

// checkPreviewDomain checks that the preview host is a subdomain of a domain that the
// operator allows, or of one of the stable hosts where the operator allows these too.
// With the operator's domain previews.test, and an Ingress for a.test and *.b.test:
//
//	preview.previews.test             allowed, below previews.test
//	preview.a.test, x.preview.a.test  below a.test: only with previewBelowOwnHosts
//	preview.b.test                    below b.test, the wildcard's domain: likewise
//	a.test, previews.test             refused: the domain itself is no subdomain
//	evil-a.test                       refused: it ends with a.test, but not with .a.test
//	preview.test                      refused: test is only the domain of a.test
func checkPreviewDomain(in inspection) *rollout.Problem {
	host, own := in.target.Spec.PreviewHost, in.ownDomains()
	allowed := in.router.previewDomains
	if in.router.previewBelowOwnHosts {
		allowed = slices.Concat(own, allowed)
	}
	if isBelow(host, allowed) {
		return nil
	}
	advice := "ask the operator of Headgate to allow its domain (ingress.previewDomains)"
	if isBelow(host, own) {
		advice += ", or hosts below those of the Deployment's own Ingresses (ingress.previewBelowOwnHosts)"
	}
	if len(allowed) > 0 {
		advice = fmt.Sprintf("use another host, e.g. %q, or %s", "preview."+allowed[0], advice)
	}
	return newProblem(reason.PreviewHostRefused, "%s names %q, which is below no domain that previews may use: %s",
		spec.AnnotationPreviewHost, host, advice)
}

// isBelow says whether host is a subdomain of one of domains.
func isBelow(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix(host, "."+domain) })
}

// ownDomains returns the domains of the stable hosts: of *.b.test it is b.test.
func (in inspection) ownDomains() []string {
	var own []string
	for _, ing := range in.routes.ingresses {
		for _, rule := range ing.Spec.Rules {
			if rule.Host != "" {
				own = append(own, strings.TrimPrefix(rule.Host, "*."))
			}
		}
	}
	return own
}

// checkPreviewNames checks that no object of somebody else has the name of a
// preview object.
func checkPreviewNames(in inspection) *rollout.Problem {
	stable := in.routes.ingresses[0]
	if name := in.snapshot.ingressName(in.target, stable, forPreview); in.snapshot.foreignIngress(name) != nil {
		return nameTaken("Ingress", name, forPreview)
	}
	for _, svc := range in.routes.servicesOf(stable) {
		if name := forPreview.objectName(svc.Name, serviceNameLimit); in.snapshot.services[name] != nil {
			return nameTaken("Service", name, forPreview)
		}
	}
	return nil
}

// checkPreviewHost checks that no other Ingress serves the preview host. For
// preview.a.test, an Ingress of any namespace for preview.a.test is in the way, and
// an Ingress of another namespace for *.a.test. A wildcard of the same namespace is
// not: the user may serve one of its hosts in another way. The message names no Ingress
// of another namespace: whoever asks for a host may not be allowed to read that namespace.
func checkPreviewHost(ctx context.Context, in inspection) (*rollout.Problem, error) {
	dep, host := in.target.Deployment, in.target.Spec.PreviewHost
	for _, served := range []string{host, wildcardOf(host)} {
		var found netv1.IngressList
		if err := in.router.client.List(ctx, &found, client.MatchingFields{hostIndex: served}); err != nil {
			return nil, fmt.Errorf("listing the Ingresses that serve host %q: %w", served, err)
		}
		// A cache returns them in any order, and the message must not change with it.
		slices.SortFunc(found.Items, func(a, b netv1.Ingress) int {
			return strings.Compare(namespacedName(&a), namespacedName(&b))
		})
		for i := range found.Items {
			ing := &found.Items[i]
			ownWildcard := served != host && ing.Namespace == dep.Namespace
			if rollout.Owns(dep, ing) || ownWildcard || in.snapshot.hadPreviewHostFirst(ing, host) {
				continue
			}
			owner := "an Ingress of another namespace"
			if ing.Namespace == dep.Namespace {
				owner = fmt.Sprintf("Ingress %q", ing.Name)
			}
			return newProblem(reason.PreviewHostRefused,
				"%s names %q, but %s already serves %q: use another host", spec.AnnotationPreviewHost, host, owner, served), nil
		}
	}
	return nil, nil
}

// hadPreviewHostFirst says whether other is the preview of another Deployment, and
// the own preview has had the host for longer. Only the younger of two previews
// gives way: if both did, both would be created again.
func (s snapshot) hadPreviewHostFirst(other *netv1.Ingress, host string) bool {
	if purposeOf(other) != forPreview || other.Labels[spec.LabelManagedBy] != spec.ManagedBy {
		return false
	}
	for ing := range byName(s.ownIngresses[forPreview]) {
		age := ing.CreationTimestamp.Compare(other.CreationTimestamp.Time)
		if slices.Contains(hostsOf(ing), host) && cmp.Or(age, strings.Compare(namespacedName(ing), namespacedName(other))) < 0 {
			return true
		}
	}
	return false
}
