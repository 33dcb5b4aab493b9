package ingress

import (
	"strings"
	"testing"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// canaryElsewhere is a canary Ingress theirs of another namespace.
func canaryElsewhere(rules ...netv1.IngressRule) *netv1.Ingress {
	return elsewhere(annotated(ingress("theirs", rules...), nginx("canary"), "true"))
}

func ofClass(ing *netv1.Ingress, class string) *netv1.Ingress {
	ing.Spec.IngressClassName = &class
	return ing
}

// The cluster has Ingress web for a.test/, and for every host at /all, to Service web.
// It has Ingress api for a.test/api to Service api, which is not split.
func TestForeignCanariesOfOtherNamespaces(t *testing.T) {
	message := func(host, path string) string {
		return `an Ingress of another namespace is a canary for host "` + host + `", path "` + path + `" of Ingress "web": ` +
			`have the operator of the cluster delete it, because a controller may use canaries of every namespace ` +
			`and uses only one for each Service`
	}
	rootMessage := message("a.test", "/")
	for name, tc := range map[string]struct {
		theirs  *netv1.Ingress
		message string // "" for no problem
	}{
		"the same host and path": {canaryElsewhere(rule("a.test", path("/", "x"))), rootMessage},
		"beside other hosts": {
			canaryElsewhere(rule("b.test", path("/", "x")), rule("a.test", path("/x", "x"), path("/", "x"))), rootMessage},
		"a path that is equal once normalised": {
			canaryElsewhere(rule("a.test", typed(path("", "x"), nil))), message("a.test", "")},
		"a rule for every host": {
			canaryElsewhere(rule("", path("/all", "x"))), message("", "/all")},
		"a class of the same controller": {ofClass(canaryElsewhere(rule("a.test", path("/", "x"))), "nginx-2"), rootMessage},
		"a class that nobody knows":      {ofClass(canaryElsewhere(rule("a.test", path("/", "x"))), "unknown"), rootMessage},
		"a class of another controller":  {ofClass(canaryElsewhere(rule("a.test", path("/", "x"))), "acme"), ""},
		"another host":                   {canaryElsewhere(rule("b.test", path("/", "x"))), ""},
		"another path":                   {canaryElsewhere(rule("a.test", path("/x", "x"))), ""},
		"another path type":              {canaryElsewhere(rule("a.test", typed(path("/", "x"), new(netv1.PathTypeExact)))), ""},
		"a path to a Service beside it":  {canaryElsewhere(rule("a.test", path("/api", "x"))), ""},
		"no canary":                      {elsewhere(ingress("theirs", rule("a.test", path("/", "x")))), ""},
		"a canary that is switched off":  {annotated(canaryElsewhere(rule("a.test", path("/", "x"))), nginx("canary"), "false"), ""},
		"a canary for another dialect only": {
			elsewhere(annotated(ingress("theirs", rule("a.test", path("/", "x"))), "ingress.acme.test/canary", "true")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(nginxClass(), class("nginx-2", "k8s.io/ingress-nginx"), class("acme", "acme.test/ingress"),
				service("web", "web"), service("api", "api"),
				ingress("web", rule("a.test", path("/", "web")), rule("", path("/all", "web"))),
				ingress("api", rule("a.test", path("/api", "api"))), tc.theirs)
			var want reason.Reason
			if tc.message != "" {
				want = reason.ForeignCanary
			}
			expectProblem(t, want, tc.message, c.observe(t, func(tr *rollout.Target) { tr.Track = nil }).Problem)

			c.setWeight(t, 10)
			expectProblem(t, want, tc.message, c.observe(t).Problem)
		})
	}
}

// A message that changed with the order of the cache would be a new event each time. One of
// another namespace is told by its path, and not by its name.
func TestTheFirstForeignCanaryIsTold(t *testing.T) {
	late, early := canaryElsewhere(rule("a.test", path("/", "x"))), canaryElsewhere(rule("a.test", typed(path("", "x"), nil)))
	early.Namespace = "books"
	c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("a.test", path("/", "web"))), late, early)
	expect := func(words string) {
		t.Helper()
		p := c.observe(t).Problem
		if p == nil || p.Reason != reason.ForeignCanary || !strings.HasPrefix(p.Message, words) || strings.Contains(p.Message, "theirs") {
			t.Errorf("got %+v, want %s", p, words)
		}
	}
	expect(`an Ingress of another namespace is a canary for host "a.test", path "" of`)
	beside := annotated(ingress("beside", rule("a.test", path("/", "x"))), nginx("canary"), "true")
	c.add(t, beside)
	expect(`Ingress "beside", which Headgate did not make,`)
	c.remove(t, beside)
	c.remove(t, early)
	expect(`an Ingress of another namespace is a canary for host "a.test", path "/" of`)
}
