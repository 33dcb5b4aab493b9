package ingress

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	netv1 "k8s.io/api/networking/v1"
)

// dialect is the family of annotations that the ingress controllers at hand
// read, named by its prefix (--annotations-prefix of ingress-nginx).
type dialect string

const defaultDialect dialect = "nginx.ingress.kubernetes.io"

// annotationClass is how an Ingress names its class without ingressClassName.
const annotationClass = "kubernetes.io/ingress.class"

// honoured are the annotations that a canary Ingress has an effect with, beside
// the canary ones: they shape its upstream. Everything about hosts and paths
// comes from the stable Ingress (ingress-nginx, createServers), and some of it
// would do harm here: auth-tls-* and proxy-ssl-* of a canary apply to the whole
// server, and a snippet gets the Ingress refused.
//
// affinity-canary-behavior means nothing on a stable Ingress: who writes it
// there means the canary.
var canaryUpstreamAnnotations = []string{
	"affinity-canary-behavior",
	"load-balance",
	"service-upstream",
	"upstream-hash-by",
	"upstream-hash-by-subset",
	"upstream-hash-by-subset-size",
}

func copiedToCanary(name string) bool { return slices.Contains(canaryUpstreamAnnotations, name) }

func (d dialect) key(name string) string { return string(d) + "/" + name }

// name is the inverse of key, and false for a key of anybody else's.
func (d dialect) name(key string) (string, bool) { return strings.CutPrefix(key, string(d)+"/") }

func (d dialect) canaryKey() string { return d.key("canary") }
func (d dialect) weightKey() string { return d.key("canary-weight") }

// copied returns the annotations of stable that an Ingress derived from it has
// too: its class, and those of this dialect that allowed lets through.
func (d dialect) copiedAnnotations(stable *netv1.Ingress, allowed func(name string) bool) map[string]string {
	out := map[string]string{}
	for key, value := range stable.Annotations {
		if name, ok := d.name(key); ok && allowed(name) {
			out[key] = value
		}
	}
	// The API server refuses to create an Ingress with both; where an older one
	// has both, controllers look at ingressClassName first.
	if class, ok := stable.Annotations[annotationClass]; ok && stable.Spec.IngressClassName == nil {
		out[annotationClass] = class
	}
	return out
}

// strip takes out of annotations what a derived Ingress has as it was built, or
// not at all: how it splits, its class, and what allowed copies.
func (d dialect) removeDerived(annotations map[string]string, allowed func(name string) bool) {
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		name, ok := d.name(key)
		return d.isCanaryKey(key) || key == annotationClass || ok && allowed(name)
	})
}

// splits says whether key has to do with being a canary. canary-weight-total has,
// and is never built: it silently scales every weight, and ingress-nginx does not
// notice when it alone changes.
func (d dialect) isCanaryKey(key string) bool {
	name, ok := d.name(key)
	return key == annotationMatch || ok && (name == "canary" || strings.HasPrefix(name, "canary-"))
}

// is says whether a boolean annotation of ing is true. The controllers parse it
// with ParseBool as well, and take what does not parse for false.
func (d dialect) isTrue(ing *netv1.Ingress, name string) bool {
	yes, err := strconv.ParseBool(ing.Annotations[d.key(name)])
	return err == nil && yes
}
