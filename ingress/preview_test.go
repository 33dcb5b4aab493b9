package ingress

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

const previewHost = "preview.a.test"

// wantsPreview asks for a preview under previewHost.
func wantsPreview(t *rollout.Target) { t.Spec.PreviewHost = previewHost }

func under(host string) func(*rollout.Target) {
	return func(t *rollout.Target) { t.Spec.PreviewHost = host }
}

func TestPreviewIngress(t *testing.T) {
	stable := annotated(
		ingress("web", rule("a.test", path("/", "web"), path("/api", "api")), rule("b.test", path("/", "web"), path("/rpc", "web-grpc"))),
		nginx("backend-protocol"), "HTTPS",
		nginx("proxy-body-size"), "8m",
		nginx("auth-url"), "https://auth.test",
		nginx("server-alias"), "c.test",
		"external-dns.alpha.kubernetes.io/hostname", "a.test",
		"external-dns.alpha.kubernetes.io/target", "lb.test",
		"cert-manager.io/cluster-issuer", "letsencrypt",
		"argocd.argoproj.io/tracking-id", "shop:networking.k8s.io/Ingress:shop/web",
	)
	stable.Labels = map[string]string{"app.kubernetes.io/instance": "shop"}
	stable.Finalizers = []string{"shop.test/guard"}
	stable.Spec.TLS = []netv1.IngressTLS{{Hosts: []string{"a.test", "*.a.test"}, SecretName: "a-tls"}}
	stable.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "web"}}
	untouched := stable.DeepCopy()

	got := defaultDialect.buildPreviewIngress(target(wantsPreview), stable, serviceNames{"web": true, "web-grpc": true})

	diff(t, &netv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      "web-preview",
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "headgate", "headgate.dev/rollout": "7"},
			Annotations: map[string]string{
				nginx("backend-protocol"):                    "HTTPS",
				nginx("proxy-body-size"):                     "8m",
				nginx("auth-url"):                            "https://auth.test",
				"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
				"argocd.argoproj.io/ignore-resource-updates": "true",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web",
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Spec: netv1.IngressSpec{
			IngressClassName: new("nginx"),
			TLS:              []netv1.IngressTLS{{Hosts: []string{previewHost}, SecretName: "a-tls"}},
			Rules:            []netv1.IngressRule{rule(previewHost, path("/", "web-preview"), path("/rpc", "web-grpc-preview"))},
		},
	}, got)
	diff(t, untouched, stable)
}

func TestPreviewServiceIsACopyOfTheCanaryService(t *testing.T) {
	want := buildService(target(), service("web", "web"), forCanary)
	want.Name = "web-preview"
	diff(t, want, buildService(target(), service("web", "web"), forPreview))
}

func TestPreviewClassByAnnotation(t *testing.T) {
	stable := annotated(ingress("web", rule("a.test", path("/", "web"))), annotationClass, "nginx")
	stable.Spec.IngressClassName = nil
	got := defaultDialect.buildPreviewIngress(target(wantsPreview), stable, serviceNames{"web": true})
	diff(t, "nginx", got.Annotations[annotationClass])
	diff(t, (*string)(nil), got.Spec.IngressClassName)
}

func TestPreviewRules(t *testing.T) {
	exact := new(netv1.PathTypeExact)
	for name, tc := range map[string]struct {
		stable []netv1.IngressRule
		want   []netv1.HTTPIngressPath
	}{
		"port and path type stay as written": {
			[]netv1.IngressRule{rule("a.test", typed(pathTo("/x", "web", netv1.ServiceBackendPort{Number: 80}), exact))},
			[]netv1.HTTPIngressPath{typed(pathTo("/x", "web-preview", netv1.ServiceBackendPort{Number: 80}), exact)},
		},
		"of equal paths the first counts": {
			[]netv1.IngressRule{rule("a.test", path("/", "web")), rule("b.test", path("", "web-grpc"), typed(path("/", "web-grpc"), exact))},
			[]netv1.HTTPIngressPath{path("/", "web-preview"), typed(path("/", "web-grpc-preview"), exact)},
		},
		"resources and others' Services stay behind": {
			[]netv1.IngressRule{{Host: "b.test"}, rule("a.test", resourcePath("/static"), path("/api", "api"), path("/", "web"))},
			[]netv1.HTTPIngressPath{path("/", "web-preview")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := previewRules(ingress("web", tc.stable...), serviceNames{"web": true, "web-grpc": true}, previewHost)
			diff(t, []netv1.IngressRule{rule(previewHost, tc.want...)}, got)
		})
	}
}

