// Command kube-controller-manager runs upstream's controllers of the version in go.mod, but
// only those that the lab uses: upstream's own main links every controller there is, and with
// them the volume plugins, the node controllers and the cloud providers.
//
// What it does not do: leader election, authorization of /healthz, which is all that it
// serves, and any controller that is not in controllers.go. It has upstream's flags, as far
// as the lab uses them, and they mean the same, so an installed kube-controller-manager can
// take its place. Package parts builds it, package controlplane runs it.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"
)

// options are the flags. Where a flag is absent its value is upstream's default.
type options struct {
	kubeconfig  string
	controllers []string
	address     net.IP
	port        int
	qps         float32
	burst       int

	deploymentWorkers, replicaSetWorkers int

	autoscalerPeriod         time.Duration
	autoscalerReadinessDelay time.Duration
	autoscalerCPUDelay       time.Duration
	autoscalerStabilization  time.Duration
}

func main() {
	var o options
	flags := pflag.NewFlagSet("kube-controller-manager", pflag.ExitOnError)
	o.register(flags)
	showVersion := flags.Bool("version", false, "print the version and exit")
	_ = flags.Parse(os.Args[1:]) // it exits on errors
	if *showVersion {
		fmt.Println("Kubernetes", version.Get(), "(the lab's controllers only)")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "kube-controller-manager:", err)
		os.Exit(1)
	}
}

func (o *options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`file` with the address of the API server and the credentials")
	flags.StringSliceVar(&o.controllers, "controllers", nil, "`names` of the controllers to run: "+strings.Join(names(), ", "))
	flags.IPVar(&o.address, "bind-address", net.IPv4zero, "`address` of /healthz")
	flags.IntVar(&o.port, "secure-port", 10257, "port of /healthz, over TLS")
	flags.Float32Var(&o.qps, "kube-api-qps", 20, "requests per second of each controller")
	flags.IntVar(&o.burst, "kube-api-burst", 30, "requests of each controller at once")
	flags.IntVar(&o.deploymentWorkers, "concurrent-deployment-syncs", 5, "Deployments handled at once")
	flags.IntVar(&o.replicaSetWorkers, "concurrent-replicaset-syncs", 5, "ReplicaSets handled at once")
	const autoscaler = "horizontal-pod-autoscaler-"
	flags.DurationVar(&o.autoscalerPeriod, autoscaler+"sync-period", 15*time.Second, "`time` between two looks at the metrics")
	flags.DurationVar(&o.autoscalerReadinessDelay, autoscaler+"initial-readiness-delay", 30*time.Second,
		"`time` after its start in which a pod's readiness may still change")
	flags.DurationVar(&o.autoscalerCPUDelay, autoscaler+"cpu-initialization-period", 5*time.Minute,
		"`time` after its start in which a pod's CPU use may be left out")
	flags.DurationVar(&o.autoscalerStabilization, autoscaler+"downscale-stabilization", 5*time.Minute,
		"`time` for which a higher recommendation holds")

	// Upstream needs these to do what this program always does.
	flags.Bool("leader-elect", false, "ignored: there is no leader election")
	flags.Bool("profiling", false, "ignored: there is no profiling")
	flags.String("cert-dir", "", "ignored: the certificate is kept in memory")
	flags.StringSlice("authorization-always-allow-paths", nil, "ignored: /healthz is for everybody")
}

func run(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = o.qps, o.burst
	m, err := newManager(ctx, config, o)
	if err != nil {
		return err
	}
	loops, err := m.build(ctx, o.controllers)
	if err != nil {
		return err
	}
	listener, err := listen(o)
	if err != nil {
		return err
	}
	m.start(ctx)
	for _, loop := range loops {
		go loop(ctx)
	}
	klog.InfoS("The controllers run", "controllers", o.controllers, "version", version.Get())

	server := &http.Server{Handler: http.HandlerFunc(healthz), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// healthz answers once the controllers run.
func healthz(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/healthz" {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprint(w, "ok")
}

func listen(o options) (net.Listener, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{o.address}, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", (&net.TCPAddr{IP: o.address, Port: o.port}).String(), &tls.Config{Certificates: []tls.Certificate{pair}})
}
