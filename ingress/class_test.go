package ingress

import (
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/reason"
)

func TestUnknownClass(t *testing.T) {
	const nginxController = "k8s.io/ingress-nginx"
	byField := func(class string) *netv1.Ingress {
		ing := ingress("web")
		ing.Spec.IngressClassName = new(class)
		return ing
	}
	byAnnotation := func(class string) *netv1.Ingress {
		ing := annotated(ingress("web"), annotationClass, class)
		ing.Spec.IngressClassName = nil
		return ing
	}
	none := ingress("web")
	none.Spec.IngressClassName = nil
	defaulted := func(name, controller string, age time.Duration) *netv1.IngressClass {
		c := class(name, controller)
		c.Annotations = map[string]string{netv1.AnnotationIsDefaultIngressClass: "true"}
		c.CreationTimestamp = metav1.NewTime(noon.Add(-age))
		return c
	}
	for name, tc := range map[string]struct {
		ing     *netv1.Ingress
		classes []any
		message string // "" if known
	}{
		"a class of a known controller":              {byField("edge"), []any{class("edge", nginxController)}, ""},
		"of another":                                 {byField("edge"), []any{class("edge", "haproxy.org/ingress")}, `Ingress "web" is served by controller "haproxy.org/ingress" (IngressClass "edge"), which is not known to honour canary annotations: use a class of one of ["k8s.io/ingress-nginx"], or name only the other Ingresses in headgate.dev/ingress`},
		"a class that is not there":                  {byField("nginx"), nil, `Ingress "web" names class "nginx", and there is no IngressClass of that name: correct it or create the IngressClass`},
		"the annotation, with its class":             {byAnnotation("edge"), []any{class("edge", nginxController)}, ""},
		"the annotation, with a class of another":    {byAnnotation("nginx"), []any{class("nginx", "nginx.org/ingress-controller")}, `Ingress "web" is served by controller "nginx.org/ingress-controller" (IngressClass "nginx"), which is not known to honour canary annotations: use a class of one of ["k8s.io/ingress-nginx"], or name only the other Ingresses in headgate.dev/ingress`},
		"the annotation nginx needs no class":        {byAnnotation("nginx"), nil, ""},
		"any other does":                             {byAnnotation("traefik"), nil, `Ingress "web" names class "traefik", and there is no IngressClass of that name: correct it or create the IngressClass`},
		"the field counts before the annotation":     {annotated(byField("edge"), annotationClass, "nginx"), []any{class("edge", nginxController)}, ""},
		"no class means the default one":             {none, []any{defaulted("edge", nginxController, 0), class("other", "haproxy.org/ingress")}, ""},
		"the newest of several":                      {none, []any{defaulted("a", "haproxy.org/ingress", time.Hour), defaulted("b", nginxController, 0)}, ""},
		"the first by name of equally old ones":      {none, []any{defaulted("b", "haproxy.org/ingress", 0), defaulted("a", nginxController, 0)}, ""},
		"and there may be none":                      {none, []any{class("edge", nginxController)}, `Ingress "web" names no class and the cluster has no default one: set spec.ingressClassName, e.g. "nginx"`},
		"an empty annotation is none":                {byAnnotation(""), []any{defaulted("edge", nginxController, 0)}, ""},
		"a default of another controller is unknown": {none, []any{defaulted("a", "haproxy.org/ingress", 0)}, `Ingress "web" is served by controller "haproxy.org/ingress" (IngressClass "a"), which is not known to honour canary annotations: use a class of one of ["k8s.io/ingress-nginx"], or name only the other Ingresses in headgate.dev/ingress`},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshotOf(target(), tc.classes...)
			var want reason.Reason
			if tc.message != "" {
				want = reason.IngressClassUnknown
			}
			expectProblem(t, want, tc.message, s.unknownClass(routes{ingresses: []*netv1.Ingress{tc.ing}}, []string{nginxController}))
		})
	}
}
