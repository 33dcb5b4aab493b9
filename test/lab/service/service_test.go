package service

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestParse(t *testing.T) {
	type name struct {
		namespace, service string
		ok                 bool
	}
	for question, want := range map[string]name{
		"web.shop.svc.cluster.local.":     {"shop", "web", true},
		"Web.Shop.SVC.Cluster.Local.":     {"shop", "web", true},
		"web.shop.svc.":                   {},
		"shop.svc.cluster.local.":         {},
		".shop.svc.cluster.local.":        {},
		"pod.web.shop.svc.cluster.local.": {},
		"example.org.":                    {},
	} {
		var got name
		got.namespace, got.service, got.ok = parse(question)
		if got.ok != want.ok || want.ok && got != want {
			t.Errorf("parse(%q) = %v, want %v", question, got, want)
		}
	}
}

func TestBackendsAreReadyEndpointsOfThePort(t *testing.T) {
	slice := &discoveryv1.EndpointSlice{
		Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}, {Name: new("admin"), Port: new(int32(9090))}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.244.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
			{Addresses: []string{"10.244.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
			{Addresses: []string{"10.244.0.3"}},
		},
	}
	unnamed := slice.DeepCopy()
	unnamed.Ports = []discoveryv1.EndpointPort{{Port: new(int32(8080))}}
	at := func(addresses ...string) (all []netip.AddrPort) {
		for _, a := range addresses {
			all = append(all, netip.MustParseAddrPort(a))
		}
		return all
	}
	for sentence, c := range map[string]struct {
		slice *discoveryv1.EndpointSlice
		port  string
		want  []netip.AddrPort
	}{
		"a named port":             {slice, "admin", at("10.244.0.1:9090", "10.244.0.3:9090")},
		"the only, unnamed port":   {unnamed, "", at("10.244.0.1:8080", "10.244.0.3:8080")},
		"a name that is not there": {slice, "grpc", nil},
		"no name among named":      {slice, "", nil},
	} {
		got := backends([]*discoveryv1.EndpointSlice{c.slice}, c.port)
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}
