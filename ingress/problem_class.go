package ingress

import (
	"slices"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// legacyClass is the class that ingress-nginx serves by annotation even if there is
// no IngressClass of that name (its --ingress-class).
const legacyClass = "nginx"

// checkClasses checks that a controller which supports canary annotations serves
// every Ingress. Any other controller takes the canary Ingress for an ordinary one
// with the same paths, and may send it all requests.
func checkClasses(in inspection) *rollout.Problem {
	for _, ing := range in.routes.ingresses {
		if p := in.snapshot.classProblem(ing, in.router.controllers); p != nil {
			return p
		}
	}
	return nil
}

func (s snapshot) classProblem(ing *netv1.Ingress, controllers []string) *rollout.Problem {
	name, legacy := className(ing)
	class := s.classOf(ing)
	switch {
	case class != nil && slices.Contains(controllers, class.Spec.Controller):
		return nil
	case class != nil:
		return newProblem(reason.IngressClassUnknown,
			"Ingress %q is served by controller %q (IngressClass %q), which is not known to support canary annotations: "+
				"use an IngressClass of one of the controllers %q, or name only the other Ingresses in %s",
			ing.Name, class.Spec.Controller, class.Name, controllers, spec.AnnotationIngress)
	case legacy && name == legacyClass:
		return nil
	case name == "":
		return newProblem(reason.IngressClassUnknown,
			"Ingress %q names no class, and the cluster has no default IngressClass: "+
				"set spec.ingressClassName, e.g. \"nginx\"", ing.Name)
	}
	return newProblem(reason.IngressClassUnknown,
		"Ingress %q names class %q, and no IngressClass has that name: "+
			"correct the class or create the IngressClass", ing.Name, name)
}

// classOf returns the class of ing, the default class if ing names none. It is nil if
// there is no such class.
func (s snapshot) classOf(ing *netv1.Ingress) *netv1.IngressClass {
	if name, _ := className(ing); name != "" {
		return s.classes[name]
	}
	return s.defaultClass()
}

// mayShareController says whether one controller may serve both Ingresses: unless the
// classes of both exist and are for different controllers.
func (s snapshot) mayShareController(a, b *netv1.Ingress) bool {
	classA, classB := s.classOf(a), s.classOf(b)
	return classA == nil || classB == nil || classA.Spec.Controller == classB.Spec.Controller
}

// className returns the class that ing names, "" for none, and whether it names it
// by annotation. Controllers read the field first.
func className(ing *netv1.Ingress) (name string, legacy bool) {
	if ing.Spec.IngressClassName != nil {
		return *ing.Spec.IngressClassName, false
	}
	name = ing.Annotations[annotationClass]
	return name, name != ""
}

// defaultClass returns the class of an Ingress that names none, nil if there is no
// default class. It chooses as the API server does: of several default classes the
// newest, and of equally old ones the first by name.
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
