package ingress

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

func TestIndexKeys(t *testing.T) {
	two := func() *netv1.Ingress {
		return ingress("web", rule("b.test", path("/x", "x"), path("/", "web")), rule("", path("/", "x")))
	}
	ofRollout := service("web-canary", "web-canary", func(svc *corev1.Service) {
		svc.Spec.Selector[spec.LabelRollout] = "7"
		svc.Labels = map[string]string{spec.LabelManagedBy: spec.ManagedBy}
		svc.OwnerReferences = []metav1.OwnerReference{{UID: "uid-web", Controller: new(true)}}
	})
	toDefault := ingress("web", rule("b.test", path("/", "x")))
	toDefault.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "web"}}
	unmarked := ofRollout.DeepCopy()
	unmarked.Labels = nil
	external := service("web", "web", func(svc *corev1.Service) { svc.Spec.Type = corev1.ServiceTypeExternalName })
	locations := []string{"/ Prefix", "b.test/ Prefix", "b.test/x Prefix"}
	for name, tc := range map[string]struct {
		of   client.IndexerFunc
		obj  client.Object
		want []string
	}{
		"the owner of a canary Service":              {ownersOf, ofRollout, []string{"uid-web"}},
		"no owner without Headgate's label":          {ownersOf, unmarked, nil},
		"the selector of a Service":                  {selectorsOf, service("web", "web"), []string{"app=web"}},
		"no selector of an ExternalName":             {selectorsOf, external, nil},
		"a value that canary pods may get":           {trackPairsOf, service("theirs", "web-canary"), []string{"app=web-canary"}},
		"not a value that they never get":            {trackPairsOf, service("web", "web"), nil},
		"not a canary Service":                       {trackPairsOf, ofRollout, nil},
		"the names of derived objects":               {derivedNamesOf, service("web", "web"), []string{"web-canary", "web-preview"}},
		"each backend once":                          {backendsOf, two(), []string{"web", "x"}},
		"the default backend":                        {backendsOf, toDefault, []string{"web", "x"}},
		"no backend that is a resource":              {backendsOf, ingress("web", rule("a.test", resourcePath("/"))), nil},
		"the locations of an Ingress":                {locationsOf, two(), locations},
		"the locations of a canary":                  {canaryLocationsOf, annotated(two(), nginx("canary"), "true"), locations},
		"the locations of a canary of any dialect":   {canaryLocationsOf, annotated(two(), "ingress.acme.test/canary", "1"), locations},
		"no canary location of what is no canary":    {canaryLocationsOf, annotated(two(), nginx("canary"), "false"), nil},
		"of a Service, nothing that is an Ingress's": {backendsOf, service("web", "web"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, tc.of(tc.obj))
		})
	}
}

type indexer func(obj client.Object, field string) error

func (f indexer) IndexField(_ context.Context, obj client.Object, field string, _ client.IndexerFunc) error {
	return f(obj, field)
}

func TestSetupIndexes(t *testing.T) {
	added := 0
	err := SetupIndexes(t.Context(), indexer(func(_ client.Object, field string) error {
		if added++; field == hostIndex {
			return errors.New("already started")
		}
		return nil
	}))
	if want := "adding index headgate.host: already started"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	diff(t, len(indexes), added)
}
