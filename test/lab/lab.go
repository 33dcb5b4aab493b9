package lab

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/netns"
	"github.com/headgate/headgate/test/lab/node"
	"github.com/headgate/headgate/test/lab/parts"
	"github.com/headgate/headgate/test/lab/service"
)

// host is the address of the lab's machine: of the API server, the ingress controller
// and Prometheus. It is not loopback, because pods must reach it.
var host = netip.MustParseAddr("10.255.0.1")

// Options says which parts to run. The zero value is a control plane alone.
type Options struct {
	// Node runs pods. Without it pods stay Pending.
	Node bool
	// Hollow marks pods of the sample service as ready without running them; needs Node.
	Hollow bool
	// Ingress runs Traefik with its nginx provider.
	Ingress bool
	// Throttle is how long Traefik collects changes before it applies them; default 200ms.
	Throttle time.Duration
	// Prometheus scrapes Traefik and the pods that ask for it, every second.
	Prometheus bool
	// Headgate makes InstallHeadgate possible; needs Node.
	Headgate bool
	// PodsReach is the address at which pods reach the API server, for a proxy in between;
	// default: that of the API server.
	PodsReach string
	// Kubectl makes Lab.Kubectl possible, "kubectl headgate" too.
	Kubectl bool
	// Metrics serves the metrics API, which tells autoscalers how busy the pods of the
	// sample service are (package podmetrics explains its numbers); needs Node.
	Metrics bool

	// Dir keeps logs and data; default a new temporary directory, which Stop removes.
	Dir string
}

func (o Options) parts() []parts.Part {
	names := []parts.Part{parts.Etcd, parts.APIServer, parts.ControllerManager}
	if o.Ingress {
		names = append(names, parts.Traefik)
	}
	if o.Prometheus {
		names = append(names, parts.Prometheus)
	}
	if o.Headgate {
		names = append(names, parts.Headgate)
	}
	if o.Kubectl {
		names = append(names, parts.Kubectl, parts.Plugin)
	}
	return names
}

// Lab is a running lab.
type Lab struct {
	// ControlPlane knows who wrote what, and how often a webhook was called.
	ControlPlane *controlplane.ControlPlane
	// Node is nil without Options.Node.
	Node *node.Agent
	// Ingress is nil without Options.Ingress.
	Ingress *Ingress
	// Prometheus is nil without Options.Prometheus.
	Prometheus *Prometheus
	// Dir holds logs: *.log of the parts, pods/NAMESPACE/POD/CONTAINER.log.
	Dir string
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string

	options  Options
	paths    parts.Paths
	client   client.WithWatch
	headgate map[string][]*unstructured.Unstructured // as installed, by the namespace of the release
	services *service.Services
	metrics  *http.Server
	tempDir  string
}

// Start runs the parts and waits until each answers. Call Prepare first. After an error
// nothing runs, and the logs are kept.
func Start(ctx context.Context, o Options) (*Lab, error) {
	l := &Lab{options: o, Dir: o.Dir}
	for _, step := range []func(context.Context) error{
		l.makeDir, l.logToFile, l.findParts, l.startControlPlane, l.startServices, l.startNode,
		l.startIngress, l.startPrometheus, l.startMetrics,
	} {
		if err := step(ctx); err != nil {
			l.keepDir()
			l.Stop()
			return nil, fmt.Errorf("start lab: %w\nthe lab's logs are kept in %s", err, l.Dir)
		}
	}
	return l, nil
}

// Stop ends every part. It removes the directory, unless Options.Dir named it.
func (l *Lab) Stop() {
	if l.metrics != nil {
		_ = l.metrics.Close()
	}
	if l.Prometheus != nil {
		l.Prometheus.Stop()
	}
	if l.Ingress != nil {
		l.Ingress.process.Kill()
	}
	if l.Node != nil {
		l.Node.Stop()
	}
	if l.services != nil {
		l.services.Stop()
	}
	if l.ControlPlane != nil {
		l.ControlPlane.Stop()
	}
	if l.tempDir != "" {
		_ = os.RemoveAll(l.tempDir)
	}
}

// keepDir makes Stop leave the directory.
func (l *Lab) keepDir() { l.tempDir = "" }

// Client returns a client of an administrator, which can watch.
func (l *Lab) Client() client.WithWatch { return l.client }

// RESTConfig returns the client configuration of an administrator.
func (l *Lab) RESTConfig() *rest.Config { return l.ControlPlane.Config(controlplane.Admin) }

func (l *Lab) makeDir(context.Context) (err error) {
	if l.Dir == "" {
		l.Dir, err = os.MkdirTemp("", "headgate-lab-")
		l.tempDir = l.Dir
		return err
	}
	if l.Dir, err = filepath.Abs(l.Dir); err != nil {
		return err
	}
	return os.MkdirAll(l.Dir, 0o755)
}

// logToFile sends the logs of the client libraries, of the whole process, to lab.log.
// They are mostly about watches that end, and would hide the lines of a test.
func (l *Lab) logToFile(context.Context) error {
	f, err := os.Create(filepath.Join(l.Dir, "lab.log"))
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(f, nil))
	klog.SetSlogLogger(logger)
	log.SetLogger(logr.FromSlogHandler(logger.Handler()))
	return nil
}

func (l *Lab) findParts(ctx context.Context) (err error) {
	l.paths, err = parts.Ensure(ctx, os.Stderr, l.options.parts()...)
	return err
}

func (l *Lab) startControlPlane(ctx context.Context) error {
	if err := netns.AddAddress(host); err != nil {
		return err
	}
	var err error
	l.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Dir: l.Dir, Host: host,
		Etcd: l.paths[parts.Etcd], APIServer: l.paths[parts.APIServer], ControllerManager: l.paths[parts.ControllerManager],
	})
	if err != nil {
		return err
	}
	if l.client, err = client.NewWithWatch(l.RESTConfig(), client.Options{}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	l.Kubeconfig = filepath.Join(l.Dir, "kubeconfig")
	return writeKubeconfig(l.Kubeconfig, l.RESTConfig())
}

func (l *Lab) nodeClient() (kubernetes.Interface, error) {
	clients, err := kubernetes.NewForConfig(l.ControlPlane.Config(controlplane.Node))
	if err != nil {
		return nil, fmt.Errorf("make a client for the node: %w", err)
	}
	return clients, nil
}

func (l *Lab) startNode(ctx context.Context) error {
	if !l.options.Node {
		return nil
	}
	clients, err := l.nodeClient()
	if err != nil {
		return err
	}
	l.Node, err = node.Start(ctx, node.Options{
		Client: clients, Host: host, DNS: nameServer, Dir: l.Dir, Hollow: l.options.Hollow,
		Program: l.program, PodConfig: l.podConfig,
	})
	return err
}

// podConfig is the client configuration of a pod.
func (l *Lab) podConfig(token string) *rest.Config {
	c := l.ControlPlane.ConfigWithToken(token)
	if l.options.PodsReach != "" {
		c.Host = "https://" + l.options.PodsReach
	}
	return c
}
