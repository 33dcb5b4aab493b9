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

// preview returns t, without its preview host if there must not be a preview, and
// why there must not: who may annotate a Deployment may not therefore take a host
// that is somebody else's. Such a preview is a problem, but no reason to leave the
// weights alone.
func (r *Router) preview(ctx context.Context, s snapshot, found routes, t rollout.Target) (rollout.Target, *rollout.Problem, error) {
	if t.Spec.PreviewHost == "" || len(found.ingresses) == 0 {
		return t, nil, nil
	}
	p := cmp.Or(s.previewWithoutClientCertificate(found), found.previewHostNotAllowed(t, r.domains), s.previewNameTaken(found, t))
	if p == nil {
		var err error
		if p, err = r.previewHostTaken(ctx, s, t); err != nil {
			return t, nil, err
		}
	}
	if p != nil {
		t.Spec.PreviewHost = ""
	}
	return t, p, nil
}

// previewWithoutClientCertificate checks that no client certificate is asked for: a preview, which has
// at most a certificate of its own, would let everybody in.
func (s snapshot) previewWithoutClientCertificate(found routes) *rollout.Problem {
	stable := found.ingresses[0]
	key := s.key("auth-tls-secret")
	if _, ok := stable.Annotations[key]; !ok {
		return nil
	}
	return newProblem(reason.PreviewHostRefused, "Ingress %q asks for client certificates (%s), and a preview would be open to everybody: remove %s",
		stable.Name, key, spec.AnnotationPreviewHost)
}

// previewHostNotAllowed checks that the preview host is a subdomain of one of the stable
// hosts or of a domain that the operator allows.
func (r routes) previewHostNotAllowed(t rollout.Target, domains []string) *rollout.Problem {
	var own []string
	for _, ing := range r.ingresses {
		for _, rule := range ing.Spec.Rules {
			if rule.Host != "" {
				own = append(own, strings.TrimPrefix(rule.Host, "*."))
			}
		}
	}
	host := t.Spec.PreviewHost
	for _, domain := range slices.Concat(own, domains) {
		if strings.HasSuffix(host, "."+domain) {
			return nil
		}
	}
	advice := "ask the operator of Headgate to allow its domain"
	if len(own) > 0 {
		advice = fmt.Sprintf("use one, e.g. %q, or %s", "preview."+own[0], advice)
	}
	return newProblem(reason.PreviewHostRefused, "%s names %q, which is no subdomain of a host that the Ingresses of Deployment %q serve: %s",
		spec.AnnotationPreviewHost, host, t.Deployment.Name, advice)
}

// previewNameTaken checks that what the preview would be made of is nobody else's.
func (s snapshot) previewNameTaken(found routes, t rollout.Target) *rollout.Problem {
	stable := found.ingresses[0]
	if name := s.previewIngressName(t, stable); s.foreignIngress(name) != nil {
		return nameTaken("Ingress", name, "preview")
	}
	for _, svc := range found.servicesOf(stable) {
		if name := previewName(svc.Name, serviceNameLimit); s.services[name] != nil {
			return nameTaken("Service", name, "preview")
		}
	}
	return nil
}

// previewHostTaken checks that nobody serves the preview host: no Ingress of the
// cluster by name, and no other namespace by a wildcard.
func (r *Router) previewHostTaken(ctx context.Context, s snapshot, t rollout.Target) (*rollout.Problem, error) {
	host := t.Spec.PreviewHost
	for _, as := range []string{host, wildcardOf(host)} {
		var found netv1.IngressList
		if err := r.client.List(ctx, &found, client.MatchingFields{hostIndex: as}); err != nil {
			return nil, fmt.Errorf("looking for who serves host %q: %w", as, err)
		}
		// A cache returns them in any order, and the message should not change.
		slices.SortFunc(found.Items, func(a, b netv1.Ingress) int { return strings.Compare(namespacedName(&a), namespacedName(&b)) })
		for i := range found.Items {
			ing := &found.Items[i]
			own := rollout.Owns(t.Deployment, ing) || as != host && ing.Namespace == t.Deployment.Namespace
			if own || s.hadPreviewHostFirst(ing, host) {
				continue
			}
			return newProblem(reason.PreviewHostRefused, "%s names %q, and Ingress %q serves %q already: use another host",
				spec.AnnotationPreviewHost, host, namespacedName(ing), as), nil
		}
	}
	return nil, nil
}

// hadPreviewHostFirst says whether other is the preview of another Deployment and ours
// has had host for longer. Were both to yield, both would come back.
func (s snapshot) hadPreviewHostFirst(other *netv1.Ingress, host string) bool {
	if !isPreview(other) || other.Labels[spec.LabelManagedBy] != spec.ManagedBy {
		return false
	}
	for ing := range byName(s.ownPreviews) {
		age := ing.CreationTimestamp.Compare(other.CreationTimestamp.Time)
		if slices.Contains(hostsOf(ing), host) && cmp.Or(age, strings.Compare(namespacedName(ing), namespacedName(other))) < 0 {
			return true
		}
	}
	return false
}
