package service

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
)

// listen forwards connections to at from now on, unless it does so already. An address that
// cannot be listened on refuses connections.
func (s *Services) listen(at netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[at] != nil || s.ctx.Err() != nil {
		return
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return
	}
	s.listeners[at] = l
	s.work.Go(func() { s.accept(l, at) })
}

func (s *Services) accept(l net.Listener, at netip.AddrPort) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed by Stop
		}
		s.work.Go(func() { s.forward(conn.(*net.TCPConn), at) })
	}
}

// forward connects the client to an endpoint until one of them, or Stop, ends the
// connection. Without an endpoint it resets the connection.
func (s *Services) forward(client *net.TCPConn, at netip.AddrPort) {
	defer client.Close()
	pod, ok := s.dial(at)
	if !ok {
		_ = client.SetLinger(0) // a reset, not an empty answer
		return
	}
	defer pod.Close()
	stop := context.AfterFunc(s.ctx, func() {
		_ = client.Close()
		_ = pod.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pass(pod, client) })
	both.Go(func() { pass(client, pod) })
	both.Wait()
}

func (s *Services) dial(at netip.AddrPort) (*net.TCPConn, bool) {
	backend, ok := s.backend(at)
	if !ok {
		return nil, false
	}
	conn, err := new(net.Dialer).DialContext(s.ctx, "tcp", backend.String())
	if err != nil {
		return nil, false
	}
	return conn.(*net.TCPConn), true
}

// pass copies one direction of a connection and then closes it for writing: the other
// direction may have more data. An error ends both directions.
func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.Close()
		_ = to.Close()
		return
	}
	_ = to.CloseWrite()
}
