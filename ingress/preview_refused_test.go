package ingress

import (
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
	abroad := func(host string) string {
		return `headgate.dev/preview-host names "` + host + `", which is no subdomain of a host that the Ingresses of Deployment "web" serve: ` +
			`use one, e.g. "preview.a.test", or ask the operator of Headgate to allow its domain`
	}
	taken := func(ing, host string) string {
		return `headgate.dev/preview-host names "preview.a.test", and Ingress "` + ing + `" serves "` + host + `" already: use another host`
	}
	theirs := func(name string, hosts ...string) *netv1.Ingress {
		ing := ingress(name)
		for _, host := range hosts {
			ing.Spec.Rules = append(ing.Spec.Rules, rule(host, path("/", "x")))
		}
		return ing
	}
	for name, tc := range map[string]struct {
		host    string
		objects []client.Object
		message string        // "" if it is allowed
		reason  reason.Reason // "" means PreviewHostRefused
	}{
		"a subdomain of a host":                       {host: "preview.a.test"},
		"of any depth":                                {host: "x.preview.a.test"},
		"of the base of a wildcard":                   {host: "preview.b.test"},
		"of a domain that the operator allows":        {host: "preview.previews.test"},
		"that domain itself":                          {host: "previews.test", message: abroad("previews.test")},
		"a host of the Ingress itself":                {host: "a.test", message: abroad("a.test")},
		"the domain of a host":                        {host: "preview.test", message: abroad("preview.test")},
		"what ends like a host and is no subdomain":   {host: "evil-a.test", message: abroad("evil-a.test")},
		"the host of another Ingress":                 {host: "preview.a.test", objects: []client.Object{theirs("x", "x.test", "preview.a.test")}, message: taken("shop/x", "preview.a.test")},
		"of another namespace":                        {host: "preview.a.test", objects: []client.Object{elsewhere(theirs("x", "preview.a.test"))}, message: taken("other/x", "preview.a.test")},
		"by a wildcard of another namespace":          {host: "preview.a.test", objects: []client.Object{elsewhere(theirs("x", "*.a.test"))}, message: taken("other/x", "*.a.test")},
		"by a wildcard of their own":                  {host: "preview.a.test", objects: []client.Object{theirs("x", "*.a.test")}},
		"by a wildcard that covers one label":         {host: "x.preview.a.test", objects: []client.Object{elsewhere(theirs("x", "*.a.test"))}},
		"by a wildcard for the base of their host":    {host: "preview.a.test", objects: []client.Object{elsewhere(theirs("x", "*.test"))}},
		"as an alias":                                 {host: "preview.a.test", objects: []client.Object{elsewhere(annotated(theirs("x", "x.test"), nginx("server-alias"), "y.test, Preview.a.test"))}, message: taken("other/x", "preview.a.test")},
		"a neighbouring host":                         {host: "preview.a.test", objects: []client.Object{elsewhere(theirs("x", "a.test", "next.a.test"))}},
		"of several the first by name is named":       {host: "preview.a.test", objects: []client.Object{theirs("z", "preview.a.test"), elsewhere(theirs("y", "preview.a.test"))}, message: taken("other/y", "preview.a.test")},
		"an Ingress of the name that is not ours":     {host: "preview.a.test", objects: []client.Object{theirs("web-preview", "x.test")}, reason: reason.NameTaken, message: `Ingress "web-preview" exists and was not made by Headgate for this Deployment, which needs the name for its preview: delete or rename it`},
		"even if it is a canary":                      {host: "preview.a.test", objects: []client.Object{annotated(theirs("web-preview", "x.test"), nginx("canary"), "true")}, reason: reason.NameTaken, message: `Ingress "web-preview" exists and was not made by Headgate for this Deployment, which needs the name for its preview: delete or rename it`},
		"a Service of the name that is not ours":      {host: "preview.a.test", objects: []client.Object{service("web-preview", "x")}, reason: reason.NameTaken, message: `Service "web-preview" exists and was not made by Headgate for this Deployment, which needs the name for its preview: delete or rename it`},
		"a Service that has nothing to do with it":    {host: "preview.a.test", objects: []client.Object{service("api-preview", "x")}},
		"the same wish of another Deployment, first":  {host: "preview.a.test", objects: []client.Object{elsewhere(preview("early", noon.Add(-time.Hour)))}, message: taken("other/early-preview", "preview.a.test")},
		"the same wish of another Deployment, either": {host: "preview.a.test", objects: []client.Object{elsewhere(preview("late", noon.Add(time.Hour)))}, message: taken("other/late-preview", "preview.a.test")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(append(tc.objects, nginxClass(), service("web", "web"), web())...)
			router := New(c, c, Options{PreviewDomains: []string{"previews.test"}, Now: func() time.Time { return noon }})
			observe := func() rollout.Traffic {
				t.Helper()
				tr, err := router.Observe(t.Context(), target(under(tc.host)))
				if err != nil {
					t.Fatal(err)
				}
				return tr
			}
			want := tc.reason
			if want == "" && tc.message != "" {
				want = reason.PreviewHostRefused
			}
			expectProblem(t, want, tc.message, observe().Problem)

			if err := router.SetWeight(t.Context(), target(under(tc.host)), 10, spec.Match{}); err != nil {
				t.Fatal(err)
			}
			made := slices.ContainsFunc(c.writes, func(w string) bool { return strings.HasSuffix(w, "-preview") })
			diff(t, tc.message == "", made)
			diff(t, true, observe().Current) // the weights are as they should be
		})
	}
}

