package ingress

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// snapshot is what one look at the cache found in the namespace of a Deployment: the
// objects that may matter to it. An object is "own" if Headgate made it for this Deployment. All other objects are
// the user's, of other tools, or own objects of another Deployment. Maps are by
// name.
type snapshot struct {
	dialect

	services        map[string]*corev1.Service // not own
	ingresses       map[string]*netv1.Ingress  // not own, and no canary
	foreignCanaries map[string]*netv1.Ingress  // canary Ingresses that are not own

	ownServices  map[string]*corev1.Service // of both purposes
	ownIngresses map[purpose]map[string]*netv1.Ingress

	classes map[string]*netv1.IngressClass
}

// readSnapshot reads from c, which should be a cache that SetupIndexes prepared. It
// leaves out what cannot matter to t.
func readSnapshot(ctx context.Context, c client.Reader, d dialect, t rollout.Target) (snapshot, error) {
	var classes netv1.IngressClassList
	if err := c.List(ctx, &classes); err != nil {
		return snapshot{}, fmt.Errorf("listing IngressClasses: %w", err)
	}
	f := newFinder(c, t)
	if err := f.find(ctx); err != nil {
		return snapshot{}, err
	}
	s := newSnapshot(d, t.Deployment, slices.Collect(maps.Values(f.services)), slices.Collect(maps.Values(f.ingresses)))
	for i := range classes.Items {
		s.classes[classes.Items[i].Name] = &classes.Items[i]
	}
	return s, nil
}

// newSnapshot sorts services and ingresses into own objects of dep and all others.
func newSnapshot(d dialect, dep *appsv1.Deployment, services []corev1.Service, ingresses []netv1.Ingress) snapshot {
	s := snapshot{
		dialect:         d,
		services:        map[string]*corev1.Service{},
		ingresses:       map[string]*netv1.Ingress{},
		foreignCanaries: map[string]*netv1.Ingress{},
		ownServices:     map[string]*corev1.Service{},
		ownIngresses:    map[purpose]map[string]*netv1.Ingress{},
		classes:         map[string]*netv1.IngressClass{},
	}
	for _, p := range purposes {
		s.ownIngresses[p] = map[string]*netv1.Ingress{}
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
		case rollout.Owns(dep, ing): // whatever somebody wrote into its canary annotation
			s.ownIngresses[purposeOf(ing)][ing.Name] = ing
		case d.isTrue(ing, "canary"):
			s.foreignCanaries[ing.Name] = ing
		default:
			s.ingresses[ing.Name] = ing
		}
	}
	return s
}

// canaries returns the own canary Ingresses. As long as there is one, traffic may
// go to the canary pods.
func (s snapshot) canaries() map[string]*netv1.Ingress { return s.ownIngresses[forCanary] }

// terminating returns the names of the canary Ingresses that are being deleted and
// still exist.
func (s snapshot) terminating() []string {
	var names []string
	for ing := range byName(s.canaries()) {
		if !ing.DeletionTimestamp.IsZero() {
			names = append(names, ing.Name)
		}
	}
	return names
}
