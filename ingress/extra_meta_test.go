package ingress

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func withExtra(t *rollout.Target) {
	t.Extra = rollout.ExtraMeta{
		Labels:      map[string]string{"team": "platform"},
		Annotations: map[string]string{"example.com/owner": "platform"},
	}
}

// own are the objects that Headgate made.
func (c *cluster) own(t *testing.T) []client.Object {
	t.Helper()
	managed := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	var services corev1.ServiceList
	var ingresses netv1.IngressList
	for _, list := range []client.ObjectList{&services, &ingresses} {
		if err := c.WithWatch.List(t.Context(), list, managed); err != nil {
			t.Fatal(err)
		}
	}
	var objects []client.Object
	for i := range services.Items {
		objects = append(objects, &services.Items[i])
	}
	for i := range ingresses.Items {
		objects = append(objects, &ingresses.Items[i])
	}
	return objects
}

// Every kind of object has the operator's labels and annotations in its metadata, and
// is otherwise as without them.
func TestExtraMetaIsOnEveryObject(t *testing.T) {
	plain, extended := newCluster(shop()...), newCluster(shop()...)
	plain.setWeight(t, 10, under("preview.admin.test"))
	extended.setWeight(t, 10, under("preview.admin.test"), withExtra)
	want, got := plain.own(t), extended.own(t)
	diff(t, 5, len(got)) // 2 Services and 3 Ingresses
	tr := target(withExtra)
	for _, obj := range want {
		tr.Extra.AddTo(obj)
	}
	diff(t, want, got)
}

// The operator changes the setting in the middle of a rollout: each object is written
// once, and neither a weight nor the settle time waits for that.
func TestExtraMetaChangesAmidARollout(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10, under("preview.admin.test"))
	c.writes, c.now = nil, noon.Add(time.Minute)
	got := c.observe(t, under("preview.admin.test"), withExtra)
	diff(t, true, got.Current)

	c.setWeight(t, 10, under("preview.admin.test"), withExtra)
	diff(t, []string{
		"patch *v1.Service web-canary", "patch *v1.Ingress admin-canary", "patch *v1.Ingress web-canary",
		"patch *v1.Service web-preview", "patch *v1.Ingress admin-preview",
	}, c.writes)
	tr := target(withExtra)
	for _, obj := range c.own(t) {
		diff(t, true, tr.Extra.On(obj))
	}
	got = c.observe(t, under("preview.admin.test"), withExtra)
	diff(t, noon, got.Since)
	diff(t, true, got.Current)

	c.writes = nil
	c.setWeight(t, 10, under("preview.admin.test"), withExtra)
	diff(t, []string(nil), c.writes)
	c.setWeight(t, 10, under("preview.admin.test")) // what the operator takes back stays until the rollout ends
	diff(t, []string(nil), c.writes)
}

// A policy may refuse every write of an object that lacks the label, so the label comes
// with the next weight.
func TestExtraMetaComesWithTheNextWeight(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10)
	c.writes, c.now = nil, noon.Add(time.Minute)
	c.setWeight(t, 20, withExtra)
	diff(t, []string{
		"patch *v1.Service web-canary", "patch *v1.Ingress admin-canary", "patch *v1.Ingress web-canary",
	}, c.writes)
	diff(t, "platform", c.ingress(t, "web-canary").Labels["team"])
	got := c.observe(t, withExtra)
	diff(t, 20, got.Weight)
	diff(t, noon.Add(time.Minute), got.Since)
}
