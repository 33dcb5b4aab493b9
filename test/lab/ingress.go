package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/parts"
	"github.com/headgate/headgate/test/lab/process"
)

// IngressClass is the class that the lab's ingress controller serves.
const IngressClass = "nginx"

const (
	ingressPort     = 80
	traefikPort     = 8080            // its API and its metrics
	startLimit      = 2 * time.Minute // of a part, on a busy machine with cold disks
	defaultThrottle = 200 * time.Millisecond
)

// Ingress is the running ingress controller: Traefik, which honours the canary annotations of
// ingress-nginx.
type Ingress struct {
	process *process.Process
	client  client.Client
}

// IngressURL is the address of the ingress controller, in every lab's network namespace.
const IngressURL = "http://10.255.0.1"

// URL is the address of the ingress controller.
func (i *Ingress) URL() string { return IngressURL }

// APIURL is the address of Traefik's own API: /api/http/services has the weights in
// force, /metrics the counters.
func (i *Ingress) APIURL() string { return fmt.Sprintf("http://%s:%d", host, traefikPort) }

func (l *Lab) startIngress(ctx context.Context) error {
	if !l.options.Ingress {
		return nil
	}
	class := &netv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: IngressClass},
		Spec:       netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
	}
	if err := l.client.Create(ctx, class); err != nil {
		return fmt.Errorf("create IngressClass %q: %w", IngressClass, err)
	}
	kubeconfig := filepath.Join(l.Dir, "traefik.kubeconfig")
	if err := writeKubeconfig(kubeconfig, l.ControlPlane.Config(controlplane.Ingress)); err != nil {
		return err
	}
	p, err := process.Start(process.Spec{
		Name: "traefik", Path: l.paths[parts.Traefik], Args: l.traefikArgs(),
		Env: append(os.Environ(), "KUBECONFIG="+kubeconfig),
		Log: filepath.Join(l.Dir, "traefik.log"),
	})
	if err != nil {
		return err
	}
	l.Ingress = &Ingress{process: p, client: l.client}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	// Without any Ingress it answers 404.
	return p.WaitReady(ctx, answers(l.Ingress.URL(), http.StatusNotFound))
}

func (l *Lab) traefikArgs() []string {
	throttle := l.options.Throttle
	if throttle == 0 {
		throttle = defaultThrottle
	}
	return []string{
		// Only this address: package service listens on port 80 of the cluster IPs.
		fmt.Sprintf("--entrypoints.web.address=%s:%d", host, ingressPort),
		fmt.Sprintf("--entrypoints.traefik.address=%s:%d", host, traefikPort),
		"--providers.kubernetesingressnginx=true",
		"--providers.kubernetesingressnginx.publishstatusaddress=" + host.String(),
		"--providers.providersthrottleduration=" + throttle.String(),
		"--metrics.prometheus=true",
		"--metrics.prometheus.addrouterslabels=true",
		"--api.insecure=true",
		"--api.dashboard=false",
		"--global.checknewversion=false",
		"--global.sendanonymoususage=false",
		"--log.level=INFO",
	}
}

// answers checks that url answers with status code.
func answers(url string, code int) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if res.StatusCode != code {
			err = fmt.Errorf("%s answered %s, want %d", url, res.Status, code)
		}
		_ = res.Body.Close()
		return err
	}
}

// AwaitRoute waits until the ingress controller routes requests for host to a pod.
func (l *Lab) AwaitRoute(ctx context.Context, host string) error {
	return Poll(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Ingress.URL(), nil)
		if err != nil {
			return err
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.Header.Get(app.VersionHeader) == "" {
			return fmt.Errorf("%s is not routed to a pod yet: %s", host, res.Status)
		}
		return nil
	})
}
