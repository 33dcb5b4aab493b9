package ingress

import (
	"maps"
	"slices"
	"testing"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func TestCanaryIngressMetadata(t *testing.T) {
	stable := annotated(ingress("web", rule("a.test", path("/", "web"))),
		nginx("load-balance"), "ewma",
		nginx("upstream-hash-by"), "$request_uri",
		nginx("upstream-hash-by-subset"), "true",
		nginx("upstream-hash-by-subset-size"), "3",
		nginx("service-upstream"), "true",
		nginx("affinity-canary-behavior"), "legacy",
		// None of the annotations below may be copied.
		nginx("affinity"), "cookie",
		nginx("auth-tls-secret"), "shop/ca",
		nginx("canary-weight-total"), "1000",
		nginx("configuration-snippet"), "more_set_headers x;",
		nginx("rewrite-target"), "/$1",
		"acme.cert-manager.io/http01-edit-in-place", "true",
		"argocd.argoproj.io/sync-wave", "2",
		"argocd.argoproj.io/tracking-id", "shop:networking.k8s.io/Ingress:shop/web",
		"cert-manager.io/cluster-issuer", "letsencrypt",
		"external-dns.alpha.kubernetes.io/target", "lb.test",
		"kubectl.kubernetes.io/last-applied-configuration", "{}",
		"kubernetes.io/tls-acme", "true",
		"kustomize.toolkit.fluxcd.io/name", "shop",
		"meta.helm.sh/release-name", "shop",
	)
	stable.Labels = map[string]string{"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-1"}
	stable.Finalizers = []string{"shop.test/guard"}
	stable.Spec.TLS = []netv1.IngressTLS{{Hosts: []string{"a.test"}, SecretName: "a-tls"}}
	stable.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "web"}}
	untouched := stable.DeepCopy()

	got := defaultDialect.buildCanaryIngress(target(), stable, serviceNames{"web": true}, trafficSplit{weight: 25})

	diff(t, &netv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      "web-canary",
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "headgate", "headgate.dev/rollout": "7"},
			Annotations: map[string]string{
				nginx("canary"):                               "true",
				nginx("canary-weight"):                        "25",
				nginx("load-balance"):                         "ewma",
				nginx("upstream-hash-by"):                     "$request_uri",
				nginx("upstream-hash-by-subset"):              "true",
				nginx("upstream-hash-by-subset-size"):         "3",
				nginx("service-upstream"):                     "true",
				nginx("affinity-canary-behavior"):             "legacy",
				"headgate.dev/weight":                         "25",
				"argocd.argoproj.io/compare-options":          "IgnoreExtraneous",
				"argocd.argoproj.io/ignore-resource-updates":  "true",
				"external-dns.alpha.kubernetes.io/controller": "headgate",
				"external-dns.kubernetes.io/controller":       "headgate",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web",
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Spec: netv1.IngressSpec{
			IngressClassName: new("nginx"),
			Rules:            []netv1.IngressRule{rule("a.test", path("/", "web-canary"))},
		},
	}, got)
	diff(t, untouched, stable)
}

func TestCanaryIngressHasTheDialectOfTheController(t *testing.T) {
	d := dialect("ingress.acme.test")
	stable := annotated(ingress("web", rule("a.test", path("/", "web"))), d.key("load-balance"), "ewma", nginx("service-upstream"), "true")
	got := d.buildCanaryIngress(target(), stable, serviceNames{"web": true}, trafficSplit{weight: 5}).Annotations
	diff(t, "true", got["ingress.acme.test/canary"])
	diff(t, "5", got["ingress.acme.test/canary-weight"])
	diff(t, "ewma", got["ingress.acme.test/load-balance"])
	diff(t, "", got[nginx("service-upstream")])
}

func TestCanaryIngressClass(t *testing.T) {
	legacy := func(class *string) *netv1.Ingress {
		ing := annotated(ingress("web", rule("a.test", path("/", "web"))), annotationClass, "old")
		ing.Spec.IngressClassName = class
		return ing
	}
	for name, tc := range map[string]struct {
		stable     *netv1.Ingress
		field      *string
		annotation string
	}{
		"the field is copied":          {ingress("web"), new("nginx"), ""},
		"the annotation is copied":     {legacy(nil), nil, "old"},
		"never both are copied":        {legacy(new("new")), new("new"), ""},
		"no class stays no class":      {&netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, nil, ""},
		"an empty field is still kept": {legacy(new("")), new(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := defaultDialect.buildCanaryIngress(target(), tc.stable, nil, trafficSplit{})
			diff(t, tc.field, got.Spec.IngressClassName)
			diff(t, tc.annotation, got.Annotations[annotationClass])
		})
	}
}

