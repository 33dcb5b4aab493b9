package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hostIndex finds the Ingresses of all namespaces by the hosts that they serve, as
// written: "*.example.com" is a host of its own.
const hostIndex = "headgate.host"

// SetupIndexes prepares the cache that indexer belongs to for the look-ups of a
// Router that reads it. Call it before that cache starts. Without it, a Deployment
// that names a preview host cannot be observed.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &netv1.Ingress{}, hostIndex, hostsOf); err != nil {
		return fmt.Errorf("indexing Ingresses by host: %w", err)
	}
	return nil
}

// hostsOf returns the hosts in the rules of an Ingress, and its aliases: these are
// ignored for a host that has a rule somewhere, so a rule would take it away.
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

// wildcardOf returns the wildcard that covers host, as Ingress defines it: for one
// label, so that "*.example.com" does not cover "a.b.example.com".
func wildcardOf(host string) string {
	_, domain, _ := strings.Cut(host, ".")
	return "*." + domain
}
