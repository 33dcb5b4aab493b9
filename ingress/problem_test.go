package ingress

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

func TestProblem(t *testing.T) {
	web := service("web", "web")
	ing := ingress("web", rule("a.test", path("/", "web")))
	canarySvc, canaryIng := canaries(target(), ing, 10)
	selecting := func(name string, keysAndValues ...string) *corev1.Service {
		return service(name, "", func(svc *corev1.Service) {
			svc.Spec.Selector = map[string]string{}
			for i := 0; i < len(keysAndValues); i += 2 {
				svc.Spec.Selector[keysAndValues[i]] = keysAndValues[i+1]
			}
		})
	}
	canaryOf := func(host string, p netv1.HTTPIngressPath) *netv1.Ingress {
		return annotated(ingress("theirs", rule(host, p)), nginx("canary"), "true")
	}
	for name, tc := range map[string]struct {
		spec    spec.Spec
		objects []any
		reason  reason.Reason // "" for none
		message string
	}{
		"all is well": {objects: []any{web, ing, canaryIng}},
		"well by name": {
			spec: spec.Spec{Services: []string{"web"}, Ingresses: []string{"web"}}, objects: []any{web, ing},
		},

		"no Service": {
			objects: []any{service("api", "api"), ing}, reason: reason.NoService,
			message: `no Service in namespace "shop" selects the pods of Deployment "web": create one whose selector matches its pod labels`,
		},
		"a named Service that is not there": {
			spec: spec.Spec{Services: []string{"wbe"}}, objects: []any{web, ing}, reason: reason.NoService,
			message: `headgate.dev/service names Service "wbe", which is not in namespace "shop": create it or correct the annotation`,
		},
		"a named Service of other pods": {
			spec: spec.Spec{Services: []string{"api"}}, objects: []any{web, service("api", "api"), ing}, reason: reason.NoService,
			message: `headgate.dev/service names Service "api", whose selector does not match the pod labels of Deployment "web": ` +
				`correct the selector or the annotation`,
		},
		"a named Service without a selector": {
			spec:    spec.Spec{Services: []string{"web"}},
			objects: []any{service("web", "web", func(svc *corev1.Service) { svc.Spec.Selector = nil }), ing}, reason: reason.ServiceNotSupported,
			message: `Service "web" is of type ExternalName or has no selector, so its traffic cannot be split: ` +
				`give it a selector or name another Service in headgate.dev/service`,
		},
		"a named Service of type ExternalName": {
			spec:    spec.Spec{Services: []string{"web"}},
			objects: []any{service("web", "web", func(svc *corev1.Service) { svc.Spec.Type = corev1.ServiceTypeExternalName }), ing},
			reason:  reason.ServiceNotSupported,
			message: `Service "web" is of type ExternalName or has no selector, so its traffic cannot be split: ` +
				`give it a selector or name another Service in headgate.dev/service`,
		},

		"a Service that was edited to select canary pods too": {
			objects: []any{
				service("web", "web", func(svc *corev1.Service) { svc.Spec.Selector = map[string]string{"tier": "front"} }), ing, canaryIng,
			},
			reason: reason.CanaryIndistinct,
			message: `Service "web" selects the canary pods as well as the stable pods, so the canary gets more traffic than its weight: ` +
				`add app to its selector again`,
		},

		"a Service of somebody else that selects canary pods": {
			objects: []any{web, service("theirs", "web-canary"), ing, canaryIng}, reason: reason.CanaryIndistinct,
			message: `Service "theirs" has the selector app=web-canary, which matches the canary pods and not the stable pods, ` +
				`so its users get the canary: change the selector or delete the Service`,
		},
		"a Service of somebody else that selects one of the canary's labels and another": {
			objects: []any{web, selecting("theirs", "app", "web-canary", "tier", "back"), ing, canaryIng},
		},
		"our own Services select the canary pods": {
			objects: []any{web, canarySvc, buildService(target(), web, forPreview), ing, canaryIng},
		},
		"a Service of type ExternalName selects nothing": {
			objects: []any{
				web, service("theirs", "web-canary", func(svc *corev1.Service) { svc.Spec.Type = corev1.ServiceTypeExternalName }), ing, canaryIng,
			},
		},
		"a Service without a selector selects nothing": {
			objects: []any{web, selecting("theirs"), ing, canaryIng},
		},
		"the canary Service of another Deployment in its own rollout": {
			objects: []any{web, selecting("api-canary", "app", "web-canary", spec.LabelRollout, "8"), ing, canaryIng},
		},

		"no Ingress": {
			objects: []any{web}, reason: reason.NoIngress,
			message: `no Ingress has a path to Service "web": add one, because only traffic that comes through an Ingress can be split`,
		},
		"no Ingress any more, with its canary left": {
			objects: []any{web, canaryIng}, reason: reason.NoIngress,
			message: `no Ingress has a path to Service "web": add one, because only traffic that comes through an Ingress can be split`,
		},
		"one of two named Services has no Ingress": {
			spec: spec.Spec{Services: []string{"web", "web-b"}}, objects: []any{web, service("web-b", "web"), ing}, reason: reason.NoIngress,
			message: `no Ingress has a path to Service "web-b": add one, because only traffic that comes through an Ingress can be split`,
		},
		"a named Ingress that is not there": {
			spec: spec.Spec{Ingresses: []string{"web", "wbe"}}, objects: []any{web, ing}, reason: reason.NoIngress,
			message: `headgate.dev/ingress names Ingress "wbe", which is not in namespace "shop": create it or correct the annotation`,
		},
		"a named Ingress that leads elsewhere": {
			spec: spec.Spec{Ingresses: []string{"api"}}, objects: []any{web, ingress("api", rule("a.test", path("/", "api")))},
			reason: reason.NoIngress,
			message: `headgate.dev/ingress names Ingress "api", which has no path to a Service of Deployment "web": ` +
				`add one or correct the annotation`,
		},
		"a named Ingress that is a canary": {
			spec: spec.Spec{Ingresses: []string{"theirs"}}, objects: []any{web, ing, canaryOf("a.test", path("/", "web"))}, reason: reason.NoIngress,
			message: `headgate.dev/ingress names Ingress "theirs", which is a canary Ingress: name the stable Ingress`,
		},

		"only a default backend": {
			objects: []any{web, defaulting(ingress("all"), "web")}, reason: reason.IngressNotSupported,
			message: `Ingress "all" leads to Service "web" only through its default backend, which cannot be split: ` +
				`add a rule with an http path to it`,
		},
		"a named Ingress with only a default backend": {
			spec: spec.Spec{Ingresses: []string{"all"}}, objects: []any{web, ing, defaulting(ingress("all"), "web")},
			reason: reason.IngressNotSupported,
			message: `Ingress "all" leads to Service "web" only through its default backend, which cannot be split: ` +
				`add a rule with an http path to it`,
		},
		"a default backend beside a path": {
			objects: []any{web, defaulting(ingress("all", rule("a.test", path("/", "web"))), "web")},
		},
		"TLS that is passed through": {
			objects: []any{web, annotated(ing.DeepCopy(), nginx("ssl-passthrough"), "true")}, reason: reason.IngressNotSupported,
			message: `Ingress "web" has nginx.ingress.kubernetes.io/ssl-passthrough: "true", ` +
				`and the controller cannot split TLS traffic that it passes through: remove the annotation`,
		},
		"TLS that is not": {objects: []any{web, annotated(ing.DeepCopy(), nginx("ssl-passthrough"), "false")}},

		"a foreign canary": {
			objects: []any{web, ing, canaryOf("a.test", path("/", "elsewhere"))}, reason: reason.ForeignCanary,
			message: `Ingress "theirs", which Headgate did not make, is a canary for host "a.test", path "/" of Ingress "web": ` +
				`delete it, because a controller uses only one canary for each Service`,
		},
		"a foreign canary that is equal once normalised": {
			objects: []any{web, ing, canaryOf("a.test", typed(path("", "elsewhere"), new(netv1.PathTypeImplementationSpecific)))},
			reason:  reason.ForeignCanary,
			message: `Ingress "theirs", which Headgate did not make, is a canary for host "a.test", path "" of Ingress "web": ` +
				`delete it, because a controller uses only one canary for each Service`,
		},
		"a foreign canary on an Ingress that is not to be split, to the same Service": {
			spec:    spec.Spec{Ingresses: []string{"web"}},
			objects: []any{web, ing, ingress("other", rule("b.test", path("/", "web"))), canaryOf("b.test", path("/", "elsewhere"))},
			reason:  reason.ForeignCanary,
			message: `Ingress "theirs", which Headgate did not make, is a canary for host "b.test", path "/" of Ingress "other": ` +
				`delete it, because a controller uses only one canary for each Service`,
		},
		"a foreign canary of another host": {objects: []any{web, ing, canaryOf("b.test", path("/", "elsewhere"))}},
		"of another path":                  {objects: []any{web, ing, canaryOf("a.test", path("/x", "elsewhere"))}},
		"of a class of another controller": {
			objects: []any{web, ing, ofClass(canaryOf("a.test", path("/", "elsewhere")), "acme"), class("acme", "acme.test/ingress")},
		},
		"of another path type": {
			objects: []any{web, ing, canaryOf("a.test", typed(path("/", "elsewhere"), new(netv1.PathTypeExact)))},
		},
		"of a path to somebody else's Service": {
			objects: []any{web, ing, ingress("api", rule("a.test", path("/api", "api"))), canaryOf("a.test", path("/api", "api-next"))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := target(func(tr *rollout.Target) { tr.Spec = tc.spec })
			s := snapshotOf(tr, append(tc.objects, nginxClass())...)
			got, err := firstProblem(t.Context(), preconditions, inspectionOf(s, tr))
			if err != nil {
				t.Fatal(err)
			}
			expectProblem(t, tc.reason, tc.message, got)
		})
	}
}

// inspectionOf has a Router with the default options that reads an empty cluster.
func inspectionOf(s snapshot, t rollout.Target) inspection {
	return inspection{router: newCluster().router(), snapshot: s, routes: discover(s, t), target: t}
}

func expectProblem(t *testing.T, reason reason.Reason, message string, got *rollout.Problem) {
	t.Helper()
	var want *rollout.Problem
	if reason != "" {
		want = &rollout.Problem{Reason: reason, Message: message}
	}
	diff(t, want, got)
}
