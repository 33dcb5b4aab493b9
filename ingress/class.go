package ingress

import (
	"slices"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// legacyClass is what ingress-nginx takes an annotation without an IngressClass
// of that name to mean (its --ingress-class).
const legacyClass = "nginx"

// unknownClass checks that a controller which honours canary annotations serves
// every Ingress: any other sees two equal routes and may take the canary's for
// all traffic.
func (s snapshot) unknownClass(r routes, controllers []string) *rollout.Problem {
	for _, ing := range r.ingresses {
		if p := s.classProblem(ing, controllers); p != nil {
			return p
		}
	}
	return nil
}

func (s snapshot) classProblem(ing *netv1.Ingress, controllers []string) *rollout.Problem {
	name, legacy := className(ing)
	class := s.classes[name]
	if name == "" {
		class = s.defaultClass()
	}
	switch {
	case class != nil && slices.Contains(controllers, class.Spec.Controller):
		return nil
	case class != nil:
		return newProblem(reason.IngressClassUnknown, "Ingress %q is served by controller %q (IngressClass %q), which is not known to honour canary annotations: "+
			"use a class of one of %q, or name only the other Ingresses in %s", ing.Name, class.Spec.Controller, class.Name, controllers, spec.AnnotationIngress)
	case legacy && name == legacyClass:
		return nil
	case name == "":
		return newProblem(reason.IngressClassUnknown, "Ingress %q names no class and the cluster has no default one: "+
			"set spec.ingressClassName, e.g. \"nginx\"", ing.Name)
	}
	return newProblem(reason.IngressClassUnknown, "Ingress %q names class %q, and there is no IngressClass of that name: "+
		"correct it or create the IngressClass", ing.Name, name)
}

// className returns the class that ing names, "" for none, and whether it does
// so by annotation. Controllers look at the field first.
func className(ing *netv1.Ingress) (name string, legacy bool) {
	if ing.Spec.IngressClassName != nil {
		return *ing.Spec.IngressClassName, false
	}
	name = ing.Annotations[annotationClass]
	return name, name != ""
}

// defaultClass returns the class of an Ingress that names none. Of several the
// API server takes the newest, and of equally old ones the first by name.
func (s snapshot) defaultClass() *netv1.IngressClass {
	var found *netv1.IngressClass
	for class := range byName(s.classes) {
		if class.Annotations[netv1.AnnotationIsDefaultIngressClass] != "true" {
			continue
		}
		if found == nil || found.CreationTimestamp.Before(&class.CreationTimestamp) {
			found = class
		}
	}
	return found
}
