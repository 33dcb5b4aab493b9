package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is the network of one pod: an interface eth0 with one address,
// reachable from the lab's machine by a route to that one address. Two
// Namespaces may listen on the same port. It lives until Close.
type Namespace struct {
	fd   int
	link string
	once sync.Once
}

// New makes a network with address a. Its gateway is the lab's own address
// gateway, which must be one of the machine's (AddAddress). The name of the interface on the
// machine's side is link (at most 15 bytes, unique).
func New(link string, a, gateway netip.Addr) (*Namespace, error) {
	fd, err := unshared()
	if err != nil {
		return nil, fmt.Errorf("make network namespace for %s: %w", a, err)
	}
	n := &Namespace{fd: fd, link: link}
	if err := n.connect(a, gateway); err != nil {
		n.Close()
		return nil, fmt.Errorf("connect network of %s: %w", a, err)
	}
	return n, nil
}

// unshared makes a network namespace that no process is in: the thread that made it ends.
func unshared() (fd int, err error) {
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		// Not /proc/PID/task/TID: /proc is the host's and knows the thread by another number.
		fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// onOwnThread runs f on a thread that ends after it: nothing else runs on the thread that
// f has changed.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		done <- f()
	}()
	return <-done
}

// Do runs f on a thread inside the namespace. A process that f starts stays
// inside; a goroutine that f starts does not.
func (n *Namespace) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// Close cuts the network off at once: connections to its address fail with
// "no route to host" from then on. A second Close does nothing. Processes still inside keep running without network.
func (n *Namespace) Close() {
	n.once.Do(func() {
		if link, err := netlink.LinkByName(n.link); err == nil {
			_ = netlink.LinkDel(link)
		}
		_ = unix.Close(n.fd)
	})
}

// connect lays a veth pair: eth0 inside, with every route through the
// machine, and on the machine a route to a alone. No bridge: when the pod is gone its
// route is gone too, and a dial fails at once instead of waiting for ARP.
func (n *Namespace) connect(a, gateway netip.Addr) error {
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: n.link, MTU: 1500},
		PeerName:      "eth0",
		PeerNamespace: netlink.NsFd(n.fd),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth %s: %w", n.link, err)
	}
	if err := n.Do(func() error { return configureInside(a, gateway) }); err != nil {
		return err
	}
	host, err := netlink.LinkByName(n.link)
	if err != nil {
		return fmt.Errorf("find veth %s: %w", n.link, err)
	}
	if err := netlink.LinkSetUp(host); err != nil {
		return fmt.Errorf("bring veth %s up: %w", n.link, err)
	}
	route := &netlink.Route{LinkIndex: host.Attrs().Index, Dst: single(a), Scope: netlink.SCOPE_LINK, Src: gateway.AsSlice()}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("add route to %s: %w", a, err)
	}
	return nil
}

// configureInside must run on a thread inside: netlink.NewHandleAt would find its way back
// through /proc/PID/task/TID, which does not exist here.
func configureInside(a, gateway netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo inside: %w", err)
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0 inside: %w", err)
	}
	if err := errors.Join(netlink.LinkSetUp(lo), netlink.AddrAdd(eth0, &netlink.Addr{IPNet: single(a)}), netlink.LinkSetUp(eth0)); err != nil {
		return fmt.Errorf("bring interfaces up inside: %w", err)
	}
	// The gateway is on no subnet of eth0, hence ONLINK.
	route := &netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("add default route inside: %w", err)
	}
	return nil
}

func single(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}