func TestCanaryRules(t *testing.T) {
	number := func(p int32) netv1.ServiceBackendPort { return netv1.ServiceBackendPort{Number: p} }
	implementationSpecific := new(netv1.PathTypeImplementationSpecific)
	for name, tc := range map[string]struct {
		stable []netv1.IngressRule
		want   []netv1.IngressRule
	}{
		"two hosts": {
			[]netv1.IngressRule{rule("a.test", path("/", "web")), rule("*.b.test", path("/", "web"))},
			[]netv1.IngressRule{rule("a.test", path("/", "web-canary")), rule("*.b.test", path("/", "web-canary"))},
		},
		"a rule for every host": {
			[]netv1.IngressRule{rule("", path("/", "web"))},
			[]netv1.IngressRule{rule("", path("/", "web-canary"))},
		},
		"paths to other Services are left out": {
			[]netv1.IngressRule{rule("a.test", path("/api", "api"), path("/", "web"))},
			[]netv1.IngressRule{rule("a.test", path("/", "web-canary"))},
		},
		"a rule of which nothing is left is dropped": {
			[]netv1.IngressRule{rule("a.test", path("/", "api")), rule("b.test", path("/", "web"))},
			[]netv1.IngressRule{rule("b.test", path("/", "web-canary"))},
		},
		"a rule without http is dropped": {
			[]netv1.IngressRule{{Host: "a.test"}, rule("b.test", path("/", "web"))},
			[]netv1.IngressRule{rule("b.test", path("/", "web-canary"))},
		},
		"a resource is no Service": {
			[]netv1.IngressRule{rule("a.test", resourcePath("/static"), path("/", "web"))},
			[]netv1.IngressRule{rule("a.test", path("/", "web-canary"))},
		},
		"ports stay as written, by name or number": {
			[]netv1.IngressRule{rule("a.test", pathTo("/", "web", number(80)), path("/x", "web"))},
			[]netv1.IngressRule{rule("a.test", pathTo("/", "web-canary", number(80)), path("/x", "web-canary"))},
		},
		"pathType stays as written, even none": {
			[]netv1.IngressRule{rule("a.test", typed(path("/", "web"), nil), typed(path("/x", "web"), implementationSpecific))},
			[]netv1.IngressRule{rule("a.test", typed(path("/", "web-canary"), nil), typed(path("/x", "web-canary"), implementationSpecific))},
		},
		"two Services have two canaries": {
			[]netv1.IngressRule{rule("a.test", path("/", "web"), path("/rpc", "web-grpc"))},
			[]netv1.IngressRule{rule("a.test", path("/", "web-canary"), path("/rpc", "web-grpc-canary"))},
		},
		"the same path twice is there once": {
			[]netv1.IngressRule{rule("a.test", path("/", "web")), rule("a.test", path("", "web"))},
			[]netv1.IngressRule{rule("a.test", path("/", "web-canary"))},
		},
		"nothing to split": {[]netv1.IngressRule{rule("a.test", path("/", "api"))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			split := serviceNames{"web": true, "web-grpc": true}
			diff(t, tc.want, canaryRules(ingress("web", tc.stable...), split))
		})
	}
}

func TestCanaryRulesAreASafePartOfTheStableOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stable := ingress("web", rapid.SliceOfN(rapid.Custom(drawRule), 0, 5).Draw(t, "rules")...)
		split := rapid.MapOf(rapid.SampledFrom([]string{"web", "web-grpc"}), rapid.Just(true)).Draw(t, "split")

		canary := ingress("web-canary", canaryRules(stable, split)...)

		for _, r := range canary.Spec.Rules {
			if r.HTTP == nil || len(r.HTTP.Paths) == 0 {
				t.Fatalf("the rule for host %q has no path", r.Host)
			}
		}
		stableAt, canaryAt := backends(stable), backends(canary)
		for at, service := range canaryAt {
			if i := slices.Index([]string{"web-canary", "web-grpc-canary"}, service); i < 0 || !split[[]string{"web", "web-grpc"}[i]] {
				t.Fatalf("%v leads to %q", at, service)
			}
			if _, ok := stableAt[at]; !ok {
				t.Fatalf("%v is not a path of the stable Ingress", at)
			}
		}
		for host, p := range pathsTo(stable, split) {
			if _, ok := canaryAt[locationOf(host, p)]; !ok {
				t.Fatalf("host %q path %q has no canary", host, p.Path)
			}
		}
	})
}