func TestPreviewTLS(t *testing.T) {
	own := []netv1.IngressTLS{{Hosts: []string{previewHost}, SecretName: "tls"}}
	for name, tc := range map[string]struct {
		hosts []string
		want  []netv1.IngressTLS
	}{
		"the host is listed":              {[]string{"a.test", previewHost}, own},
		"a wildcard covers it":            {[]string{"*.a.test"}, own},
		"a wildcard covers one label":     {[]string{"*.test"}, nil},
		"another host":                    {[]string{"a.test"}, nil},
		"an entry for whatever is served": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			stable := ingress("web")
			stable.Spec.TLS = []netv1.IngressTLS{{Hosts: []string{"other.test"}, SecretName: "other"}, {Hosts: tc.hosts, SecretName: "tls"}}
			diff(t, tc.want, previewTLS(stable, previewHost))
		})
	}
}

func TestAnnotationsCopiedToPreview(t *testing.T) {
	copied := []string{
		"affinity", "allowlist-source-range", "auth-realm", "auth-secret", "auth-signin", "auth-something-new", "auth-type", "auth-url",
		"backend-protocol", "cors-allow-origin", "denylist-source-range", "enable-global-auth", "force-ssl-redirect", "limit-rps",
		"proxy-body-size", "proxy-read-timeout", "rewrite-target", "satisfy", "ssl-redirect", "use-regex", "whitelist-source-range",
	}
	left := []string{
		"affinity-canary-behavior", "auth-snippet", "auth-tls-secret", "auth-tls-verify-client", "canary", "canary-by-header", "canary-weight",
		"configuration-snippet", "default-backend", "from-to-www-redirect", "mirror-target", "modsecurity-snippet", "permanent-redirect",
		"proxy-cookie-domain", "proxy-redirect-from", "server-alias", "server-snippet", "session-cookie-domain", "something-new",
		"ssl-passthrough", "stream-snippet", "temporal-redirect",
	}
	for _, name := range copied {
		if !forPreview.copies(name) {
			t.Errorf("%s is left behind", name)
		}
	}
	for _, name := range left {
		if forPreview.copies(name) {
			t.Errorf("%s is copied", name)
		}
	}
}

func TestRouterPreviewsTheCanary(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"), service("api", "api"), service("other", "web"),
		ingress("web", rule("a.test", path("/", "web"), path("/api", "api"))),
		ingress("zoo", rule("z.test", path("/", "other"))))
	diff(t, false, c.observe(t, wantsPreview).Previewed)

	c.setWeight(t, 10, wantsPreview)
	diff(t, []string{
		"create *v1.Service other-canary", "create *v1.Service web-canary",
		"create *v1.Ingress web-canary", "create *v1.Ingress zoo-canary",
		"create *v1.Service web-preview", "create *v1.Ingress web-preview",
	}, c.writes)
	diff(t, []netv1.IngressRule{rule(previewHost, path("/", "web-preview"))}, c.ingress(t, "web-preview").Spec.Rules)
	got := c.observe(t, wantsPreview)
	diff(t, true, got.Previewed)
	diff(t, true, got.Current)
	diff(t, (*rollout.Problem)(nil), got.Problem)
	diff(t, []string{"other", "web"}, got.Services)
	diff(t, []string{"web", "zoo"}, got.Ingresses)

	c.writes = nil
	c.setWeight(t, 10, wantsPreview)
	diff(t, []string(nil), c.writes)

	if err := c.router().Remove(t.Context(), target(wantsPreview)); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{"delete *v1.Ingress web-canary", "delete *v1.Ingress web-preview", "delete *v1.Ingress zoo-canary"}, c.writes)
	diff(t, false, c.observe(t, wantsPreview).Previewed)

	c.writes = nil
	if err := c.router().Cleanup(t.Context(), target(wantsPreview)); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{"delete *v1.Service other-canary", "delete *v1.Service web-canary", "delete *v1.Service web-preview"}, c.writes)
}

