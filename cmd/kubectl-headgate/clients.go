package main

import (
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	netv1 "k8s.io/client-go/kubernetes/typed/networking/v1"
	"k8s.io/client-go/rest"
)

// clients are those of the API groups that this program reads. A client of every group
// would make the program half as big again, and slower to start.
type clients struct {
	apps    appsv1.AppsV1Interface
	core    corev1.CoreV1Interface
	events  eventsv1.EventsV1Interface
	network netv1.NetworkingV1Interface
}

// newClients share one connection.
func newClients(config *rest.Config) (*clients, error) {
	web, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	c := &clients{}
	if c.apps, err = appsv1.NewForConfigAndClient(config, web); err != nil {
		return nil, err
	}
	if c.core, err = corev1.NewForConfigAndClient(config, web); err != nil {
		return nil, err
	}
	if c.events, err = eventsv1.NewForConfigAndClient(config, web); err != nil {
		return nil, err
	}
	c.network, err = netv1.NewForConfigAndClient(config, web)
	return c, err
}