func drawRule(t *rapid.T) netv1.IngressRule {
	host := rapid.SampledFrom([]string{"", "a.test", "b.test"}).Draw(t, "host")
	if rapid.Bool().Draw(t, "no http") {
		return netv1.IngressRule{Host: host}
	}
	return rule(host, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netv1.HTTPIngressPath {
		at := rapid.SampledFrom([]string{"", "/", "/x"}).Draw(t, "path")
		if rapid.Bool().Draw(t, "resource") {
			return resourcePath(at)
		}
		p := path(at, rapid.SampledFrom([]string{"web", "web-grpc", "api", "web-canary"}).Draw(t, "service"))
		types := []*netv1.PathType{
			nil, new(netv1.PathTypePrefix), new(netv1.PathTypeExact), new(netv1.PathTypeImplementationSpecific),
		}
		return typed(p, rapid.SampledFrom(types).Draw(t, "type"))
	}), 0, 4).Draw(t, "paths")...)
}

func backends(ing *netv1.Ingress) map[location]string {
	out := map[location]string{}
	for host, p := range allPaths(ing) {
		out[locationOf(host, p)] = p.Backend.Service.Name
	}
	return out
}

func TestMergeIngress(t *testing.T) {
	stable := ingress("web", rule("a.test", path("/", "web")))
	want := defaultDialect.buildCanaryIngress(target(), stable, serviceNames{"web": true}, trafficSplit{weight: 10})
	for name, tc := range map[string]struct {
		change func(*netv1.Ingress) // to what is in the cluster
		writes bool
	}{
		"nothing changed": {func(*netv1.Ingress) {}, false},
		"what other controllers add stays": {func(ing *netv1.Ingress) {
			annotated(ing, "field.cattle.io/publicEndpoints", "[]")
			ing.Labels["team"] = "front"
			ing.Finalizers = []string{"shop.test/guard"}
			ing.Spec.TLS = []netv1.IngressTLS{{SecretName: "by-policy"}}
			ing.Status.LoadBalancer.Ingress = []netv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
		}, false},
		"a header rule added by hand":          {func(ing *netv1.Ingress) { annotated(ing, nginx("canary-by-header"), "x-canary") }, true},
		"a cookie rule added by hand":          {func(ing *netv1.Ingress) { annotated(ing, nginx("canary-by-cookie"), "beta") }, true},
		"a record of a rule":                   {func(ing *netv1.Ingress) { annotated(ing, annotationMatch, `{"cookie":"beta"}`) }, true},
		"another weight":                       {func(ing *netv1.Ingress) { annotated(ing, nginx("canary-weight"), "90") }, true},
		"a total scales the weight":            {func(ing *netv1.Ingress) { annotated(ing, nginx("canary-weight-total"), "1000") }, true},
		"canary: false":                        {func(ing *netv1.Ingress) { annotated(ing, nginx("canary"), "false") }, true},
		"the stable one has lost load-balance": {func(ing *netv1.Ingress) { annotated(ing, nginx("load-balance"), "ewma") }, true},
		"the previous rollout":                 {func(ing *netv1.Ingress) { ing.Labels["headgate.dev/rollout"] = "6" }, true},
		"a path that stable had before":        {func(ing *netv1.Ingress) { ing.Spec.Rules[0].HTTP.Paths[0].Path = "/old" }, true},
		"another class":                        {func(ing *netv1.Ingress) { ing.Spec.IngressClassName = new("other") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			existing := want.DeepCopy()
			tc.change(existing)
			merged := defaultDialect.mergeIngress(existing, want, forCanary)
			diff(t, tc.writes, (write{was: existing, want: merged}).isNeeded())
			diff(t, want.Spec.Rules, merged.Spec.Rules)
			for _, key := range slices.Collect(maps.Keys(want.Annotations)) {
				diff(t, want.Annotations[key], merged.Annotations[key])
			}
			for _, key := range []string{
				nginx("canary-weight-total"), nginx("load-balance"), nginx("canary-by-header"), nginx("canary-by-cookie"), annotationMatch,
			} {
				diff(t, "", merged.Annotations[key])
			}
		})
	}
}

func TestMergeIngressKeepsADefaultClass(t *testing.T) {
	stable := ingress("web", rule("a.test", path("/", "web")))
	stable.Spec.IngressClassName = nil
	want := defaultDialect.buildCanaryIngress(target(), stable, serviceNames{"web": true}, trafficSplit{weight: 10})
	existing := want.DeepCopy()
	existing.Spec.IngressClassName = new("defaulted")
	diff(t, new("defaulted"), defaultDialect.mergeIngress(existing, want, forCanary).Spec.IngressClassName)

	want.Annotations[annotationClass] = "nginx"
	diff(t, (*string)(nil), defaultDialect.mergeIngress(existing, want, forCanary).Spec.IngressClassName)
}
