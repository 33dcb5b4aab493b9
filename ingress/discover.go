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

// routes is the way of a Deployment's traffic: what is split of the user's
// Services and Ingresses. All in the order of their names.
type routes struct {
	selecting []*corev1.Service // select the pods, split or not
	services  []*corev1.Service // split
	ingresses []*netv1.Ingress  // route to a split Service
}

// discover finds the routes of t. A Service that selects the pods but that no
// Ingress leads to, such as the headless one of a metrics port, is not split.
// What the user named and is not there, or does not fit, is left out: problem
// says so.
func discover(s snapshot, t rollout.Target) routes {
	var r routes
	for svc := range byName(s.services) {
		if selects(svc, t.Deployment.Spec.Template.Labels) {
			r.selecting = append(r.selecting, svc)
		}
	}
	reach := slices.Collect(byName(s.ingresses))
	if len(t.Spec.Ingresses) > 0 {
		reach = slices.DeleteFunc(reach, func(ing *netv1.Ingress) bool {
			return !slices.Contains(t.Spec.Ingresses, ing.Name)
		})
	}
	for _, svc := range r.selecting {
		if shouldSplit(svc, t.Spec.Services, reach) {
			r.services = append(r.services, svc)
		}
	}
	split := r.serviceNames()
	for _, ing := range reach {
		if leadsTo(ing, split) {
			r.ingresses = append(r.ingresses, ing)
		}
	}
	return r
}

// wanted says whether svc is to be split: because it is named, or if none is,
// because one of the Ingresses leads to it.
func shouldSplit(svc *corev1.Service, named []string, reach []*netv1.Ingress) bool {
	if len(named) > 0 {
		return slices.Contains(named, svc.Name)
	}
	return slices.ContainsFunc(reach, func(ing *netv1.Ingress) bool {
		return leadsTo(ing, map[string]bool{svc.Name: true})
	})
}

// selects says whether svc sends traffic to pods with these labels. The
// selector of an ExternalName Service has no effect.
func selects(svc *corev1.Service, pod map[string]string) bool {
	return canBeSplit(svc) && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod))
}

func canBeSplit(svc *corev1.Service) bool {
	return svc.Spec.Type != corev1.ServiceTypeExternalName && len(svc.Spec.Selector) > 0
}

func leadsTo(ing *netv1.Ingress, split map[string]bool) bool {
	for range pathsTo(ing, split) {
		return true
	}
	return false
}

// pathsTo yields the paths of ing that lead to a Service in split, with the host
// of each.
func pathsTo(ing *netv1.Ingress, split map[string]bool) iter.Seq2[string, netv1.HTTPIngressPath] {
	return func(yield func(string, netv1.HTTPIngressPath) bool) {
		for host, path := range allPaths(ing) {
			if split[path.Backend.Service.Name] && !yield(host, path) {
				return
			}
		}
	}
}

// paths yields the paths of ing that lead to any Service.
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

// split returns the names of the Services to be split.
func (r routes) serviceNames() map[string]bool {
	names := make(map[string]bool, len(r.services))
	for _, svc := range r.services {
		names[svc.Name] = true
	}
	return names
}

// traffic fills in what discovery knows of a Traffic.
func (r routes) traffic() rollout.Traffic {
	var tr rollout.Traffic
	for _, svc := range r.selecting {
		tr.Selectors = append(tr.Selectors, maps.Clone(svc.Spec.Selector))
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

// port returns the port of the first path to the first split Service, as it is
// written there. The metrics of ingress-nginx tell "http" from "80".
func (r routes) port() string {
	for _, svc := range r.services {
		for _, ing := range r.ingresses {
			for _, path := range pathsTo(ing, map[string]bool{svc.Name: true}) {
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

// byName yields the values of m in the order of their keys.
func byName[T any](m map[string]T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(m[name]) {
				return
			}
		}
	}
}
