package ingress

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

func TestAffected(t *testing.T) {
	pods := func(namespace, app string) rollout.PodSelector {
		return rollout.PodSelector{Namespace: namespace, Labels: map[string]string{"app": app}}
	}
	canary := func(ing *netv1.Ingress) *netv1.Ingress { return annotated(ing, nginx("canary"), "true") }
	defaultOnly := ingress("new")
	defaultOnly.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "web"}}
	theirs := service("web", "books")
	theirs.Namespace = "other"
	c := newCluster(append(shop(), theirs, elsewhere(ingress("web", rule("a.test", path("/", "web")))))...)
	for name, tc := range map[string]struct {
		obj   client.Object
		pods  []rollout.PodSelector
		hosts []string
	}{
		"a Service": {obj: service("new", "cart"), pods: []rollout.PodSelector{pods(namespace, "cart")}},
		"a Service that sends no traffic to pods": {obj: service("new", "web", func(svc *corev1.Service) {
			svc.Spec.Type = corev1.ServiceTypeExternalName
		})},
		"a Service with the name of a canary Service": {
			obj: service("web-canary", "x"), pods: []rollout.PodSelector{pods(namespace, "x"), pods(namespace, "web")}},
		"an Ingress": {
			obj: ingress("new", rule("b.test", path("/", "web"), path("/x", "missing"))), pods: []rollout.PodSelector{pods(namespace, "web")},
			hosts: []string{"b.test"}},
		"an Ingress with an alias": {
			obj:   annotated(ingress("new", rule("b.test", path("/", "missing"))), nginx("server-alias"), "c.test"),
			hosts: []string{"b.test", "c.test"}},
		"an Ingress with a default backend": {obj: defaultOnly, pods: []rollout.PodSelector{pods(namespace, "web")}},
		"an Ingress with the name of a canary Ingress": {
			obj: ingress("admin-canary", rule("b.test", path("/", "missing"))), pods: []rollout.PodSelector{pods(namespace, "web")},
			hosts: []string{"b.test"}},
		"a canary at a location of two namespaces": {
			obj:   canary(ingress("new", rule("a.test", path("/", "missing")))),
			pods:  []rollout.PodSelector{pods("other", "books"), pods(namespace, "web")},
			hosts: []string{"a.test"}},
		"a canary at a location of its own": {obj: canary(ingress("new", rule("a.test", path("/mine", "missing")))), hosts: []string{"a.test"}},
		"no canary at that location":        {obj: ingress("new", rule("a.test", path("/", "missing"))), hosts: []string{"a.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			// The client may wait for a write, so it is not used.
			got, err := New(nil, nil, Options{Cache: c}).Affected(t.Context(), tc.obj)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, rollout.Affected{Pods: tc.pods, Hosts: tc.hosts}, got)
		})
	}
}
