package netns

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
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
