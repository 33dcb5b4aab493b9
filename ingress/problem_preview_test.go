package ingress

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

func elsewhere(ing *netv1.Ingress) *netv1.Ingress {
	ing.Namespace = "other"
	return ing
}

// TestPreviewRefused has Ingress web for a.test and *.b.test, and PreviewDomains
// previews.test.
func TestPreviewRefused(t *testing.T) {
	web := func() *netv1.Ingress {
		return ingress("web", rule("a.test", path("/", "web")), rule("*.b.test", path("/", "web")))
	}
	outside := func(host string) string {
		return `headgate.dev/preview-host names "` + host + `", which is below no domain that previews may use: ` +
			`use another host, e.g. "preview.a.test", or ask the operator of Headgate to allow its domain (ingress.previewDomains)`
	}
	served := func(by, host string) string {
		return `headgate.dev/preview-host names "preview.a.test", but ` + by + ` already serves "` + host + `": use another host`
	}
	const unnamed = "an Ingress of another namespace" // whoever reads this may not know its name
	taken := func(object string) string {
		return object + ` exists, and Headgate did not make it for this Deployment: ` +
			`delete or rename it, because the preview needs this name`
	}
	theirs := func(name string, hosts ...string) *netv1.Ingress {
		ing := ingress(name)
		for _, host := range hosts {
			ing.Spec.Rules = append(ing.Spec.Rules, rule(host, path("/", "x")))
		}
		return ing
	}
	for name, tc := range map[string]struct {
		host    string // "" means preview.a.test
		objects []client.Object
		message string        // "" if it is allowed
		reason  reason.Reason // "" means PreviewHostRefused
	}{
		"a subdomain of a host":                   {},
		"of any depth":                            {host: "x.preview.a.test"},
		"of the domain of a wildcard":             {host: "preview.b.test"},
		"of a domain that the operator allows":    {host: "preview.previews.test"},
		"that domain itself":                      {host: "previews.test", message: outside("previews.test")},
		"a host of the Ingress itself":            {host: "a.test", message: outside("a.test")},
		"the domain of a host":                    {host: "preview.test", message: outside("preview.test")},
		"it ends like a host and is no subdomain": {host: "evil-a.test", message: outside("evil-a.test")},

		"the host of another Ingress": {
			objects: []client.Object{theirs("x", "x.test", "preview.a.test")}, message: served(`Ingress "x"`, "preview.a.test"),
		},
		"of another namespace": {
			objects: []client.Object{elsewhere(theirs("x", "preview.a.test"))}, message: served(unnamed, "preview.a.test"),
		},
		"by a wildcard of another namespace": {
			objects: []client.Object{elsewhere(theirs("x", "*.a.test"))}, message: served(unnamed, "*.a.test"),
		},
		"by a wildcard of the same namespace": {objects: []client.Object{theirs("x", "*.a.test")}},
		"a wildcard covers one label only": {
			host: "x.preview.a.test", objects: []client.Object{elsewhere(theirs("x", "*.a.test"))},
		},
		"a wildcard of the domain above": {objects: []client.Object{elsewhere(theirs("x", "*.test"))}},
		"as an alias": {
			objects: []client.Object{elsewhere(annotated(theirs("x", "x.test"), nginx("server-alias"), "y.test, Preview.a.test"))},
			message: served(unnamed, "preview.a.test"),
		},
		"a neighbouring host": {objects: []client.Object{elsewhere(theirs("x", "a.test", "next.a.test"))}},
		"of several the first by name is named": {
			objects: []client.Object{theirs("z", "preview.a.test"), theirs("y", "preview.a.test")},
			message: served(`Ingress "y"`, "preview.a.test"),
		},

		"a foreign Ingress has the name": {
			objects: []client.Object{theirs("web-preview", "x.test")},
			reason:  reason.NameTaken, message: taken(`Ingress "web-preview"`),
		},
		"even if it is a canary": {
			objects: []client.Object{annotated(theirs("web-preview", "x.test"), nginx("canary"), "true")},
			reason:  reason.NameTaken, message: taken(`Ingress "web-preview"`),
		},
		"a foreign Service has the name": {
			objects: []client.Object{service("web-preview", "x")},
			reason:  reason.NameTaken, message: taken(`Service "web-preview"`),
		},
		"a Service with a name that is not needed": {objects: []client.Object{service("api-preview", "x")}},

		"the preview of another Deployment, older": {
			objects: []client.Object{elsewhere(theirPreview("early", noon.Add(-time.Hour)))},
			message: served(unnamed, "preview.a.test"),
		},
		"the preview of another Deployment, even a younger one": {
			objects: []client.Object{elsewhere(theirPreview("late", noon.Add(time.Hour)))},
			message: served(unnamed, "preview.a.test"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(append(tc.objects, nginxClass(), service("web", "web"), web())...)
			router := New(c, c, Options{
				PreviewDomains: []string{"previews.test"}, PreviewBelowOwnHosts: true, Now: func() time.Time { return noon },
			})
			wanted := target(under(cmp.Or(tc.host, previewHost)))
			observe := func() rollout.Traffic {
				t.Helper()
				tr, err := router.Observe(t.Context(), wanted)
				if err != nil {
					t.Fatal(err)
				}
				return tr
			}
			want := tc.reason
			if want == "" && tc.message != "" {
				want = reason.PreviewHostRefused
			}
			expectProblem(t, want, tc.message, observe().PreviewRefused)
			diff(t, (*rollout.Problem)(nil), observe().Problem)

			if err := router.SetWeight(t.Context(), wanted, 10, spec.Match{}); err != nil {
				t.Fatal(err)
			}
			made := slices.ContainsFunc(c.writes, func(w string) bool { return strings.HasSuffix(w, "-preview") })
			diff(t, tc.message == "", made)
			diff(t, true, observe().Current) // the weights are as they should be
		})
	}
}

