package install

import (
	"maps"
	"testing"
	"time"

	authv1 "k8s.io/api/authorization/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/helm"
)

// TestReleasesForTheirOwnNamespaces runs two releases beside each other. Each holds and
// promotes what is in its namespace, and may do nothing in that of the other.
func TestReleasesForTheirOwnNamespaces(t *testing.T) {
	shop, wiki, other := newApp(t, "50%, pause", nil), newApp(t, "50%, pause", nil), newApp(t, "50%, pause", nil)
	one := installFor(t, "team-a", "headgate-a", shop.Namespace)
	two := installFor(t, "team-b", "headgate-b", wiki.Namespace)
	for _, a := range []*app{shop, wiki} {
		a.Await(time.Minute, reason.Ready)
		a.Ship("v2", nil)
		a.Await(time.Minute, reason.AwaitingPromotion)
	}
	other.Ship("v2", nil)
	if other.Now().Spec.Paused {
		t.Error("a template was held in a namespace of no release")
	}
	for release, namespace := range map[*installation]string{one: wiki.Namespace, two: shop.Namespace} {
		for _, verb := range []string{"get", "list", "patch", "delete"} {
			if release.may(verb, namespace) {
				t.Errorf("%s may %s Deployments in the namespace of the other", release.Name, verb)
			}
		}
	}
	if !one.may("patch", shop.Namespace) {
		t.Errorf("%s may not patch Deployments in its own namespace", one.Name)
	}
	one.must(one.Uninstall())
	shop.free("v1")
	if wiki.Weight() != 50 {
		t.Errorf("the uninstall of one release changed the weight of the other to %d", wiki.Weight())
	}
	wiki.Annotate(spec.AnnotationCommand, spec.VerbPromote)
	wiki.Await(time.Minute, reason.Promoted)
	wiki.Gone(time.Minute)
	two.must(two.Uninstall())
	wiki.free("v2")
	other.Over()
}

// installFor installs the chart for one namespace.
func installFor(t *testing.T, name, own, namespace string) *installation {
	t.Helper()
	i := &installation{T: t, log: &output{}}
	i.Release = helm.Release{Name: name, Namespace: own, Kubeconfig: shared.Kubeconfig, CacheDir: shared.Dir, Log: i.log}
	i.must(i.Init())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("helm says:\n%s\nits Jobs say:\n%s", i.log, i.cleanupLog())
		}
		_ = i.UninstallWithoutHooks() // the test has uninstalled it, if it did not fail
	})
	all := maps.Clone(values)
	all["namespaces"] = "{" + namespace + "}"
	i.must(i.Upgrade(i.Context(), present, all))
	return i
}

// may says whether the managers of i may do something with Deployments of a namespace.
func (i *installation) may(verb, namespace string) bool {
	i.Helper()
	review := &authv1.SubjectAccessReview{Spec: authv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + i.Namespace + ":" + i.Name + "-headgate",
		ResourceAttributes: &authv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: "apps", Resource: "deployments"},
	}}
	i.must(shared.Client().Create(i.Context(), review))
	return review.Status.Allowed
}
