package node

import (
	"fmt"
	"net/netip"
	"sync"
)

// podRange holds the address of every pod of the lab.
var podRange = netip.MustParsePrefix("10.244.0.0/16")

// addresses gives out pod addresses. One that was given back is reused as late as
// possible: an EndpointSlice may still name it.
type addresses struct {
	mu   sync.Mutex
	last netip.Addr
	used map[netip.Addr]bool
}

func newAddresses() *addresses {
	return &addresses{last: podRange.Addr(), used: map[netip.Addr]bool{}}
}

func (a *addresses) take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range 1 << 16 {
		a.last = a.last.Next()
		if !podRange.Contains(a.last) {
			a.last = podRange.Addr().Next()
		}
		if !a.used[a.last] {
			a.used[a.last] = true
			return a.last, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("every address of %s is taken", podRange)
}

func (a *addresses) giveBack(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, addr)
}