// Without PreviewBelowOwnHosts a user reaches no host that the operator did not allow,
// not even below a host of the Deployment's own Ingresses.
func TestPreviewDomainsAreTheOnlyOnesByDefault(t *testing.T) {
	const ownHosts = ", or hosts below those of the Deployment's own Ingresses (ingress.previewBelowOwnHosts)"
	for name, tc := range map[string]struct {
		host    string
		domains []string
		advice  string // "" if the host is allowed
	}{
		"in a domain that is allowed": {"preview.previews.test", []string{"previews.test"}, ""},
		"below an own host, and there are other domains": {previewHost, []string{"previews.test"},
			`use another host, e.g. "preview.previews.test", or ask the operator of Headgate to allow its domain ` +
				`(ingress.previewDomains)` + ownHosts},
		"below an own host, and there are no domains": {previewHost, nil,
			`ask the operator of Headgate to allow its domain (ingress.previewDomains)` + ownHosts},
		"anywhere else": {"preview.x.test", nil, `ask the operator of Headgate to allow its domain (ingress.previewDomains)`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("a.test", path("/", "web"))))
			tr, err := New(c, c, Options{PreviewDomains: tc.domains}).Observe(t.Context(), target(under(tc.host)))
			if err != nil {
				t.Fatal(err)
			}
			want, message := reason.PreviewHostRefused,
				`headgate.dev/preview-host names "`+tc.host+`", which is below no domain that previews may use: `+tc.advice
			if tc.advice == "" {
				want, message = "", ""
			}
			expectProblem(t, want, message, tr.PreviewRefused)
		})
	}
}

// theirPreview is one that Headgate made for another Deployment, under previewHost.
func theirPreview(name string, created time.Time) *netv1.Ingress {
	other := target(wantsPreview, func(t *rollout.Target) { t.Deployment.Name, t.Deployment.UID = "api", "uid-api" })
	ing := defaultDialect.buildPreviewIngress(other, ingress(name, rule("x.test", path("/", "x"))), serviceNames{"x": true})
	ing.CreationTimestamp = metav1.NewTime(created)
	return ing
}

func TestPreviewRefusedWithoutAHostOfItsOwn(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("", path("/", "web"))))
	expectProblem(t, reason.PreviewHostRefused,
		`headgate.dev/preview-host names "preview.a.test", which is below no domain that previews may use: `+
			`ask the operator of Headgate to allow its domain (ingress.previewDomains)`, c.observe(t, wantsPreview).PreviewRefused)
}

func TestPreviewRefusedBesideClientCertificates(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"),
		annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("auth-tls-secret"), "shop/ca"))
	expectProblem(t, reason.PreviewHostRefused,
		`Ingress "web" requires client certificates (nginx.ingress.kubernetes.io/auth-tls-secret), `+
			`and a preview would be open to everybody: remove headgate.dev/preview-host`,
		c.observe(t, wantsPreview).PreviewRefused)
}

// If somebody else begins to serve the host, the preview gives way. Of two
// Deployments that want the same host, only the younger preview gives way.
func TestPreviewGivesWay(t *testing.T) {
	for name, tc := range map[string]struct {
		other  *netv1.Ingress
		yields bool
	}{
		"to an Ingress of somebody else":       {ingress("x", rule(previewHost, path("/", "x"))), true},
		"to a preview that is older":           {theirPreview("x", noon.Add(-time.Hour)), true},
		"not to a younger one":                 {theirPreview("x", noon.Add(time.Hour)), false},
		"to an equally old one that is before": {theirPreview("a", noon), true},
		"and not to one that is after":         {theirPreview("x", noon), false},
	} {
		t.Run(name, func(t *testing.T) {
			stable := ingress("web", rule("a.test", path("/", "web")))
			svc, canary := canaries(target(), stable, 10)
			own := defaultDialect.buildPreviewIngress(target(wantsPreview), stable, serviceNames{"web": true})
			own.CreationTimestamp = metav1.NewTime(noon)
			previewService := buildService(target(), service("web", "web"), forPreview)
			c := newCluster(nginxClass(), service("web", "web"), stable, svc, canary, previewService, own, tc.other)
			diff(t, tc.yields, c.observe(t, wantsPreview).PreviewRefused != nil)
		})
	}
}

func TestOnlyAPreviewSearchesEveryIngressOfAHost(t *testing.T) {
	c := newCluster(shop()...)
	asked := func() []string {
		return slices.DeleteFunc(slices.Clone(c.lists), func(list string) bool { return !strings.Contains(list, hostIndex) })
	}
	c.setWeight(t, 10)
	c.observe(t)
	diff(t, []string(nil), asked())
	c.observe(t, wantsPreview)
	diff(t, []string{"<nil> headgate.host=preview.a.test", "<nil> headgate.host=*.a.test"}, asked())
}

func TestObserveWithoutTheIndexesFails(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(shop()...).Build()
	_, err := New(c, c, Options{}).Observe(t.Context(), target())
	if want := "observing the traffic of Deployment shop/web: listing Services"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
