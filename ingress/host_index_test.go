package ingress

import (
	"context"
	"errors"
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
		"a wildcard is a host of its own, and no host is none": {
			ingress("web", rule("*.a.test"), rule("")), []string{"*.a.test"}},
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

type indexer func(obj client.Object, field string) error

func (f indexer) IndexField(_ context.Context, obj client.Object, field string, _ client.IndexerFunc) error {
	return f(obj, field)
}

func TestSetupIndexes(t *testing.T) {
	err := SetupIndexes(t.Context(), indexer(func(obj client.Object, field string) error {
		if _, ok := obj.(*netv1.Ingress); !ok || field != hostIndex {
			t.Errorf("%T is indexed by %s", obj, field)
		}
		return errors.New("already started")
	}))
	if err == nil || err.Error() != "indexing Ingresses by host: already started" {
		t.Errorf("got %v", err)
	}
}
