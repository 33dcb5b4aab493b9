package ingress

import (
	"maps"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// checkNamedServices checks the Services in the annotation headgate.dev/service.
func checkNamedServices(in inspection) *rollout.Problem {
	dep := in.target.Deployment
	for _, name := range in.target.Spec.Services {
		svc := in.snapshot.services[name]
		switch {
		case svc == nil:
			return newProblem(reason.NoService,
				"%s names Service %q, which is not in namespace %q: create it or correct the annotation",
				spec.AnnotationService, name, dep.Namespace)
		case !canBeSplit(svc):
			return newProblem(reason.ServiceNotSupported,
				"Service %q is of type ExternalName or has no selector, so its traffic cannot be split: "+
					"give it a selector or name another Service in %s", name, spec.AnnotationService)
		case !selects(svc, dep.Spec.Template.Labels):
			return newProblem(reason.NoService,
				"%s names Service %q, whose selector does not match the pod labels of Deployment %q: "+
					"correct the selector or the annotation", spec.AnnotationService, name, dep.Name)
		}
	}
	return nil
}

func checkAnyService(in inspection) *rollout.Problem {
	if len(in.routes.selecting) > 0 {
		return nil
	}
	dep := in.target.Deployment
	return newProblem(reason.NoService,
		"no Service in namespace %q selects the pods of Deployment %q: create one whose selector matches its pod labels",
		dep.Namespace, dep.Name)
}

// checkNamedIngresses checks the Ingresses in the annotation headgate.dev/ingress.
func checkNamedIngresses(in inspection) *rollout.Problem {
	dep := in.target.Deployment
	for _, name := range in.target.Spec.Ingresses {
		ing := in.snapshot.ingresses[name]
		switch {
		case ing == nil && in.snapshot.foreignCanaries[name] != nil:
			return newProblem(reason.NoIngress,
				"%s names Ingress %q, which is a canary Ingress: name the stable Ingress", spec.AnnotationIngress, name)
		case ing == nil:
			return newProblem(reason.NoIngress,
				"%s names Ingress %q, which is not in namespace %q: create it or correct the annotation",
				spec.AnnotationIngress, name, dep.Namespace)
		case slices.Contains(in.routes.ingresses, ing):
		case hasDefaultBackend(ing, in.routes):
			return defaultBackendOnly(ing)
		default:
			return newProblem(reason.NoIngress,
				"%s names Ingress %q, which has no path to a Service of Deployment %q: add one or correct the annotation",
				spec.AnnotationIngress, name, dep.Name)
		}
	}
	return nil
}

// checkPaths checks that an Ingress leads to every split Service, and that there is
// a split Service.
func checkPaths(in inspection) *rollout.Problem {
	r := in.routes
	for _, svc := range r.services {
		hasPath := slices.ContainsFunc(r.ingresses, func(ing *netv1.Ingress) bool {
			return leadsTo(ing, serviceNames{svc.Name: true})
		})
		if !hasPath {
			return noPath(in, svc.Name)
		}
	}
	if len(r.services) == 0 && len(r.selecting) > 0 {
		return noPath(in, r.selecting[0].Name)
	}
	return nil
}

// noPath says that no Ingress leads to service. If an Ingress leads to the pods by
// its default backend, it names that Ingress, because the user may expect it to be
// split.
func noPath(in inspection, service string) *rollout.Problem {
	for ing := range byName(in.snapshot.ingresses) {
		if hasDefaultBackend(ing, in.routes) {
			return defaultBackendOnly(ing)
		}
	}
	return newProblem(reason.NoIngress,
		"no Ingress has a path to Service %q: add one, because only traffic that comes through an Ingress can be split", service)
}

// hasDefaultBackend says whether the default backend of ing is a Service that
// selects the pods.
func hasDefaultBackend(ing *netv1.Ingress, r routes) bool {
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
	return newProblem(reason.IngressNotSupported,
		"Ingress %q leads to Service %q only through its default backend, which cannot be split: "+
			"add a rule with an http path to it", ing.Name, ing.Spec.DefaultBackend.Service.Name)
}

// checkPassthrough looks for an Ingress whose TLS the controller passes through: it
// sees no requests then, only connections, and splits nothing.
func checkPassthrough(in inspection) *rollout.Problem {
	const name = "ssl-passthrough"
	for _, ing := range in.routes.ingresses {
		if in.snapshot.isTrue(ing, name) {
			return newProblem(reason.IngressNotSupported,
				"Ingress %q has %s: \"true\", and the controller cannot split TLS traffic that it passes through: remove the annotation",
				ing.Name, in.snapshot.key(name))
		}
	}
	return nil
}

// checkSelectors looks for a Service that selects the canary pods although Headgate did
// not make it for this Deployment. Headgate chooses the labels of the canary pods so
// that there is none, but somebody may create a Service or edit a selector later.
func checkSelectors(in inspection) *rollout.Problem {
	t := in.target
	if len(t.Track) == 0 {
		return nil // there is no canary yet
	}
	canary := t.CanaryLabels()
	for _, svc := range in.routes.selecting {
		if selects(svc, canary) {
			return newProblem(reason.CanaryIndistinct,
				"Service %q selects the canary pods as well as the stable pods, so the canary gets more traffic than its weight: "+
					"add %s to its selector again", svc.Name, strings.Join(slices.Sorted(maps.Keys(t.Track)), " or "))
		}
	}
	for _, svc := range in.routes.others {
		if selects(svc, canary) {
			return newProblem(reason.CanaryIndistinct,
				"Service %q has the selector %s, which matches the canary pods and not the stable pods, so its users get the canary: "+
					"change the selector or delete the Service", svc.Name, labels.SelectorFromSet(svc.Spec.Selector))
		}
	}
	return nil
}
