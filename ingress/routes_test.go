package ingress

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func TestDiscover(t *testing.T) {
	web := service("web", "web")
	metrics := service("web-metrics", "web", func(svc *corev1.Service) { svc.Spec.Selector["tier"] = "front" })
	api := service("api", "api")
	ing := ingress("web", rule("a.test", path("/", "web"), path("/api", "api")))
	admin := ingress("admin", rule("admin.test", pathTo("/", "web-metrics", netv1.ServiceBackendPort{Number: 9090})))
	canarySvc, canaryIng := canaries(target(), ing, 10)
	webSelector, metricsSelector := map[string]string{"app": "web"}, map[string]string{"app": "web", "tier": "front"}

	for name, tc := range map[string]struct {
		spec    spec.Spec
		objects []any
		want    rollout.Traffic
	}{
		"the Service that an Ingress leads to is split, the other ones known": {
			objects: []any{web, metrics, api, ing},
			want: rollout.Traffic{Services: []string{"web"}, Ingresses: []string{"web"}, Port: "http",
				Selectors:     []map[string]string{webSelector, metricsSelector},
				OtherServices: map[string]map[string]string{"api": {"app": "api"}}},
		},
		"several of both, by name": {
			objects: []any{web, metrics, ing, admin},
			want: rollout.Traffic{Services: []string{"web", "web-metrics"}, Ingresses: []string{"admin", "web"}, Port: "http",
				Selectors: []map[string]string{webSelector, metricsSelector}},
		},
		"a named Service is the only one": {
			spec: spec.Spec{Services: []string{"web-metrics"}}, objects: []any{web, metrics, ing, admin},
			want: rollout.Traffic{Services: []string{"web-metrics"}, Ingresses: []string{"admin"}, Port: "9090",
				Selectors: []map[string]string{webSelector, metricsSelector}},
		},
		"a named Ingress leaves out what only others lead to": {
			spec: spec.Spec{Ingresses: []string{"web"}}, objects: []any{web, metrics, ing, admin},
			want: rollout.Traffic{Services: []string{"web"}, Ingresses: []string{"web"}, Port: "http",
				Selectors: []map[string]string{webSelector, metricsSelector}},
		},
		"neither our canaries nor those of others are routes": {
			objects: []any{web, ing, canarySvc, canaryIng, annotated(ingress("theirs", rule("b.test", path("/", "web"))), nginx("canary"), "true")},
			want: rollout.Traffic{Services: []string{"web"}, Ingresses: []string{"web"}, Port: "http",
				Selectors: []map[string]string{webSelector}},
		},
		"a Service without a selector selects nothing": {
			objects: []any{service("web", "web", func(svc *corev1.Service) { svc.Spec.Selector = nil }), ing},
		},
		"nor does one of type ExternalName": {
			objects: []any{service("web", "web", func(svc *corev1.Service) { svc.Spec.Type = corev1.ServiceTypeExternalName }), ing},
		},
		"a default backend and a rule without http are no paths": {
			objects: []any{web, defaulting(ingress("web", netv1.IngressRule{Host: "a.test"}), "web")},
			want:    rollout.Traffic{Selectors: []map[string]string{webSelector}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := target(func(tr *rollout.Target) { tr.Spec = tc.spec })
			diff(t, tc.want, discover(snapshotOf(tr, tc.objects...), tr).traffic())
		})
	}
}

func defaulting(ing *netv1.Ingress, service string) *netv1.Ingress {
	ing.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: service}}
	return ing
}