func TestPreviewIsNotACanary(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10, wantsPreview)
	c.now = noon.Add(time.Minute)
	ing := ingress("admin-preview")
	c.edit(t, ing, func() {
		annotated(ing, nginx("canary"), "true", nginx("canary-weight"), "90", nginx("canary-by-cookie"), "beta")
	})
	got := c.observe(t, wantsPreview)
	diff(t, 10, got.Weight)
	diff(t, spec.Match{}, got.Match)
	diff(t, noon, got.Since)

	c.setWeight(t, 10, wantsPreview)
	diff(t, "", c.ingress(t, "admin-preview").Annotations[nginx("canary")])
	got = c.observe(t, wantsPreview)
	diff(t, true, got.Current)
	diff(t, noon, got.Since)

	for _, name := range []string{"admin-canary", "web-canary"} {
		c.remove(t, ingress(name))
	}
	got = c.observe(t, wantsPreview)
	diff(t, false, got.Routed)
	diff(t, true, got.Previewed)
	diff(t, 0, got.Weight)
	diff(t, time.Time{}, got.Since)
}

// Each case begins with a preview that is derived from Ingress admin, the first of two.
func TestPreviewIsRestored(t *testing.T) {
	host := "preview.admin.test"
	preview := func() *netv1.Ingress { return ingress("admin-preview") }
	for name, tc := range map[string]struct {
		disturb func(*testing.T, *cluster)
		want    func(*rollout.Target)
		writes  []string
	}{
		"it was deleted": {func(t *testing.T, c *cluster) { c.remove(t, preview()) }, under(host), []string{"create *v1.Ingress admin-preview"}},
		"its Service was deleted": {func(t *testing.T, c *cluster) { c.remove(t, service("web-preview", "")) }, under(host),
			[]string{"create *v1.Service web-preview"}},
		"its Service was edited": {func(t *testing.T, c *cluster) {
			svc := service("web-preview", "")
			c.edit(t, svc, func() { svc.Spec.Selector = map[string]string{"app": "web"} })
		}, under(host), []string{"patch *v1.Service web-preview"}},
		"its path was edited": {func(t *testing.T, c *cluster) {
			ing := preview()
			c.edit(t, ing, func() { ing.Spec.Rules[0].HTTP.Paths[0].Path = "/x" })
		}, under(host), []string{"patch *v1.Ingress admin-preview"}},
		"the stable path changed": {func(t *testing.T, c *cluster) {
			ing := ingress("admin")
			c.edit(t, ing, func() { ing.Spec.Rules[0].HTTP.Paths[0].Path = "/x" })
		}, under(host), []string{"patch *v1.Ingress admin-canary", "patch *v1.Ingress admin-preview"}},
		"authentication was added to stable": {func(t *testing.T, c *cluster) {
			ing := ingress("admin")
			c.edit(t, ing, func() { annotated(ing, nginx("auth-url"), "https://auth.test") })
		}, under(host), []string{"patch *v1.Ingress admin-preview"}},
		"a limit was added by hand": {func(t *testing.T, c *cluster) {
			ing := preview()
			c.edit(t, ing, func() { annotated(ing, nginx("limit-rps"), "1") })
		}, under(host), []string{"patch *v1.Ingress admin-preview"}},
		"a certificate is there now": {func(t *testing.T, c *cluster) {
			ing := ingress("admin")
			c.edit(t, ing, func() { ing.Spec.TLS = []netv1.IngressTLS{{Hosts: []string{"*.admin.test"}, SecretName: "tls"}} })
		}, under(host), []string{"patch *v1.Ingress admin-preview"}},
		"another host":              {nil, under("next.admin.test"), []string{"patch *v1.Ingress admin-preview"}},
		"none any more":             {nil, under(""), []string{"delete *v1.Ingress admin-preview", "delete *v1.Service web-preview"}},
		"a host that is not theirs": {nil, under("preview.test"), []string{"delete *v1.Ingress admin-preview", "delete *v1.Service web-preview"}},
		"the rollout after": {nil, func(t *rollout.Target) { t.Rollout, t.Spec.PreviewHost = "8", host }, []string{
			"patch *v1.Service web-canary", "patch *v1.Ingress admin-canary", "patch *v1.Ingress web-canary",
			"patch *v1.Service web-preview", "patch *v1.Ingress admin-preview"}},
		"another Ingress is the first now, and the name stays": {func(t *testing.T, c *cluster) {
			c.add(t, ingress("aaa", rule("aaa.test", path("/", "web"))))
		}, under(host), []string{"create *v1.Ingress aaa-canary"}},
		"what others add stays": {func(t *testing.T, c *cluster) {
			ing := preview()
			c.edit(t, ing, func() { annotated(ing, "field.cattle.io/publicEndpoints", "[]") })
		}, under(host), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(shop()...)
			c.setWeight(t, 10, under(host))
			if tc.disturb != nil {
				tc.disturb(t, c)
			}
			c.writes = nil
			c.setWeight(t, 10, tc.want)
			diff(t, tc.writes, c.writes)
			got := c.observe(t, tc.want)
			diff(t, true, got.Current)
			diff(t, 10, got.Weight)
		})
	}
}

