package controlplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// ServiceRange holds the cluster IP of every Service.
const ServiceRange = "10.96.0.0/16"

const etcdURL = "http://127.0.0.1:2379"

func (c *ControlPlane) startEtcd(ctx context.Context) error {
	_, err := c.run(ctx, "etcd", c.options.Etcd, []string{
		"--data-dir=" + c.file("etcd"),
		"--listen-client-urls=" + etcdURL,
		"--advertise-client-urls=" + etcdURL,
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--unsafe-no-fsync", // the data does not outlive the lab
		"--log-level=warn",
	}, answers(http.DefaultClient, etcdURL+"/health"))
	return err
}

// StartAPIServer starts the API server and waits until it is ready. It must not run.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config(Admin))
	if err != nil {
		return err
	}
	c.apiServer, err = c.run(ctx, "kube-apiserver", c.options.APIServer, []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=0.0.0.0",
		"--secure-port=6443",
		"--advertise-address=" + c.options.Host.String(),
		"--tls-cert-file=" + c.file("apiserver.crt"),
		"--tls-private-key-file=" + c.file("apiserver.key"),
		"--token-auth-file=" + c.file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("serviceaccount.key"),
		"--service-account-signing-key-file=" + c.file("serviceaccount.key"),
		"--service-cluster-ip-range=" + ServiceRange,
		"--endpoint-reconciler-type=none",
		// The Service of a webhook or an API is resolved through its EndpointSlices: cluster IPs are served to pods only.
		"--enable-aggregator-routing=true",
		"--audit-policy-file=" + c.file("audit-policy.yaml"),
		"--audit-log-path=" + c.file(auditLog),
		"--audit-log-maxsize=1000000", // MB: at 100, the default, a new file would begin, which nobody reads
		// One client may send most requests: it runs thousands of hollow pods.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=0",
		"--max-mutating-requests-inflight=0",
		"--profiling=false",
	}, answers(client, c.URL()+"/readyz"))
	return err
}

// StopAPIServer ends the API server as an upgrade does, and kills it when grace has passed:
// with 0 at once. What is stored stays.
func (c *ControlPlane) StopAPIServer(grace time.Duration) { c.apiServer.Stop(grace) }

// controllers is what the life of a Deployment, its Services, Jobs and namespace needs.
var controllers = []string{
	"deployment-controller", "replicaset-controller", "endpointslice-controller",
	"garbage-collector-controller", "horizontal-pod-autoscaler-controller", "job-controller",
	"disruption-controller", "namespace-controller", "serviceaccount-controller", "resourcequota-controller",
}

func (c *ControlPlane) startControllerManager(ctx context.Context) error {
	// Its own /healthz, on loopback, says that the controllers run.
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	_, err := c.run(ctx, "kube-controller-manager", c.options.ControllerManager, []string{
		"--kubeconfig=" + c.file("controller-manager.kubeconfig"),
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=10257",
		"--cert-dir=" + c.file("controller-manager"),
		"--authorization-always-allow-paths=/healthz",
		"--kube-api-qps=2000",
		"--kube-api-burst=4000",
		"--concurrent-deployment-syncs=10",
		"--concurrent-replicaset-syncs=10",
		// By default an autoscaler checks every 15 s, ignores the load of a new pod for 5 minutes
		// and waits 5 minutes before it scales down. That is too slow for a test.
		"--horizontal-pod-autoscaler-sync-period=2s",
		"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
		"--horizontal-pod-autoscaler-cpu-initialization-period=1s",
		"--horizontal-pod-autoscaler-downscale-stabilization=5s",
		"--profiling=false",
	}, answers(insecure, "https://127.0.0.1:10257/healthz"))
	return err
}

// answers checks that url answers 200.
func answers(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s: %s", url, res.Status, body)
		}
		return nil
	}
}
