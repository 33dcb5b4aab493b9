package ingress

import (
	"strconv"

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
var honoured = []string{
	"affinity-canary-behavior",
	"load-balance",
	"service-upstream",
	"upstream-hash-by",
	"upstream-hash-by-subset",
	"upstream-hash-by-subset-size",
}

func (d dialect) key(name string) string { return string(d) + "/" + name }

func (d dialect) canary() string { return d.key("canary") }
func (d dialect) weight() string { return d.key("canary-weight") }

// decided are the keys that the canary Ingress has as it was built, or not at
// all. canary-weight-total is never built: it silently scales every weight, and
// ingress-nginx does not notice when it alone changes.
func (d dialect) decided() []string {
	keys := []string{annotationClass, d.canary(), d.weight(), d.key("canary-weight-total")}
	for _, name := range honoured {
		keys = append(keys, d.key(name))
	}
	return keys
}

// is says whether a boolean annotation of ing is true. The controllers parse it
// with ParseBool as well, and take what does not parse for false.
func (d dialect) is(ing *netv1.Ingress, name string) bool {
	yes, err := strconv.ParseBool(ing.Annotations[d.key(name)])
	return err == nil && yes
}
