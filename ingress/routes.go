package ingress

import (
	"iter"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headgate/headgate/rollout"
)

// routes are the Services and Ingresses of the user through which requests come to
// the pods of one Deployment, and the Services through which none may come. Each list
// is in the order of names.
type routes struct {
	selecting []*corev1.Service // every Service that selects the stable pods
	others    []*corev1.Service // every other Service that selects pods
	services  []*corev1.Service // those of them whose traffic is split
	ingresses []*netv1.Ingress  // the Ingresses that lead to a split Service
}

// serviceNames is a set of names of Services.
type serviceNames map[string]bool

// discover finds the routes of t. It does not split a Service to which no Ingress
// leads, such as the headless Service of a metrics port. It leaves out a Service or
// an Ingress that an annotation names but that does not exist or does not fit: the
// preconditions report it.
func discover(s snapshot, t rollout.Target) routes {
	var r routes
	for svc := range byName(s.services) {
		switch {
		case selects(svc, t.Deployment.Spec.Template.Labels):
			r.selecting = append(r.selecting, svc)
		case canBeSplit(svc):
			r.others = append(r.others, svc)
		}
	}
	candidates := slices.Collect(byName(s.ingresses))
	if len(t.Spec.Ingresses) > 0 {
		candidates = slices.DeleteFunc(candidates, func(ing *netv1.Ingress) bool {
			return !slices.Contains(t.Spec.Ingresses, ing.Name)
		})
	}
	for _, svc := range r.selecting {
		if shouldSplit(svc, t.Spec.Services, candidates) {
			r.services = append(r.services, svc)
		}
	}
	split := r.splitNames()
	for _, ing := range candidates {
		if leadsTo(ing, split) {
			r.ingresses = append(r.ingresses, ing)
		}
	}
	return r
}

// shouldSplit says whether svc is one of the named Services. If the user named
// none, it says whether one of the candidates leads to svc.
func shouldSplit(svc *corev1.Service, named []string, candidates []*netv1.Ingress) bool {
	if len(named) > 0 {
		return slices.Contains(named, svc.Name)
	}
	return slices.ContainsFunc(candidates, func(ing *netv1.Ingress) bool {
		return leadsTo(ing, serviceNames{svc.Name: true})
	})
}

// selects says whether svc sends traffic to pods with these labels.
func selects(svc *corev1.Service, pod map[string]string) bool {
	return canBeSplit(svc) && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod))
}

// canBeSplit says whether svc sends traffic to pods by a selector. The selector of
// an ExternalName Service has no effect.
func canBeSplit(svc *corev1.Service) bool {
	return svc.Spec.Type != corev1.ServiceTypeExternalName && len(svc.Spec.Selector) > 0
}

// leadsTo says whether ing has a path to one of services.
func leadsTo(ing *netv1.Ingress, services serviceNames) bool {
	for range pathsTo(ing, services) {
		return true
	}
	return false
}

// pathsTo yields the paths of ing to one of services, each with its host.
func pathsTo(ing *netv1.Ingress, services serviceNames) iter.Seq2[string, netv1.HTTPIngressPath] {
	return func(yield func(string, netv1.HTTPIngressPath) bool) {
		for host, path := range allPaths(ing) {
			if services[path.Backend.Service.Name] && !yield(host, path) {
				return
			}
		}
	}
}

// allPaths yields the paths of ing to any Service, each with its host.
func allPaths(ing *netv1.Ingress) iter.Seq2[string, netv1.HTTPIngressPath] {
	return func(yield func(string, netv1.HTTPIngressPath) bool) {
		for _, rule := range ing.Spec.Rules {
			for path := range rulePaths(rule) {
				if !yield(rule.Host, path) {
					return
				}
			}
		}
	}
}

// splitNames returns the names of the split Services.
func (r routes) splitNames() serviceNames {
	names := make(serviceNames, len(r.services))
	for _, svc := range r.services {
		names[svc.Name] = true
	}
	return names
}

// traffic returns a Traffic with the fields that follow from the routes alone.
func (r routes) traffic() rollout.Traffic {
	var tr rollout.Traffic
	for _, svc := range r.selecting {
		tr.Selectors = append(tr.Selectors, maps.Clone(svc.Spec.Selector))
	}
	if len(r.others) > 0 {
		tr.OtherServices = make(map[string]map[string]string, len(r.others))
	}
	for _, svc := range r.others {
		tr.OtherServices[svc.Name] = maps.Clone(svc.Spec.Selector)
	}
	for _, svc := range r.services {
		tr.Services = append(tr.Services, svc.Name)
	}
	for _, ing := range r.ingresses {
		tr.Ingresses = append(tr.Ingresses, ing.Name)
	}
	tr.Port = r.port()
	return tr
}

// port returns the port of the first path to the first split Service, as written in
// that path: the metrics of ingress-nginx have different series for "http" and "80".
func (r routes) port() string {
	for _, svc := range r.services {
		for _, ing := range r.ingresses {
			for _, path := range pathsTo(ing, serviceNames{svc.Name: true}) {
				return portAsWritten(path.Backend.Service.Port)
			}
		}
	}
	return ""
}

func portAsWritten(port netv1.ServiceBackendPort) string {
	if port.Name != "" {
		return port.Name
	}
	return strconv.Itoa(int(port.Number))
}

// byName yields the values of m in the order of their keys, so that writes and
// messages have the same order in every pass.
func byName[T any](m map[string]T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(m[name]) {
				return
			}
		}
	}
}
