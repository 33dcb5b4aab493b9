package robust

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between the managers and the API server. It understands nothing of what it
// passes on, so TLS is the managers' own.
type proxy struct {
	target string
	delay  atomic.Int64 // of everything that the API server says
	away   atomic.Bool  // nobody gets through

	mu          sync.Mutex
	connections map[net.Conn]bool
}

// startProxy serves at address, in front of target.
func startProxy(address, target string) (*proxy, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for managers: %w", err)
	}
	p := &proxy{target: target, connections: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p, nil
}

// slow delays every answer and every event of a watch by d.
func (p *proxy) slow(d time.Duration) { p.delay.Store(int64(d)) }

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.connections {
		_ = c.Close()
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	if p.away.Load() {
		p.mu.Unlock()
		return
	}
	p.connections[client] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.connections, client)
	}()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	p.passLater(client, server)
}

// chunk is a part of what the API server says.
type chunk struct {
	due  time.Time
	data []byte
}

func (p *proxy) passLater(client, server net.Conn) {
	chunks := make(chan chunk, 4096)
	go func() {
		defer close(chunks)
		for {
			data := make([]byte, 16<<10)
			n, err := server.Read(data)
			if n > 0 {
				chunks <- chunk{time.Now().Add(time.Duration(p.delay.Load())), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if _, err := client.Write(c.data); err != nil {
			_ = server.Close() // ends the reader, and so the loop
		}
	}
}
