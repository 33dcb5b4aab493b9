package main

import (
	"context"
	"io"
	"net/http"
	"strings"

	admissionv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	authv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	autoscalingv2 "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	batchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	netv1 "k8s.io/client-go/kubernetes/typed/networking/v1"
	policyv1 "k8s.io/client-go/kubernetes/typed/policy/v1"
	"k8s.io/client-go/rest"

	"github.com/headgate/headgate/cmd/kubectl-headgate/doctor"
)

// clients are those of the API groups that most commands read. A client of every group
// would make the program half as big again, and slower to start.
type clients struct {
	apps    appsv1.AppsV1Interface
	core    corev1.CoreV1Interface
	events  eventsv1.EventsV1Interface
	network netv1.NetworkingV1Interface

	// all are those of doctor.
	all func() (doctor.Cluster, error)
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
	if c.network, err = netv1.NewForConfigAndClient(config, web); err != nil {
		return nil, err
	}
	c.all = func() (doctor.Cluster, error) { return c.allWith(config, web) }
	return c, nil
}

// allWith are those of doctor, on the same connection.
func (c *clients) allWith(config *rest.Config, web *http.Client) (doctor.Cluster, error) {
	all := doctor.Cluster{Apps: c.apps, Core: c.core, Network: c.network, Get: getter(config, web)}
	for _, connect := range []func() error{
		func() (err error) { all.Admission, err = admissionv1.NewForConfigAndClient(config, web); return err },
		func() (err error) { all.Auth, err = authv1.NewForConfigAndClient(config, web); return err },
		func() (err error) { all.Batch, err = batchv1.NewForConfigAndClient(config, web); return err },
		func() (err error) { all.Leases, err = coordinationv1.NewForConfigAndClient(config, web); return err },
		func() (err error) { all.Policy, err = policyv1.NewForConfigAndClient(config, web); return err },
		func() (err error) { all.Scaling, err = autoscalingv2.NewForConfigAndClient(config, web); return err },
	} {
		if err := connect(); err != nil {
			return doctor.Cluster{}, err
		}
	}
	return all, nil
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 1 << 20

// getter asks the API server for a path.
func getter(config *rest.Config, web *http.Client) func(context.Context, string) (int, http.Header, []byte, error) {
	return func(ctx context.Context, path string) (int, http.Header, []byte, error) {
		host, _, err := rest.DefaultServerUrlFor(config)
		if err != nil {
			return 0, nil, nil, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(host.String(), "/")+path, nil)
		if err != nil {
			return 0, nil, nil, err
		}
		response, err := web.Do(request)
		if err != nil {
			return 0, nil, nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		return response.StatusCode, response.Header, body, err
	}
}
