package ingress

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// stablePaths are the paths that lead to the split Services, by location. More than
// one Ingress may have the same location, with different classes.
type stablePaths map[location][]*netv1.Ingress

// checkForeignCanaries looks for a canary Ingress of somebody else on any path to a
// split Service. It looks at the paths of every Ingress, also of those that the user
// left out of headgate.dev/ingress: controllers attach a canary to the Service and not
// to the path, and only one canary to each Service.
//
// Of other namespaces it looks at the canary Ingresses that have one of the locations:
// ingress-nginx does not compare namespaces (mergeAlternativeBackends). Traefik does,
// but the class does not tell the two apart. The message does not name such an Ingress:
// whoever reads it may not be allowed to read that namespace.
func checkForeignCanaries(ctx context.Context, in inspection) (*rollout.Problem, error) {
	paths := in.stablePaths()
	for canary := range byName(in.snapshot.foreignCanaries) {
		if host, path, stable := in.attachesTo(canary, paths); stable != nil {
			return newProblem(reason.ForeignCanary,
				"Ingress %q, which Headgate did not make, is a canary for host %q, path %q of Ingress %q: "+
					"delete it, because a controller uses only one canary for each Service", canary.Name, host, path, stable.Name), nil
		}
	}
	for _, at := range paths.locations() {
		canaries, err := in.canariesElsewhere(ctx, at)
		if err != nil {
			return nil, err
		}
		for i := range canaries {
			if host, path, stable := in.attachesTo(&canaries[i], paths); stable != nil {
				return newProblem(reason.ForeignCanary,
					"an Ingress of another namespace is a canary for host %q, path %q of Ingress %q: have the operator of the cluster "+
						"delete it, because a controller may use canaries of every namespace and uses only one for each Service",
					host, path, stable.Name), nil
			}
		}
	}
	return nil, nil
}

func (in inspection) stablePaths() stablePaths {
	split, paths := in.routes.splitNames(), stablePaths{}
	for stable := range byName(in.snapshot.ingresses) {
		for host, path := range pathsTo(stable, split) {
			at := locationOf(host, path)
			paths[at] = append(paths[at], stable)
		}
	}
	return paths
}

// locations returns the locations of p in the order of their hosts. "" is the host of
// a rule without one.
func (p stablePaths) locations() []location {
	return slices.SortedFunc(maps.Keys(p), func(a, b location) int {
		return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.key(), b.key()))
	})
}

// canariesElsewhere returns the canary Ingresses of other namespaces that have a path
// at this location, in the order of namespaces and names.
func (in inspection) canariesElsewhere(ctx context.Context, at location) ([]netv1.Ingress, error) {
	var found netv1.IngressList
	if err := in.router.client.List(ctx, &found, client.MatchingFields{canaryIndex: at.key()}); err != nil {
		return nil, fmt.Errorf("listing the canary Ingresses at %q: %w", at.key(), err)
	}
	canaries := slices.DeleteFunc(found.Items, func(ing netv1.Ingress) bool {
		return ing.Namespace == in.target.Deployment.Namespace || !in.snapshot.isTrue(&ing, "canary")
	})
	slices.SortFunc(canaries, func(a, b netv1.Ingress) int { return strings.Compare(namespacedName(&a), namespacedName(&b)) })
	return canaries, nil
}

// attachesTo returns the first path by which a controller may attach canary to one of
// paths: its host, the path as canary has it, and the stable Ingress. stable is nil if
// there is no such path.
func (in inspection) attachesTo(canary *netv1.Ingress, paths stablePaths) (host, path string, stable *netv1.Ingress) {
	for host, path := range allPaths(canary) {
		for _, stable := range paths[locationOf(host, path)] {
			if in.snapshot.mayShareController(canary, stable) {
				return host, path.Path, stable
			}
		}
	}
	return "", "", nil
}
