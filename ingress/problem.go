package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// problem returns the first precondition that t's routes do not meet, or nil.
// It sees what the cache holds; strangers looks at the pods themselves.
func (s snapshot) firstProblem(r routes, t rollout.Target, controllers []string) *rollout.Problem {
	checks := []func() *rollout.Problem{
		func() *rollout.Problem { return s.namedServices(t) },
		func() *rollout.Problem { return noService(r, t) },
		func() *rollout.Problem { return s.namedIngresses(r, t) },
		func() *rollout.Problem { return s.unrouted(r) },
		func() *rollout.Problem { return s.passthrough(r) },
		func() *rollout.Problem { return s.unknownClass(r, controllers) },
		func() *rollout.Problem { return s.foreignCanary(r) },
		func() *rollout.Problem { return serviceSelectsCanary(r, t) },
	}
	for _, check := range checks {
		if p := check(); p != nil {
			return p
		}
	}
	return nil
}

// entangled looks for a Service that was edited so that it selects the canary's
// pods beside stable's: it gives them traffic that no weight says.
func serviceSelectsCanary(r routes, t rollout.Target) *rollout.Problem {
	canary := maps.Clone(t.Deployment.Spec.Template.Labels)
	maps.Copy(canary, t.Track)
	for _, svc := range r.selecting {
		if len(t.Track) > 0 && selects(svc, canary) {
			return newProblem(reason.CanaryIndistinct, "Service %q selects the canary's pods as well as stable's, so they get traffic beside their weight: "+
				"let it select on %s again", svc.Name, strings.Join(slices.Sorted(maps.Keys(t.Track)), " or "))
		}
	}
	return nil
}

func newProblem(reason reason.Reason, format string, args ...any) *rollout.Problem {
	return &rollout.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// namedServices checks those in the headgate.dev/service annotation.
func (s snapshot) namedServices(t rollout.Target) *rollout.Problem {
	for _, name := range t.Spec.Services {
		svc := s.services[name]
		switch {
		case svc == nil:
			return newProblem(reason.NoService, "%s names Service %q, which is not in namespace %q: create it or correct the annotation",
				spec.AnnotationService, name, t.Deployment.Namespace)
		case !canBeSplit(svc):
			return newProblem(reason.ServiceNotSupported, "Service %q is of type ExternalName or has no selector, so its traffic cannot be split: "+
				"give it a selector or name another Service in %s", name, spec.AnnotationService)
		case !selects(svc, t.Deployment.Spec.Template.Labels):
			return newProblem(reason.NoService, "%s names Service %q, whose selector does not match the pod labels of Deployment %q: "+
				"correct the selector or the annotation", spec.AnnotationService, name, t.Deployment.Name)
		}
	}
	return nil
}

func noService(r routes, t rollout.Target) *rollout.Problem {
	if len(r.selecting) > 0 {
		return nil
	}
	return newProblem(reason.NoService, "no Service in namespace %q selects the pods of Deployment %q: create one whose selector matches its pod labels",
		t.Deployment.Namespace, t.Deployment.Name)
}

// namedIngresses checks those in the headgate.dev/ingress annotation.
func (s snapshot) namedIngresses(r routes, t rollout.Target) *rollout.Problem {
	for _, name := range t.Spec.Ingresses {
		ing := s.ingresses[name]
		switch {
		case ing == nil && s.foreignCanaries[name] != nil:
			return newProblem(reason.NoIngress, "%s names Ingress %q, which is itself a canary: name the stable one", spec.AnnotationIngress, name)
		case ing == nil:
			return newProblem(reason.NoIngress, "%s names Ingress %q, which is not in namespace %q: create it or correct the annotation",
				spec.AnnotationIngress, name, t.Deployment.Namespace)
		case slices.Contains(r.ingresses, ing):
		case defaultsTo(ing, r):
			return defaultBackendOnly(ing)
		default:
			return newProblem(reason.NoIngress, "%s names Ingress %q, which has no path to a Service of Deployment %q: add one or correct the annotation",
				spec.AnnotationIngress, name, t.Deployment.Name)
		}
	}
	return nil
}

// unrouted checks that an Ingress leads to every split Service, and to one at
// least.
func (s snapshot) unrouted(r routes) *rollout.Problem {
	for _, svc := range r.services {
		routed := slices.ContainsFunc(r.ingresses, func(ing *netv1.Ingress) bool {
			return leadsTo(ing, map[string]bool{svc.Name: true})
		})
		if !routed {
			return s.noIngress(r, svc.Name)
		}
	}
	if len(r.services) == 0 && len(r.selecting) > 0 {
		return s.noIngress(r, r.selecting[0].Name)
	}
	return nil
}

func (s snapshot) noIngress(r routes, service string) *rollout.Problem {
	for ing := range byName(s.ingresses) {
		if defaultsTo(ing, r) {
			return defaultBackendOnly(ing)
		}
	}
	return newProblem(reason.NoIngress, "no Ingress has a path to Service %q: only traffic that comes through an Ingress can be split", service)
}

// defaultsTo says whether the default backend of ing is a Service that selects
// the pods.
func defaultsTo(ing *netv1.Ingress, r routes) bool {
	backend := ing.Spec.DefaultBackend
	if backend == nil || backend.Service == nil {
		return false
	}
	for _, svc := range r.selecting {
		if svc.Name == backend.Service.Name {
			return true
		}
	}
	return false
}

func defaultBackendOnly(ing *netv1.Ingress) *rollout.Problem {
	return newProblem(reason.IngressNotSupported, "Ingress %q leads to Service %q only by defaultBackend, which a canary cannot split: "+
		"add a rule with an http path to it", ing.Name, ing.Spec.DefaultBackend.Service.Name)
}

func (s snapshot) passthrough(r routes) *rollout.Problem {
	for _, ing := range r.ingresses {
		if key := "ssl-passthrough"; s.isTrue(ing, key) {
			return newProblem(reason.IngressNotSupported, "Ingress %q has %s: \"true\", and weights do not apply to TLS that is passed through: remove it",
				ing.Name, s.key(key))
		}
	}
	return nil
}

// foreignCanary looks for a canary Ingress of somebody else on any path that
// leads to a split Service, also one of an Ingress that is not ours to split: a
// controller hangs canaries on the Service, not on the path, and only one.
func (s snapshot) foreignCanary(r routes) *rollout.Problem {
	split, taken := r.serviceNames(), map[location]string{}
	for stable := range byName(s.ingresses) {
		for host, path := range pathsTo(stable, split) {
			taken[locationOf(host, path)] = stable.Name
		}
	}
	for canary := range byName(s.foreignCanaries) {
		for host, path := range allPaths(canary) {
			if stable, ok := taken[locationOf(host, path)]; ok {
				return newProblem(reason.ForeignCanary, "Ingress %q is a canary for host %q, path %q of Ingress %q that Headgate did not make: "+
					"delete it, a controller honours only one", canary.Name, host, path.Path, stable)
			}
		}
	}
	return nil
}
