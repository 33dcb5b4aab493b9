package ingress

import (
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/reason"
)

func TestCheckClasses(t *testing.T) {
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
	servedBy := func(controller, class string) string {
		return `Ingress "web" is served by controller "` + controller + `" (IngressClass "` + class + `"), ` +
			`which is not known to support canary annotations: ` +
			`use an IngressClass of one of the controllers ["k8s.io/ingress-nginx"], or name only the other Ingresses in headgate.dev/ingress`
	}
	notThere := func(class string) string {
		return `Ingress "web" names class "` + class + `", and no IngressClass has that name: correct the class or create the IngressClass`
	}
	for name, tc := range map[string]struct {
		ing     *netv1.Ingress
		classes []any
		message string // "" if known
	}{
		"a class of a known controller":          {byField("edge"), []any{class("edge", nginxController)}, ""},
		"a class of another controller":          {byField("edge"), []any{class("edge", "haproxy")}, servedBy("haproxy", "edge")},
		"a class that does not exist":            {byField("nginx"), nil, notThere("nginx")},
		"the annotation with its class":          {byAnnotation("edge"), []any{class("edge", nginxController)}, ""},
		"the annotation with a class of another": {byAnnotation("nginx"), []any{class("nginx", "haproxy")}, servedBy("haproxy", "nginx")},
		"the annotation nginx needs no class":    {byAnnotation("nginx"), nil, ""},
		"any other annotation needs a class":     {byAnnotation("traefik"), nil, notThere("traefik")},
		"the field comes before the annotation": {
			annotated(byField("edge"), annotationClass, "nginx"), []any{class("edge", nginxController)}, ""},
		"no class means the default class":      {none, []any{defaulted("edge", nginxController, 0), class("other", "haproxy")}, ""},
		"the newest of several default classes": {none, []any{defaulted("a", "haproxy", time.Hour), defaulted("b", nginxController, 0)}, ""},
		"the first by name of equally old ones": {none, []any{defaulted("b", "haproxy", 0), defaulted("a", nginxController, 0)}, ""},
		"an empty annotation is no class":       {byAnnotation(""), []any{defaulted("edge", nginxController, 0)}, ""},
		"a default class of another controller": {none, []any{defaulted("a", "haproxy", 0)}, servedBy("haproxy", "a")},
		"no class and no default class": {none, []any{class("edge", nginxController)},
			`Ingress "web" names no class, and the cluster has no default IngressClass: set spec.ingressClassName, e.g. "nginx"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := inspection{
				router:   New(nil, nil, Options{}),
				snapshot: snapshotOf(target(), tc.classes...),
				routes:   routes{ingresses: []*netv1.Ingress{tc.ing}},
			}
			var want reason.Reason
			if tc.message != "" {
				want = reason.IngressClassUnknown
			}
			expectProblem(t, want, tc.message, checkClasses(in))
		})
	}
}
