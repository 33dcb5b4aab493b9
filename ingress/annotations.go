package ingress

import (
	"maps"
	"strconv"
	"strings"

	netv1 "k8s.io/api/networking/v1"
)

// dialect is the set of annotations that an ingress controller reads, named by
// their prefix (--annotations-prefix of ingress-nginx). In the default dialect the
// annotation with the name "canary-weight" has the key
// "nginx.ingress.kubernetes.io/canary-weight".
type dialect string

const defaultDialect dialect = "nginx.ingress.kubernetes.io"

// annotationClass names the class of an Ingress that has no ingressClassName.
const annotationClass = "kubernetes.io/ingress.class"

// canaryUpstreamAnnotations are the annotations that have an effect on a canary
// Ingress, beside the canary ones: they configure its upstream. Everything about
// hosts and paths comes from the stable Ingress (ingress-nginx, createServers).
// Some of it would do harm on a canary Ingress: auth-tls-* and proxy-ssl-* apply
// to the whole server, and with a snippet the Ingress may be rejected.
//
// affinity-canary-behavior has no effect on a stable Ingress. A user who writes it
// there wants it on the canary Ingress.
var canaryUpstreamAnnotations = []string{
	"affinity-canary-behavior",
	"load-balance",
	"service-upstream",
	"upstream-hash-by",
	"upstream-hash-by-subset",
	"upstream-hash-by-subset-size",
}

func (d dialect) key(name string) string { return string(d) + "/" + name }

// name is the inverse of key. It is false for a key of another prefix.
func (d dialect) name(key string) (string, bool) { return strings.CutPrefix(key, string(d)+"/") }

// isSticky says whether the users of ing get sessions, by a cookie.
func (d dialect) isSticky(ing *netv1.Ingress) bool {
	return ing.Annotations[d.key("affinity")] == "cookie"
}

func (d dialect) canaryKey() string { return d.key("canary") }
func (d dialect) weightKey() string { return d.key("canary-weight") }

// copiedAnnotations returns the annotations of stable that its own Ingress for p
// has too: the class, and those of this dialect that p copies.
func (d dialect) copiedAnnotations(stable *netv1.Ingress, p purpose) map[string]string {
	out := map[string]string{}
	for key, value := range stable.Annotations {
		if name, ok := d.name(key); ok && p.copies(name) {
			out[key] = value
		}
	}
	// The API server refuses to create an Ingress with both the annotation and the
	// field. Of an older Ingress that has both, controllers read the field.
	if class, ok := stable.Annotations[annotationClass]; ok && stable.Spec.IngressClassName == nil {
		out[annotationClass] = class
	}
	return out
}

// removeDerived removes the annotations that only Headgate may set on an own
// Ingress for p: how it splits traffic, its class, and those that p copies.
func (d dialect) removeDerived(annotations map[string]string, p purpose) {
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		name, ok := d.name(key)
		return d.isCanaryKey(key) || key == annotationClass || ok && p.copies(name)
	})
}

// isCanaryKey says whether the annotation with this key is about how traffic is
// split. One of them, canary-weight-total, is removed and never set: it scales
// every weight without a trace (weight 25 of total 1000 is 2.5%), and ingress-nginx
// does not notice when it alone changes.
func (d dialect) isCanaryKey(key string) bool {
	name, ok := d.name(key)
	return key == annotationMatch || ok && (name == "canary" || strings.HasPrefix(name, "canary-"))
}

// isTrue says whether a boolean annotation of ing is true. Controllers parse it
// with ParseBool too, and take a value that does not parse as false.
func (d dialect) isTrue(ing *netv1.Ingress, name string) bool {
	yes, err := strconv.ParseBool(ing.Annotations[d.key(name)])
	return err == nil && yes
}
