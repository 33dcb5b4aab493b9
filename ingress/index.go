package ingress

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// The cache indexes by which a Router finds objects. A look at one Deployment reads
// only the objects that may matter to it: with a list of the namespace, n Deployments
// in one namespace would cost n times n reads.
const (
	// ownerIndex finds what Headgate made for a Deployment, by the UID of the
	// Deployment.
	ownerIndex = "headgate.owner"

	// selectorIndex finds Services by rollout.SelectorKey.
	selectorIndex = "headgate.selector"

	// trackIndex finds the Services that select on a value that canary pods may get, by
	// that pair, such as app=web-canary. It leaves out canary Services: they also select
	// on the rollout, and so match only the pods of theirs.
	trackIndex = "headgate.track"

	// derivedIndex finds Services and Ingresses by the names of the objects that
	// Headgate derives from them: web by web-canary and by web-preview.
	derivedIndex = "headgate.derived"

	// backendIndex finds Ingresses by a Service that they lead to, by a path or by the
	// default backend.
	backendIndex = "headgate.backend"

	// locationIndex finds the Ingresses of all namespaces by location.key.
	locationIndex = "headgate.location"

	// canaryIndex does so for canary Ingresses alone. Hundreds of Ingresses of different
	// namespaces may have one location, such as every host and "/"; few of them are
	// canaries.
	canaryIndex = "headgate.canary-location"

	// hostIndex finds the Ingresses of all namespaces by a host that they serve. The
	// host is compared as written: a search for "a.example.com" does not find
	// "*.example.com". "" finds those with a rule for every host.
	hostIndex = "headgate.host"
)

// index is one cache index.
type index struct {
	name string
	of   client.Object
	keys client.IndexerFunc
}

var indexes = []index{
	{ownerIndex, &corev1.Service{}, ownersOf},
	{selectorIndex, &corev1.Service{}, selectorsOf},
	{trackIndex, &corev1.Service{}, trackPairsOf},
	{derivedIndex, &corev1.Service{}, derivedNamesOf},
	{ownerIndex, &netv1.Ingress{}, ownersOf},
	{derivedIndex, &netv1.Ingress{}, derivedNamesOf},
	{backendIndex, &netv1.Ingress{}, backendsOf},
	{locationIndex, &netv1.Ingress{}, locationsOf},
	{canaryIndex, &netv1.Ingress{}, canaryLocationsOf},
	{hostIndex, &netv1.Ingress{}, hostsOf},
}

// SetupIndexes adds to a cache the indexes that a Router needs. Call it before that
// cache starts. Without it, every method of the Router fails.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range indexes {
		if err := indexer.IndexField(ctx, i.of, i.name, i.keys); err != nil {
			return fmt.Errorf("adding index %s: %w", i.name, err)
		}
	}
	return nil
}

func ownersOf(obj client.Object) []string {
	owner := metav1.GetControllerOf(obj)
	if owner == nil || obj.GetLabels()[spec.LabelManagedBy] != spec.ManagedBy {
		return nil
	}
	return []string{string(owner.UID)}
}

func selectorsOf(obj client.Object) []string {
	svc, ok := obj.(*corev1.Service)
	if !ok || !canBeSplit(svc) {
		return nil
	}
	return []string{rollout.SelectorKey(svc.Spec.Selector)}
}

func trackPairsOf(obj client.Object) []string {
	svc, ok := obj.(*corev1.Service)
	if !ok || !canBeSplit(svc) || svc.Spec.Selector[spec.LabelRollout] != "" {
		return nil
	}
	var pairs []string
	for key, value := range svc.Spec.Selector {
		if rollout.IsTrackValue(value) {
			pairs = append(pairs, rollout.LabelPair(key, value))
		}
	}
	return pairs
}

func derivedNamesOf(obj client.Object) []string {
	limit := ingressNameLimit
	if _, ok := obj.(*corev1.Service); ok {
		limit = serviceNameLimit
	}
	var names []string
	for _, p := range purposes {
		names = append(names, p.objectName(obj.GetName(), limit))
	}
	return names
}

func backendsOf(obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok {
		return nil
	}
	var services []string
	for _, path := range allPaths(ing) {
		services = append(services, path.Backend.Service.Name)
	}
	if backend := ing.Spec.DefaultBackend; backend != nil && backend.Service != nil {
		services = append(services, backend.Service.Name)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

func locationsOf(obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok {
		return nil
	}
	var keys []string
	for host, path := range allPaths(ing) {
		keys = append(keys, locationOf(host, path).key())
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// canaryLocationsOf returns the locations of a canary Ingress of any dialect, and none
// for any other Ingress.
func canaryLocationsOf(obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok || !isCanaryOfAnyDialect(ing) {
		return nil
	}
	return locationsOf(ing)
}

// key is l in an index: "a.example.com/shop Prefix".
func (l location) key() string { return l.host + l.path + " " + string(l.pathType) }
