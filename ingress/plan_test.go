package ingress

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// TestPlan asks for weight 10, unless the case has another one. The usual objects are
// Service web and Ingress web, with their canaries at weight 10.
func TestPlan(t *testing.T) {
	later := noon.Add(time.Minute)
	stable := ingress("web", rule("a.test", path("/", "web")))
	svc, ing := canaries(target(), stable, 10)
	changed := func(change func(*netv1.Ingress)) *netv1.Ingress {
		out := ing.DeepCopy()
		change(out)
		return out
	}
	another := ingress("shop", rule("b.test", path("/", "web")))
	_, anotherCanary := canaries(target(), another, 10)
	otherDeployment := target(func(t *rollout.Target) { t.Deployment.Name, t.Deployment.UID = "api", "uid-api" })
	_, theirs := canaries(otherDeployment, ingress("web"), 50)
	own := changed(func(ing *netv1.Ingress) { ing.Name = "web-web-canary" })
	taken := func(kind string) string {
		return kind + ` "web-canary" exists, and Headgate did not make it for this Deployment: ` +
			`delete or rename it, because the canary needs this name`
	}

	for name, tc := range map[string]struct {
		objects []any
		weight  int
		want    []string
	}{
		"nothing to do": {objects: []any{service("web", "web"), stable, svc, ing}},
		"the first time": {
			objects: []any{service("web", "web"), stable},
			want:    []string{"create Service web-canary", "create Ingress web-canary 10% 12:01"},
		},
		"another weight": {
			objects: []any{service("web", "web"), stable, svc, ing}, weight: 25,
			want: []string{"patch Ingress web-canary 25% 12:01"},
		},
		"a second Ingress appeared": {
			objects: []any{service("web", "web"), stable, another, svc, ing},
			want:    []string{"create Ingress shop-canary 10% 12:01"},
		},
		"a second Ingress lost its path": {
			objects: []any{service("web", "web"), stable, svc, ing, anotherCanary},
			want:    []string{"delete *v1.Ingress shop-canary"},
		},
		"a stable path was renamed": {
			objects: []any{service("web", "web"), ingress("web", rule("a.test", path("/new", "web"))), svc, ing},
			want:    []string{"patch Ingress web-canary 10% 12:01"},
		},
		"a weight edited by hand and asked for is recorded": {
			objects: []any{service("web", "web"), stable, svc, changed(func(ing *netv1.Ingress) { annotated(ing, nginx("canary-weight"), "60") })},
			weight:  60,
			want:    []string{"patch Ingress web-canary 60% 12:01"},
		},
		"a lost date is renewed": {
			objects: []any{service("web", "web"), stable, svc, changed(func(ing *netv1.Ingress) { delete(ing.Annotations, annotationSince) })},
			want:    []string{"patch Ingress web-canary 10% 12:01"},
		},
		"a Service that is not split any more goes after its Ingress": {
			objects: []any{service("web", "web"), stable, svc, ing, buildService(target(), service("old", "web"), forCanary), anotherCanary},
			want:    []string{"delete *v1.Ingress shop-canary", "delete *v1.Service old-canary"},
		},
		"what is being deleted is not deleted again": {
			objects: []any{service("web", "web"), stable, svc, ing, leavingIngress(anotherCanary)},
		},
		"with the stable Ingress gone the canary stays": {objects: []any{service("web", "web"), svc, ing}},
		"and follows the weight": {
			objects: []any{service("web", "web"), svc, ing}, weight: 5,
			want: []string{"patch Ingress web-canary 5% 12:01"},
		},
		"with the Service gone everything stays": {objects: []any{stable, svc, ing}},
		"a Service in the way": {
			objects: []any{service("web", "web"), service("web-canary", "elsewhere"), stable, ing},
			want:    []string{taken("Service")},
		},
		"an Ingress in the way": {
			objects: []any{service("web", "web"), stable, svc, ingress("web-canary", rule("x.test", path("/", "x")))},
			want:    []string{taken("Ingress")},
		},
		"a foreign canary in the way": {
			objects: []any{service("web", "web"), stable, svc, annotated(ingress("web-canary"), nginx("canary"), "true")},
			want:    []string{taken("Ingress")},
		},
		"another Deployment behind the same Ingress was first": {
			objects: []any{service("web", "web"), stable, svc, theirs},
			want:    []string{"create Ingress web-web-canary 10% 12:01"},
		},
		"the other name is kept when that one is done": {objects: []any{service("web", "web"), stable, svc, own}},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshotOf(target(), tc.objects...)
			weight := tc.weight
			if weight == 0 {
				weight = 10
			}
			p := s.makePlan(discover(s, target()), target(), trafficSplit{weight: weight}, later)
			diff(t, tc.want, summary(p))
			diff(t, len(tc.want) == 0, p.canaryDone())
		})
	}
}

func leavingIngress(ing *netv1.Ingress) *netv1.Ingress {
	out := ing.DeepCopy()
	out.DeletionTimestamp = new(metav1.NewTime(noon))
	return out
}

func summary(p plan) []string {
	var out []string
	for _, w := range slices.Concat(p.services, p.ingresses) {
		verb := "patch"
		if w.was == nil {
			verb = "create"
		}
		switch want := w.want.(type) {
		case *corev1.Service:
			out = append(out, fmt.Sprintf("%s Service %s", verb, want.Name))
		case *netv1.Ingress:
			weight := defaultDialect.weightOf(want)
			out = append(out, fmt.Sprintf("%s Ingress %s %d%% %s", verb, want.Name, weight, writtenAt(want).Format("15:04")))
		}
	}
	for _, obj := range p.stale {
		out = append(out, fmt.Sprintf("delete %T %s", obj, obj.GetName()))
	}
	if p.nameConflict != nil {
		out = append(out, p.nameConflict.Message)
	}
	return out
}

func TestPlanIsDoneOnceApplied(t *testing.T) {
	tr := target(func(tr *rollout.Target) { tr.Spec.Services = []string{"web", "web-grpc"} })
	objects := []any{
		service("web", "web"), service("web-grpc", "web"),
		ingress("a", rule("a.test", path("/", "web"), path("/api", "api")), rule("b.test", path("/", "web-grpc"))),
		ingress("c", rule("c.test", path("/", "web-grpc"))),
	}
	s := snapshotOf(tr, objects...)
	p := s.makePlan(discover(s, tr), tr, trafficSplit{weight: 30}, noon)
	for _, w := range slices.Concat(p.services, p.ingresses) {
		objects = append(objects, w.want.DeepCopyObject().(client.Object))
	}
	if len(objects) != 8 {
		t.Fatalf("%d objects, want 4 canaries beside the 4 stable ones", len(objects))
	}
	s = snapshotOf(tr, objects...)
	diff(t, []string(nil), summary(s.makePlan(discover(s, tr), tr, trafficSplit{weight: 30}, noon.Add(time.Hour))))
}
