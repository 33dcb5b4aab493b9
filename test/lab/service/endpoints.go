package service

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// slicesOf are svc's EndpointSlices.
func (s *Services) slicesOf(svc *corev1.Service) []*discoveryv1.EndpointSlice {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: svc.Name})
	found, _ := s.endpoints.EndpointSlices(svc.Namespace).List(selector) // from memory: no error
	return found
}

// readyAddresses are the addresses of svc's ready endpoints, each once.
func (s *Services) readyAddresses(svc *corev1.Service) []netip.Addr {
	var all []netip.Addr
	for _, slice := range s.slicesOf(svc) {
		all = append(all, ready(slice)...)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// backend returns one ready endpoint of the cluster IP and port at; false if there is none.
func (s *Services) backend(at netip.AddrPort) (netip.AddrPort, bool) {
	svc, port := s.find(at)
	if svc == nil {
		return netip.AddrPort{}, false
	}
	all := backends(s.slicesOf(svc), port)
	if len(all) == 0 {
		return netip.AddrPort{}, false
	}
	return all[rand.IntN(len(all))], true
}

// find looks up the Service by its cluster IP, again for each connection: another Service
// may have the address of a deleted one. port is the name of the Service port.
func (s *Services) find(at netip.AddrPort) (svc *corev1.Service, port string) {
	all, _ := s.services.List(labels.Everything()) // from memory: no error
	for _, svc := range all {
		if svc.Spec.ClusterIP != at.Addr().String() {
			continue
		}
		for _, p := range svc.Spec.Ports {
			if p.Port == int32(at.Port()) && p.Protocol == corev1.ProtocolTCP {
				return svc, p.Name
			}
		}
	}
	return nil, ""
}

// backends are the ready endpoints for the Service port of that name: an EndpointSlice repeats
// the names, with the pods' own port numbers.
func backends(from []*discoveryv1.EndpointSlice, port string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, slice := range from {
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != port || p.Name == nil && port != "" {
				continue
			}
			for _, address := range ready(slice) {
				all = append(all, netip.AddrPortFrom(address, uint16(*p.Port)))
			}
		}
	}
	return all
}

// ready are the addresses of the slice's ready endpoints: unknown counts as ready, says the API.
func ready(slice *discoveryv1.EndpointSlice) []netip.Addr {
	var all []netip.Addr
	for _, e := range slice.Endpoints {
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		for _, text := range e.Addresses {
			if address, err := netip.ParseAddr(text); err == nil {
				all = append(all, address)
			}
		}
	}
	return all
}
