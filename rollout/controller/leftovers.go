package controller

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// observeLeftovers finds what a canary leaves that somebody deleted by hand. Its
// Ingresses and Services belong to the stable Deployment, so no garbage collector
// removes them, and an Ingress goes on sending requests to pods that are gone. There
// may be no other trace of the rollout: the user may have opted out meanwhile. Call it
// where there is no canary.
func (r *Reconciler) observeLeftovers(ctx context.Context, s *snapshot) error {
	owned := client.MatchingFields{leftoverIndex: string(s.dep.UID)}
	var ingresses netv1.IngressList
	var services corev1.ServiceList
	for _, list := range []client.ObjectList{&ingresses, &services} {
		if err := r.Client.List(ctx, list, client.InNamespace(s.dep.Namespace), owned); err != nil {
			return fmt.Errorf("listing what a canary of Deployment %s/%s left: %w", s.dep.Namespace, s.dep.Name, err)
		}
	}
	s.leftovers = slices.ContainsFunc(ingresses.Items, func(ing netv1.Ingress) bool { return rollout.Owns(s.dep, &ing) }) ||
		slices.ContainsFunc(services.Items, func(svc corev1.Service) bool { return rollout.Owns(s.dep, &svc) })
	return nil
}

// removeLeftovers deletes the canary Services of a canary that somebody deleted. Its
// routes are gone: takeTraffic removes what no decision wants. It comes before the
// writes that end the rollout, so that a kill in between forgets nothing.
func (r *Reconciler) removeLeftovers(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if !s.leftovers || d.Canary != nil || s.Traffic.Routed {
		return nil
	}
	if err := r.dismissPods(ctx, s); err != nil {
		return err
	}
	return r.Router.Cleanup(ctx, s.target)
}
