package ingress

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// Affected returns which rollouts obj may concern, if it is a Service or an Ingress.
// Two kinds are missing, because the caller finds them without a Router: the
// Deployment that owns obj, and those with an annotation that names it.
//
//	a Service                those whose stable or canary pods it selects
//	  named web-canary       also those for which web is split: they need the name
//	an Ingress               those behind the Services that it leads to, and those whose
//	                         preview has one of its hosts
//	  named web-canary       also those behind Ingress web: they need the name
//	  that is a canary       also those behind an Ingress with one of its locations, in
//	                         any namespace: it may take the place of their canary
//
// It is called for each event: it reads only what an index finds and only from the
// cache, and waits for nothing. A write that hangs must not delay the events of
// everybody.
func (r *Router) Affected(ctx context.Context, obj client.Object) (rollout.Affected, error) {
	a := affected{router: r}
	var err error
	switch obj := obj.(type) {
	case *corev1.Service:
		a.addSelector(obj)
		err = a.addServicesNamed(ctx, obj)
	case *netv1.Ingress:
		a.result.Hosts = hostsOf(obj)
		err = a.addIngress(ctx, obj)
	}
	if err != nil {
		return rollout.Affected{}, fmt.Errorf("finding the rollouts that %s may concern: %w", describe(obj), err)
	}
	return a.result, nil
}

// affected is an answer that is being put together.
type affected struct {
	router *Router
	result rollout.Affected
}

func (a *affected) addSelector(svc *corev1.Service) {
	if canBeSplit(svc) {
		a.result.Pods = append(a.result.Pods, rollout.PodSelector{Namespace: svc.Namespace, Labels: svc.Spec.Selector})
	}
}

// addServicesNamed adds the Services from which an object with the name of svc is
// derived.
func (a *affected) addServicesNamed(ctx context.Context, svc *corev1.Service) error {
	var list corev1.ServiceList
	err := a.router.cache.List(ctx, &list, client.InNamespace(svc.Namespace), client.MatchingFields{derivedIndex: svc.Name})
	for i := range list.Items {
		a.addSelector(&list.Items[i])
	}
	return err
}

func (a *affected) addIngress(ctx context.Context, ing *netv1.Ingress) error {
	if err := a.addServices(ctx, ing.Namespace, backendsOf(ing)); err != nil {
		return err
	}
	namesakes, err := a.ingresses(ctx, derivedIndex, ing.Name, client.InNamespace(ing.Namespace))
	for i := range namesakes {
		if err == nil {
			err = a.addServices(ctx, ing.Namespace, backendsOf(&namesakes[i]))
		}
	}
	for _, key := range canaryLocationsOf(ing) {
		if err == nil {
			err = a.addServicesAt(ctx, key)
		}
	}
	return err
}

// addServicesAt adds the Services to which an Ingress of any namespace leads by the
// location with this key, and not those of its other paths: each weight that Headgate
// writes is an event of a canary Ingress, and hundreds of Deployments may be behind one
// stable Ingress.
func (a *affected) addServicesAt(ctx context.Context, key string) error {
	list, err := a.ingresses(ctx, locationIndex, key)
	for i := range list {
		ing := &list[i]
		if a.router.dialect.isTrue(ing, "canary") {
			continue
		}
		for host, path := range allPaths(ing) {
			if err == nil && locationOf(host, path).key() == key {
				err = a.addServices(ctx, ing.Namespace, []string{path.Backend.Service.Name})
			}
		}
	}
	return err
}

func (a *affected) ingresses(ctx context.Context, index, key string, opts ...client.ListOption) ([]netv1.Ingress, error) {
	var list netv1.IngressList
	opts = append(opts, client.MatchingFields{index: key}, client.UnsafeDisableDeepCopy)
	err := a.router.cache.List(ctx, &list, opts...)
	return list.Items, err
}

// addServices adds the Services with these names. One that does not exist concerns
// nobody; its creation will be an event too.
func (a *affected) addServices(ctx context.Context, namespace string, names []string) error {
	for _, name := range names {
		var svc corev1.Service
		err := a.router.cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &svc)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			a.addSelector(&svc)
		}
	}
	return nil
}
