package ingress

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// previewIngress builds the Ingress by which a tester reaches the canary pods under
// a host of their own. It is an ordinary one: the paths of stable that lead to a
// Service in split, under that host alone.
//
// It leads to preview Services: a Service that is both the canary of one Ingress
// and the backend of an ordinary one has ingress-nginx drop the canary or the host,
// whichever is younger (issues #3952, #8004, #10729).
//
// Its annotations make the application behave as under its real host and are never
// more open; see copiedToPreview. External DNS may publish the host, which wants a name,
// but what the user tells it about the stable one is not repeated.
func (d dialect) buildPreviewIngress(t rollout.Target, stable *netv1.Ingress, split map[string]bool) *netv1.Ingress {
	ing := &netv1.Ingress{
		ObjectMeta: canaryMeta(t, previewName(stable.Name, ingressNameLimit)),
		Spec: netv1.IngressSpec{
			IngressClassName: stable.Spec.IngressClassName,
			TLS:              previewTLS(stable, t.Spec.PreviewHost),
			Rules:            previewRules(stable, split, t.Spec.PreviewHost),
		},
	}
	maps.Copy(ing.Annotations, d.copiedAnnotations(stable, copiedToPreview))
	return ing.DeepCopy()
}

// previewRules brings the paths of all hosts under one. Where two hosts have the
// same path, the first one's counts.
func previewRules(stable *netv1.Ingress, split map[string]bool, host string) []netv1.IngressRule {
	var kept []netv1.HTTPIngressPath
	seen := map[location]bool{}
	for _, path := range pathsTo(stable, split) {
		at := locationOf(host, path)
		if seen[at] {
			continue
		}
		seen[at] = true
		kept = append(kept, withService(path, previewName(path.Backend.Service.Name, serviceNameLimit)))
	}
	return []netv1.IngressRule{{
		Host:             host,
		IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: kept}},
	}}
}

// previewTLS is the entry of stable whose certificate is good for host as well, for
// host alone. Without one the controller answers with its default certificate.
func previewTLS(stable *netv1.Ingress, host string) []netv1.IngressTLS {
	for _, entry := range stable.Spec.TLS {
		if slices.Contains(entry.Hosts, host) || slices.Contains(entry.Hosts, wildcardOf(host)) {
			return []netv1.IngressTLS{{Hosts: []string{host}, SecretName: entry.SecretName}}
		}
	}
	return nil
}

// previewService builds the Service by which the preview reaches the canary pods.
func buildPreviewService(t rollout.Target, stable *corev1.Service) *corev1.Service {
	svc := buildCanaryService(t, stable)
	svc.Name = previewName(stable.Name, serviceNameLimit)
	return svc
}

// mergePreview is mergeIngress for the preview. Its TLS section follows the stable
// one's.
func (d dialect) mergePreview(existing, want *netv1.Ingress) *netv1.Ingress {
	ing := d.mergeIngress(existing, want, copiedToPreview)
	ing.Spec.TLS = want.Spec.TLS
	return ing
}

// planPreview plans for the preview that t wants and marks in kept what of ours it
// takes over. It is derived from the first stable Ingress.
func (p *plan) planPreview(s snapshot, r routes, t rollout.Target, kept map[client.Object]bool) {
	stable := r.ingresses[0]
	for _, svc := range r.servicesOf(stable) {
		writes, was := s.serviceWrites(buildPreviewService(t, svc))
		p.preview = append(p.preview, writes...)
		kept[was] = true
	}
	want := s.buildPreviewIngress(t, stable, r.serviceNames())
	want.Name = s.previewIngressName(t, stable)
	was := s.ownPreviews[want.Name]
	if was == nil {
		p.preview = append(p.preview, write{want: want})
		return
	}
	kept[was] = true
	if merged := s.mergePreview(was, want); !equal(was, merged) {
		p.preview = append(p.preview, write{was, merged})
	}
}

// servicesOf returns those of the split Services that ing leads to.
func (r routes) servicesOf(ing *netv1.Ingress) []*corev1.Service {
	return slices.DeleteFunc(slices.Clone(r.services), func(svc *corev1.Service) bool {
		return !leadsTo(ing, map[string]bool{svc.Name: true})
	})
}
