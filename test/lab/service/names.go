package service

import (
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
)

// zone ends every name of the cluster.
const zone = ".svc.cluster.local."

// ttl is how long an answer may be remembered, in seconds, as CoreDNS has it by default.
const ttl = 5

// ServeDNS answers one query, and has the cluster IP that it answers with listened on.
func (s *Services) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg).SetReply(query)
	answer.Authoritative = true
	size := dns.MaxMsgSize
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize
		if options := query.IsEdns0(); options != nil {
			size = int(options.UDPSize())
		}
	}
	s.answer(answer)
	answer.Truncate(size)
	_ = w.WriteMsg(answer) // who asked is gone, or asks again
}

func (s *Services) answer(m *dns.Msg) {
	if len(m.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return
	}
	question := m.Question[0]
	namespace, name, ok := parse(question.Name)
	if !ok {
		m.Rcode = dns.RcodeNameError
		return
	}
	if !s.watched() {
		m.Rcode = dns.RcodeServerFailure
		return
	}
	svc, err := s.services.Services(namespace).Get(name)
	if err != nil {
		m.Rcode = dns.RcodeNameError
		return
	}
	if question.Qtype != dns.TypeA {
		return // the name exists, a record of that type does not
	}
	for _, address := range s.addresses(svc) {
		m.Answer = append(m.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl},
			A:   address.AsSlice(),
		})
	}
}

// parse takes "SERVICE.NAMESPACE.svc.cluster.local." apart.
func parse(question string) (namespace, name string, ok bool) {
	rest, ok := strings.CutSuffix(strings.ToLower(question), zone)
	if !ok {
		return "", "", false
	}
	name, namespace, ok = strings.Cut(rest, ".")
	return namespace, name, ok && name != "" && namespace != "" && !strings.Contains(namespace, ".")
}

func (s *Services) addresses(svc *corev1.Service) []netip.Addr {
	if svc.Spec.ClusterIP == corev1.ClusterIPNone {
		return s.readyAddresses(svc)
	}
	address, err := netip.ParseAddr(svc.Spec.ClusterIP)
	if err != nil {
		return nil // an ExternalName has none
	}
	for _, p := range svc.Spec.Ports {
		s.listen(netip.AddrPortFrom(address, uint16(p.Port)))
	}
	return []netip.Addr{address}
}
