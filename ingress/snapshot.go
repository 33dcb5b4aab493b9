package ingress

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// snapshot is what bears on the traffic of one Deployment: its namespace, sorted
// into what is ours and what is not.
type snapshot struct {
	dialect

	services        map[string]*corev1.Service // not ours
	ingresses       map[string]*netv1.Ingress  // not ours and no canary
	foreignCanaries map[string]*netv1.Ingress  // canaries that are not ours

	ownServices map[string]*corev1.Service // ours
	ownCanaries map[string]*netv1.Ingress  // ours, even if somebody set canary: "false"
	ownPreviews map[string]*netv1.Ingress  // ours; their Services are among ownServices

	classes map[string]*netv1.IngressClass
}

// look reads the snapshot of dep from the cache.
func readSnapshot(ctx context.Context, c client.Reader, d dialect, dep *appsv1.Deployment) (snapshot, error) {
	var services corev1.ServiceList
	if err := c.List(ctx, &services, client.InNamespace(dep.Namespace)); err != nil {
		return snapshot{}, fmt.Errorf("listing Services of namespace %q: %w", dep.Namespace, err)
	}
	var ingresses netv1.IngressList
	if err := c.List(ctx, &ingresses, client.InNamespace(dep.Namespace)); err != nil {
		return snapshot{}, fmt.Errorf("listing Ingresses of namespace %q: %w", dep.Namespace, err)
	}
	var classes netv1.IngressClassList
	if err := c.List(ctx, &classes); err != nil {
		return snapshot{}, fmt.Errorf("listing IngressClasses: %w", err)
	}
	s := newSnapshot(d, dep, services.Items, ingresses.Items)
	for i := range classes.Items {
		s.classes[classes.Items[i].Name] = &classes.Items[i]
	}
	return s, nil
}

func newSnapshot(d dialect, dep *appsv1.Deployment, services []corev1.Service, ingresses []netv1.Ingress) snapshot {
	s := snapshot{
		dialect:         d,
		services:        map[string]*corev1.Service{},
		ingresses:       map[string]*netv1.Ingress{},
		foreignCanaries: map[string]*netv1.Ingress{},
		ownServices:     map[string]*corev1.Service{},
		ownCanaries:     map[string]*netv1.Ingress{},
		ownPreviews:     map[string]*netv1.Ingress{},
		classes:         map[string]*netv1.IngressClass{},
	}
	for i := range services {
		svc := &services[i]
		if rollout.Owns(dep, svc) {
			s.ownServices[svc.Name] = svc
		} else {
			s.services[svc.Name] = svc
		}
	}
	for i := range ingresses {
		ing := &ingresses[i]
		switch {
		case rollout.Owns(dep, ing) && isPreview(ing):
			s.ownPreviews[ing.Name] = ing
		case rollout.Owns(dep, ing):
			s.ownCanaries[ing.Name] = ing
		case d.isTrue(ing, "canary"):
			s.foreignCanaries[ing.Name] = ing
		default:
			s.ingresses[ing.Name] = ing
		}
	}
	return s
}
