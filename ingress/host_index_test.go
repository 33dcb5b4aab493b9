package ingress

import (
	"testing"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestHostsOf(t *testing.T) {
	for name, tc := range map[string]struct {
		obj  client.Object
		want []string
	}{
		"each once": {ingress("web", rule("b.test"), rule("a.test"), rule("b.test")), []string{"a.test", "b.test"}},
		"a wildcard is a host of its own, and so is no host": {
			ingress("web", rule("*.a.test"), rule("")), []string{"", "*.a.test"}},
		"a rule without http counts": {ingress("web", netv1.IngressRule{Host: "a.test"}), []string{"a.test"}},
		"aliases of any dialect": {
			annotated(ingress("web", rule("a.test")), "ingress.acme.test/server-alias", "B.test, *.c.test"),
			[]string{"*.c.test", "a.test", "b.test"}},
		"something else": {service("web", "web"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, hostsOf(tc.obj))
		})
	}
}

func TestWildcardOf(t *testing.T) {
	diff(t, "*.a.test", wildcardOf("preview.a.test"))
	diff(t, "*.preview.a.test", wildcardOf("x.preview.a.test"))
}
