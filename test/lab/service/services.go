package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/miekg/dns"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// Services serves names and cluster IPs.
type Services struct {
	ctx    context.Context
	cancel context.CancelFunc
	names  []io.Closer // the name server's sockets
	work   sync.WaitGroup

	watch     sync.Once
	factory   informers.SharedInformerFactory
	services  corelisters.ServiceLister
	endpoints discoverylisters.EndpointSliceLister

	mu        sync.Mutex
	listeners map[netip.AddrPort]net.Listener
}

// Start serves names on port 53 of address until Stop. Cluster IPs must be addresses of this machine.
func Start(ctx context.Context, client kubernetes.Interface, address netip.Addr) (*Services, error) {
	s := &Services{factory: informers.NewSharedInformerFactory(client, 0), listeners: map[netip.AddrPort]net.Listener{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.services = s.factory.Core().V1().Services().Lister()
	s.endpoints = s.factory.Discovery().V1().EndpointSlices().Lister()
	at := netip.AddrPortFrom(address, 53).String()
	packets, err := net.ListenPacket("udp", at)
	if err != nil {
		return nil, fmt.Errorf("start name server: %w", err)
	}
	streams, err := net.Listen("tcp", at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start name server: %w", err), packets.Close())
	}
	s.names = []io.Closer{packets, streams}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: streams, Handler: s}} {
		s.work.Go(func() { _ = server.ActivateAndServe() }) // returns when its socket is closed
	}
	return s, nil
}

// Stop ends every listener and waits until open connections are cut.
func (s *Services) Stop() {
	s.cancel()
	for _, socket := range s.names {
		_ = socket.Close() // not Shutdown: it has no effect on a server that has not begun yet
	}
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// watched starts the watches at its first call; it is false when Stop came before they had a list.
func (s *Services) watched() bool {
	s.watch.Do(func() {
		s.factory.Core().V1().Services().Informer()
		s.factory.Discovery().V1().EndpointSlices().Informer()
		s.factory.Start(s.ctx.Done())
	})
	for _, synced := range s.factory.WaitForCacheSync(s.ctx.Done()) {
		if !synced {
			return false
		}
	}
	return true
}
