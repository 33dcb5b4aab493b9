package ingress

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// repair is what a user sees while one precondition of a table is not met, and the
// change that meets it.
type repair struct {
	name    string // of the row
	reason  reason.Reason
	message string // a part of it
	change  func()
}

// expectInOrder goes through the table: for each row it observes, expects the problem
// of that row, which found picks, and repairs it. In the end there is no problem. A new
// row fails the test until it has a repair.
func (c *cluster) expectInOrder(
	t *testing.T, table []precondition, found func(rollout.Traffic) *rollout.Problem, wanted *spec.Spec, repairs []repair,
) {
	t.Helper()
	if len(repairs) != len(table) {
		t.Fatalf("%d repairs for %d preconditions", len(repairs), len(table))
	}
	withSpec := func(tr *rollout.Target) { tr.Spec = *wanted }
	for i, step := range repairs {
		diff(t, table[i].name, step.name)
		if table[i].place == "" {
			t.Errorf("%s: nothing says why it stands there", step.name)
		}
		got := found(c.observe(t, withSpec))
		if got == nil || got.Reason != step.reason || !strings.Contains(got.Message, step.message) {
			t.Fatalf("%s: got %+v, want %s with %s", step.name, got, step.reason, step.message)
		}
		all, err := c.router().Problems(t.Context(), target(withSpec))
		if err != nil || !slices.ContainsFunc(all, func(p *rollout.Problem) bool { return *p == *got }) {
			t.Errorf("%s: all problems are %v, %v", step.name, all, err)
		}
		step.change()
	}
	diff(t, (*rollout.Problem)(nil), found(c.observe(t, withSpec)))
}

func problemOf(tr rollout.Traffic) *rollout.Problem { return tr.Problem }

func previewRefusedOf(tr rollout.Traffic) *rollout.Problem { return tr.PreviewRefused }

// Before each repair, the precondition of its row and the next one are both unmet. So
// the test fails if two neighbours in the table change places.
func TestPreconditionsAreInOrder(t *testing.T) {
	foreignCanary := annotated(ingress("theirs", rule("a.test", path("/", "x"))), nginx("canary"), "true")
	web := annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("ssl-passthrough"), "true")
	c := newCluster(web, foreignCanary, service("web-canary", "x"))
	wanted := spec.Spec{Services: []string{"web"}, Ingresses: []string{"web", "wbe"}}

	c.expectInOrder(t, preconditions, problemOf, &wanted, []repair{
		{"every named Service exists, selects the pods and can be split", reason.NoService, `names Service "web"`, func() {
			wanted.Services = nil
		}},
		{"a Service selects the pods", reason.NoService, `no Service`, func() {
			selectsCanary := service("web", "", func(svc *corev1.Service) { svc.Spec.Selector = map[string]string{"tier": "front"} })
			c.add(t, selectsCanary)
			c.add(t, service("web-b", "web"))
			wanted.Services = []string{"web", "web-b"}
		}},
		{"every named Ingress exists and leads to the pods", reason.NoIngress, `names Ingress "wbe"`, func() {
			wanted.Ingresses = []string{"web"}
		}},
		{"an Ingress leads to every split Service", reason.NoIngress, `Service "web-b"`, func() {
			wanted.Services = []string{"web"}
		}},
		{"no Ingress passes TLS through", reason.IngressNotSupported, `ssl-passthrough`, func() {
			c.edit(t, web, func() { delete(web.Annotations, nginx("ssl-passthrough")) })
		}},
		{"a controller that supports canary annotations serves every Ingress", reason.IngressClassUnknown, `class "nginx"`, func() {
			c.add(t, nginxClass())
		}},
		{"no canary of somebody else is on a path to a split Service", reason.ForeignCanary, `"theirs"`, func() {
			c.remove(t, foreignCanary)
		}},
		{"no Service of somebody else selects the canary pods", reason.CanaryIndistinct, `Service "web"`, func() {
			svc := service("web", "")
			c.edit(t, svc, func() { svc.Spec.Selector = map[string]string{"app": "web"} })
		}},
		{"the names of the canary objects are free", reason.NameTaken, `Service "web-canary"`, func() {
			c.remove(t, service("web-canary", ""))
		}},
	})
}

func TestPreviewPreconditionsAreInOrder(t *testing.T) {
	web := annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("auth-tls-secret"), "shop/ca")
	theirs := elsewhere(ingress("x", rule("outside.test", path("/", "x")), rule(previewHost, path("/", "x"))))
	c := newCluster(nginxClass(), service("web", "web"), web, service("web-preview", "x"), theirs)
	wanted := spec.Spec{PreviewHost: "outside.test"}

	c.expectInOrder(t, previewPreconditions, previewRefusedOf, &wanted, []repair{
		{"the first stable Ingress requires no client certificates", reason.PreviewHostRefused, `client certificates`, func() {
			c.edit(t, web, func() { delete(web.Annotations, nginx("auth-tls-secret")) })
		}},
		{"the host is in a domain that the Deployment may use", reason.PreviewHostRefused, `no domain`, func() {
			wanted.PreviewHost = previewHost
		}},
		{"the names of the preview objects are free", reason.NameTaken, `Service "web-preview"`, func() {
			c.remove(t, service("web-preview", ""))
		}},
		{"nobody else serves the host", reason.PreviewHostRefused, `an Ingress of another namespace`, func() {
			c.remove(t, theirs)
		}},
	})
}

func TestProblemsTellsAll(t *testing.T) {
	foreignCanary := annotated(ingress("theirs", rule("a.test", path("/", "x"))), nginx("canary"), "true")
	web := annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("ssl-passthrough"), "true")
	c := newCluster(web, foreignCanary, service("web", "web"), service("web-canary", "x"))
	all, err := c.router().Problems(t.Context(), target(func(tr *rollout.Target) { tr.Spec.PreviewHost = "outside.test" }))
	if err != nil {
		t.Fatal(err)
	}
	var reasons []reason.Reason
	for _, p := range all {
		reasons = append(reasons, p.Reason)
	}
	diff(t, []reason.Reason{
		reason.IngressNotSupported, reason.IngressClassUnknown, reason.ForeignCanary, reason.NameTaken, reason.PreviewHostRefused,
	}, reasons)
}