// preview is one that Headgate made for another Deployment, under previewHost.
func preview(name string, created time.Time) *netv1.Ingress {
	other := target(previewed, func(t *rollout.Target) { t.Deployment.Name, t.Deployment.UID = "api", "uid-api" })
	ing := defaultDialect.buildPreviewIngress(other, ingress(name, rule("x.test", path("/", "x"))), map[string]bool{"x": true})
	ing.CreationTimestamp = metav1.NewTime(created)
	return ing
}

func TestPreviewRefusedWithoutAHostOfItsOwn(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("", path("/", "web"))))
	expectProblem(t, reason.PreviewHostRefused,
		`headgate.dev/preview-host names "preview.a.test", which is no subdomain of a host that the Ingresses of Deployment "web" serve: `+
			`ask the operator of Headgate to allow its domain`, c.observe(t, previewed).Problem)
}

func TestPreviewRefusedToBeOpenToEverybody(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"),
		annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("auth-tls-secret"), "shop/ca"))
	expectProblem(t, reason.PreviewHostRefused,
		`Ingress "web" asks for client certificates (nginx.ingress.kubernetes.io/auth-tls-secret), and a preview would be open to everybody: remove headgate.dev/preview-host`,
		c.observe(t, previewed).Problem)
}

// What makes the weights a lie comes first: it is there without the preview, too.
func TestPreviewRefusedIsTheLastProblem(t *testing.T) {
	c := newCluster(service("web", "web"), ingress("web", rule("a.test", path("/", "web"))))
	diff(t, reason.IngressClassUnknown, c.observe(t, under("x.test")).Problem.Reason)
}

// A host that somebody else comes to serve is theirs from then on, but two
// Deployments that want the same one do not take turns.
func TestPreviewYields(t *testing.T) {
	for name, tc := range map[string]struct {
		other  *netv1.Ingress
		yields bool
	}{
		"to an Ingress of somebody else":       {ingress("x", rule(previewHost, path("/", "x"))), true},
		"to a preview that is older":           {preview("x", noon.Add(-time.Hour)), true},
		"not to a younger one":                 {preview("x", noon.Add(time.Hour)), false},
		"to an equally old one that is before": {preview("a", noon), true},
		"and not to one that is after":         {preview("x", noon), false},
	} {
		t.Run(name, func(t *testing.T) {
			stable := ingress("web", rule("a.test", path("/", "web")))
			svc, canary := canaries(target(), stable, 10)
			own := defaultDialect.buildPreviewIngress(target(previewed), stable, map[string]bool{"web": true})
			own.CreationTimestamp = metav1.NewTime(noon)
			c := newCluster(nginxClass(), service("web", "web"), stable, svc, canary, buildPreviewService(target(), service("web", "web")), own, tc.other)
			diff(t, tc.yields, c.observe(t, previewed).Problem != nil)
		})
	}
}

func TestOnlyAPreviewAsksTheWholeCluster(t *testing.T) {
	c := newCluster(shop()...)
	asked := func() []string {
		return slices.DeleteFunc(slices.Clone(c.lists), func(list string) bool { return !strings.Contains(list, hostIndex) })
	}
	c.setWeight(t, 10)
	c.observe(t)
	diff(t, []string(nil), asked())
	c.observe(t, previewed)
	diff(t, []string{"<nil> headgate.host=preview.a.test", "<nil> headgate.host=*.a.test"}, asked())
}

func TestObserveWithoutTheIndexSaysWhatItWasDoing(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(shop()...).Build()
	_, err := New(c, c, Options{}).Observe(t.Context(), target(previewed))
	if err == nil || !strings.HasPrefix(err.Error(), `observing the traffic of Deployment shop/web: looking for who serves host "preview.a.test": `) {
		t.Errorf("got %v", err)
	}
}
