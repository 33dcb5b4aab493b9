package ingress

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
)

// buildPreviewIngress builds the Ingress through which testers reach the canary
// pods, under a host of its own. It is an ordinary Ingress and no canary: it has the
// paths of stable to one of services, under that host alone.
//
// Its paths lead to preview Services. With the canary Services instead,
// ingress-nginx would drop the canary or the preview host, whichever is younger: it
// does not let one Service be a canary and the backend of an ordinary Ingress
// (issues #3952, #8004, #10729).
//
// Its annotations make the application behave as under its real host, and never let
// in more people than the stable Ingress does; see copiedToPreview. External DNS
// may publish the host, so that testers can resolve it, but the user's external-dns
// annotations are for the stable hosts and are not copied.
func (d dialect) buildPreviewIngress(t rollout.Target, stable *netv1.Ingress, services serviceNames) *netv1.Ingress {
	ing := &netv1.Ingress{
		ObjectMeta: forPreview.meta(t, stable.Name, ingressNameLimit),
		Spec: netv1.IngressSpec{
			IngressClassName: stable.Spec.IngressClassName,
			TLS:              previewTLS(stable, t.Spec.PreviewHost),
			Rules:            previewRules(stable, services, t.Spec.PreviewHost),
		},
	}
	maps.Copy(ing.Annotations, d.copiedAnnotations(stable, forPreview))
	return ing.DeepCopy()
}

// previewRules puts the paths of all hosts of stable under one host. Where two
// hosts have the same path, that of the first host is used: of a.test/ to web and
// b.test/ to shop, the preview has only / to web-preview.
func previewRules(stable *netv1.Ingress, services serviceNames, host string) []netv1.IngressRule {
	var kept []netv1.HTTPIngressPath
	seen := map[location]bool{}
	for _, path := range pathsTo(stable, services) {
		at := locationOf(host, path)
		if seen[at] {
			continue
		}
		seen[at] = true
		kept = append(kept, redirected(path, forPreview))
	}
	return []netv1.IngressRule{httpRule(host, kept)}
}

// previewTLS returns the TLS section of the preview: the certificate of stable that
// is valid for host, for host alone. If there is none, the section is empty and the
// controller answers with its default certificate.
func previewTLS(stable *netv1.Ingress, host string) []netv1.IngressTLS {
	for _, entry := range stable.Spec.TLS {
		if slices.Contains(entry.Hosts, host) || slices.Contains(entry.Hosts, wildcardOf(host)) {
			return []netv1.IngressTLS{{Hosts: []string{host}, SecretName: entry.SecretName}}
		}
	}
	return nil
}

// servicesOf returns those of the split Services that ing leads to.
func (r routes) servicesOf(ing *netv1.Ingress) []*corev1.Service {
	return slices.DeleteFunc(slices.Clone(r.services), func(svc *corev1.Service) bool {
		return !leadsTo(ing, serviceNames{svc.Name: true})
	})
}
