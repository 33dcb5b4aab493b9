package ingress

import (
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hostsOf returns the hosts in the rules of an Ingress, and its aliases. An alias
// counts because controllers ignore it as soon as any Ingress has a rule for the
// same host: a preview with that rule would take the host away from its owner.
func hostsOf(obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok {
		return nil
	}
	hosts := ruleHosts(ing)
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

func isCanaryOfAnyDialect(ing *netv1.Ingress) bool {
	for key := range ing.Annotations {
		if prefix, ok := strings.CutSuffix(key, "/canary"); ok && dialect(prefix).isTrue(ing, "canary") {
			return true
		}
	}
	return false
}

// ruleHosts returns the hosts in the rules of ing, sorted, each once.
func ruleHosts(ing *netv1.Ingress) []string {
	var hosts []string
	for _, rule := range ing.Spec.Rules {
		hosts = append(hosts, rule.Host)
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
