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

func TestCanaryHostsOf(t *testing.T) {
	two := func() *netv1.Ingress { return ingress("web", rule("b.test"), rule(""), rule("b.test")) }
	for name, tc := range map[string]struct {
		obj  client.Object
		want []string
	}{
		"of a canary, each once":     {annotated(two(), nginx("canary"), "true"), []string{"", "b.test"}},
		"of a canary of any dialect": {annotated(two(), "ingress.acme.test/canary", "1"), []string{"", "b.test"}},
		"not its aliases":            {annotated(two(), nginx("canary"), "true", nginx("server-alias"), "c.test"), []string{"", "b.test"}},
		"no canary":                  {annotated(two(), nginx("canary"), "false", nginx("canary-weight"), "1"), nil},
		"something else":             {service("web", "web"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, canaryHostsOf(tc.obj))
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
	for refused, want := range map[string]string{
		hostIndex:   "indexing Ingresses by host: already started",
		canaryIndex: "indexing canary Ingresses by host: already started",
		"":          "",
	} {
		err := SetupIndexes(t.Context(), indexer(func(obj client.Object, field string) error {
			if _, ok := obj.(*netv1.Ingress); !ok {
				t.Errorf("%T is indexed by %s", obj, field)
			}
			if field == refused {
				return errors.New("already started")
			}
			return nil
		}))
		if (err != nil) != (want != "") || err != nil && err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
