package ingress

import (
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// What the finder leaves out makes no difference: with every object of the namespace,
// the traffic, the plan and the problem are the same.
func TestTheFinderMissesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tr := drawTarget(rt)
		c, all := newCluster(nginxClass()), []any{nginxClass()}
		for _, name := range []string{"web", "web-canary", "web-preview", "api", "theirs"} {
			if svc := drawService(rt, tr, name); svc != nil {
				c.add(t, svc)
				all = append(all, svc)
			}
		}
		for _, name := range []string{"web", "web-canary", "web-web-canary", "web-preview", "edge", "theirs"} {
			if ing := drawIngress(rt, tr, name); ing != nil {
				c.add(t, ing)
				all = append(all, ing)
			}
		}
		found, err := readSnapshot(t.Context(), c, defaultDialect, tr)
		if err != nil {
			rt.Fatal(err)
		}
		want, got := judge(rt, c, tr, snapshotOf(tr, all...)), judge(rt, c, tr, found)
		if want != got {
			rt.Fatalf("with all objects:\n%s\nwith those that were found:\n%s", want, got)
		}
	})
}

// judge is what Observe and SetWeight do with s, as a text.
func judge(t *rapid.T, c *cluster, target rollout.Target, s snapshot) string {
	in := inspection{router: c.router(), snapshot: s, routes: discover(s, target), target: target}
	if err := in.checkPreview(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.plan = s.makePlan(in.routes, in.target, trafficSplit{weight: 10}, noon)
	problem, err := firstProblem(t.Context(), preconditions, in)
	if err != nil {
		t.Fatal(err)
	}
	tr := in.traffic()
	text := ""
	if dep := target.Deployment; len(target.Track) == 0 {
		track, err := rollout.ChooseTrack(dep.Spec.Template.Labels, dep.Spec.Selector, tr.Selectors, tr.OtherServices, "")
		text = fmt.Sprintf("%v %v\n", track, err)
	}
	tr.OtherServices = nil // only ChooseTrack reads it
	text += fmt.Sprintf("%+v\n%+v\n", tr, problem)
	for _, w := range append(append(in.plan.services, in.plan.ingresses...), in.plan.preview.writes...) {
		b, err := json.Marshal(w.want)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b) + "\n"
	}
	for _, obj := range append(in.plan.stale, in.plan.preview.stale...) {
		text += "deletes " + describe(obj) + "\n"
	}
	return text
}

func drawTarget(t *rapid.T) rollout.Target {
	return target(func(tr *rollout.Target) {
		if rapid.Bool().Draw(t, "no canary yet") {
			tr.Track = nil
		}
		tr.Spec.Services = rapid.SampledFrom([][]string{nil, nil, {"web"}, {"missing"}}).Draw(t, "named Services")
		tr.Spec.Ingresses = rapid.SampledFrom([][]string{nil, nil, {"web"}, {"theirs"}}).Draw(t, "named Ingresses")
		tr.Spec.PreviewHost = rapid.SampledFrom([]string{"", "", "preview.a.test"}).Draw(t, "preview")
	})
}

func drawService(t *rapid.T, tr rollout.Target, name string) *corev1.Service {
	selectors := []map[string]string{
		{"app": "web"}, {"app": "web", "tier": "front"}, {"tier": "front"}, {"app": "web-canary"}, {"tier": "front-canary"},
		{"app": "web-canary", spec.LabelRollout: "7"}, {spec.LabelRollout: "7"}, {"app": "api"}, nil,
	}
	kind := rapid.SampledFrom([]string{"none", "theirs", "own"}).Draw(t, "Service "+name)
	if kind == "none" {
		return nil
	}
	return service(name, "", func(svc *corev1.Service) {
		if kind == "own" {
			svc.ObjectMeta = rollout.OwnedMeta(tr.Deployment, name, "7")
		}
		svc.Spec.Selector = rapid.SampledFrom(selectors).Draw(t, "selector of "+name)
	})
}

func drawIngress(t *rapid.T, tr rollout.Target, name string) *netv1.Ingress {
	kind := rapid.SampledFrom([]string{"none", "stable", "canary", "own"}).Draw(t, "Ingress "+name)
	if kind == "none" {
		return nil
	}
	some := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what+" of "+name) }
	ing := ingress(name, rule(some("host", "a.test", "b.test", ""), path(some("path", "/", "/x"), some("backend", "web", "api", "missing"))))
	if kind == "own" {
		meta := rollout.OwnedMeta(tr.Deployment, name, "7")
		ing.ObjectMeta = meta
	}
	if kind == "canary" || kind == "own" {
		ing = annotated(ing, nginx("canary"), "true", nginx("canary-weight"), "10")
	}
	if some("default backend", "", "", "web") != "" {
		ing.Spec.DefaultBackend = &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "web"}}
	}
	return ing
}
