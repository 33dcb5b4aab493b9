package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hostIndex is the cache index that finds the Ingresses of all namespaces by a host
// that they serve. The host is compared as written: a search for "a.example.com"
// does not find "*.example.com".
const hostIndex = "headgate.host"

// SetupIndexes adds to a cache the index that a Router needs. Call it before that
// cache starts. Without it, Observe and SetWeight fail for a Deployment that names a
// preview host.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &netv1.Ingress{}, hostIndex, hostsOf); err != nil {
		return fmt.Errorf("indexing Ingresses by host: %w", err)
	}
	return nil
}

// hostsOf returns the hosts in the rules of an Ingress, and its aliases. An alias
// counts because controllers ignore it as soon as any Ingress has a rule for the
// same host: a preview with that rule would take the host away from its owner.
func hostsOf(obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok {
		return nil
	}
	var hosts []string
	for _, rule := range ing.Spec.Rules {
		if rule.Host != "" {
			hosts = append(hosts, rule.Host)
		}
	}
	for key, value := range ing.Annotations {
		if strings.HasSuffix(key, "/server-alias") {
			for alias := range strings.SplitSeq(value, ",") {
				hosts = append(hosts, strings.ToLower(strings.TrimSpace(alias)))
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// wildcardOf returns the wildcard that covers host. The wildcard of an Ingress
// stands for exactly one label:
//
//	a.example.com    is covered by  *.example.com
//	a.b.example.com  is covered by  *.b.example.com, not by *.example.com
func wildcardOf(host string) string {
	_, domain, _ := strings.Cut(host, ".")
	return "*." + domain
}
