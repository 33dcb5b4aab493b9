package lab

import (
	"context"
	"net/netip"

	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/netns"
	"github.com/headgate/headgate/test/lab/service"
)

// nameServer is the address of the cluster's DNS: by convention the tenth cluster IP,
// which the API server does not assign by itself.
var nameServer = netip.MustParseAddr("10.96.0.10")

// startServices makes Services reachable by their names, for pods.
func (l *Lab) startServices(ctx context.Context) error {
	if !l.options.Node {
		return nil
	}
	clients, err := l.nodeClient()
	if err != nil {
		return err
	}
	if err := netns.AddRange(netip.MustParsePrefix(controlplane.ServiceRange)); err != nil {
		return err
	}
	l.services, err = service.Start(ctx, clients, nameServer)
	return err
}