func TestPreviewSurvivesTheReCreationOfItsStableIngress(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("a.test", path("/", "web"))))
	c.setWeight(t, 10, wantsPreview)
	c.remove(t, ingress("web"))
	c.writes = nil
	c.setWeight(t, 10, wantsPreview)
	diff(t, []string(nil), c.writes)
	diff(t, true, c.observe(t, wantsPreview).Previewed)

	c.setWeight(t, 10)
	diff(t, []string{"delete *v1.Ingress web-preview"}, c.writes)
}

func TestPreviewsOfTwoDeploymentsBehindOneIngress(t *testing.T) {
	api := target(wantsPreview, func(t *rollout.Target) { t.Deployment.Name, t.Deployment.UID = "api", "uid-api" })
	stable := ingress("web", rule("a.test", path("/", "web"), path("/api", "api")))
	theirs := defaultDialect.buildPreviewIngress(api, stable, serviceNames{"api": true})
	theirs.Spec.Rules[0].Host = "preview.api.test"
	c := newCluster(nginxClass(), service("web", "web"), service("api", "api"), stable, theirs)
	c.setWeight(t, 10, wantsPreview)
	diff(t, []string{
		"create *v1.Service web-canary", "create *v1.Ingress web-canary",
		"create *v1.Service web-preview", "create *v1.Ingress web-web-preview",
	}, c.writes)
	diff(t, true, c.observe(t, wantsPreview).Current)
}

// A preview that cannot be written keeps no weight up or down, and keeps nothing that
// is no longer needed.
func TestPreviewThatIsRefused(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 50)
	c.remove(t, ingress("web"))
	c.writes = nil
	c.refuse = func(_, name string) error {
		if strings.HasSuffix(name, "-preview") {
			return errors.New("quota exceeded")
		}
		return nil
	}
	err := c.router().SetWeight(t.Context(), target(under("preview.admin.test")), 0, spec.Match{})
	var preview *rollout.PreviewError
	want := `setting weight 0 of Deployment shop/web: creating Service "shop/web-preview": quota exceeded`
	if !errors.As(err, &preview) || err.Error() != want {
		t.Errorf("got %v", err)
	}
	diff(t, []string{"patch *v1.Ingress admin-canary", "delete *v1.Ingress web-canary"}, c.writes)
	got := c.observe(t, under("preview.admin.test"))
	diff(t, 0, got.Weight)
	diff(t, true, got.Current)
}

// A preview that cannot be deleted keeps no weight up either.
func TestPreviewThatCannotBeDeleted(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 50, under("preview.admin.test"))
	c.refuse = func(verb, _ string) error {
		if verb == "delete" {
			return errors.New("denied by a policy")
		}
		return nil
	}
	err := c.router().SetWeight(t.Context(), target(), 0, spec.Match{})
	var preview *rollout.PreviewError
	if !errors.As(err, &preview) {
		t.Errorf("got %v", err)
	}
	got := c.observe(t)
	diff(t, 0, got.Weight)
	diff(t, true, got.Current)
}

// A canary that cannot be written is no PreviewError, and the preview waits.
func TestCanaryThatIsRefusedBesideAPreview(t *testing.T) {
	c := newCluster(shop()...)
	c.refuse = func(_, name string) error {
		if name == "web-canary" {
			return errors.New("quota exceeded")
		}
		return nil
	}
	err := c.router().SetWeight(t.Context(), target(wantsPreview), 0, spec.Match{})
	var preview *rollout.PreviewError
	if err == nil || errors.As(err, &preview) {
		t.Errorf("got %v", err)
	}
	diff(t, false, slices.ContainsFunc(c.writes, func(w string) bool { return strings.HasSuffix(w, "-preview") }))
}

func TestPreviewServicesAreThoseOfItsIngress(t *testing.T) {
	r := routes{services: []*corev1.Service{service("other", "web"), service("web", "web")}}
	got := r.servicesOf(ingress("web", rule("a.test", path("/", "web"))))
	diff(t, []*corev1.Service{service("web", "web")}, got)
	diff(t, 2, len(r.services))
}
