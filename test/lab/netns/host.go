package netns

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress gives the lab's machine one more address, on its loopback
// interface. Pods reach it too.
func AddAddress(a netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := netlink.AddrReplace(lo, &netlink.Addr{IPNet: single(a)}); err != nil {
		return fmt.Errorf("add address %s to lo: %w", a, err)
	}
	return nil
}

// AddRange gives the lab's machine every address of p. A program that listens on one of
// them can be reached, also from pods. The others refuse connections.
func AddRange(p netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	route := &netlink.Route{
		LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
	}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("add addresses %s to lo: %w", p, err)
	}
	return nil
}
