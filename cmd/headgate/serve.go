package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/gate"
	"github.com/headgate/headgate/certs"
	"github.com/headgate/headgate/ingress"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
	"github.com/headgate/headgate/webhook"
)

var (
	_ controller.Router      = (*ingress.Router)(nil)
	_ controller.Judge       = judge{}
	_ controller.Gatekeeper  = (*gate.Gatekeeper)(nil)
	_ controller.Autoscalers = (*autoscaler.Holder)(nil)
)

// stopDelay is how long the process still serves after it was told to stop. It is
// not ready during that time. An API server may call the webhook until it has seen
// that this endpoint is gone.
const stopDelay = 5 * time.Second

// stopTimeout is the longest that the manager may take to stop after stopDelay.
// 5 s + 20 s stay below the chart's terminationGracePeriodSeconds of 30 s.
const stopTimeout = 20 * time.Second

// How long the Lease of the leader is valid, for how long the leader tries to renew it, and
// how long it waits between two tries. One try may take half of renewDeadline: an API server
// that answers after 5 s leaves the leader its Lease. With the defaults of client-go, 15 s and
// 10 s, nobody leads then. A leader that is killed is replaced after leaseDuration, so it is no
// longer than that needs; one that is stopped gives the Lease back.
const (
	leaseDuration = 20 * time.Second
	renewDeadline = 15 * time.Second
	retryPeriod   = 2 * time.Second
)

// serve runs the manager until stopDelay after ctx is done.
func serve(ctx context.Context, cfg Config, out io.Writer) error {
	logger := newLogger(out, cfg.LogLevel, cfg.LogFormat)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	limitMemory(cfg.MemoryLimit)

	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	mgr, err := newManager(ctx, restConfig, cfg)
	if err != nil {
		return err
	}
	logger.Info("starting", "version", version, "namespace", cfg.Namespace)
	return mgr.Start(delayDone(ctx, stopDelay))
}

// newManager returns a manager with everything that this process runs. The process
// is no longer ready once ctx is done.
func newManager(ctx context.Context, restConfig *rest.Config, cfg Config) (ctrl.Manager, error) {
	var cert certificate // nil without a webhook
	if cfg.AdmissionMode == byWebhook {
		var err error
		if cert, err = newCertificate(cfg); err != nil {
			return nil, err
		}
	}
	mgr, err := ctrl.NewManager(restConfig, managerOptions(cfg, cert))
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := addProbes(ctx, mgr); err != nil {
		return nil, fmt.Errorf("setting up the probes: %w", err)
	}
	providers, err := newProviders(cfg)
	if err != nil {
		return nil, err
	}
	if cert != nil {
		if err := addWebhook(mgr, cfg, cert, providers); err != nil {
			return nil, fmt.Errorf("setting up the webhook: %w", err)
		}
	}
	if err := addController(ctx, mgr, cfg, providers); err != nil {
		return nil, fmt.Errorf("setting up the controller: %w", err)
	}
	if err := mgr.Add(releaser(releaseInterval)); err != nil {
		return nil, fmt.Errorf("setting up the release of memory: %w", err)
	}
	return mgr, nil
}

func managerOptions(cfg Config, cert certificate) ctrl.Options {
	options := ctrl.Options{
		Cache: cacheOptions(cfg.Namespaces, cert),
		// The controller must see its own last write when it reads from the cache.
		Client: client.Options{Cache: &client.CacheOptions{
			EnableReadYourWritesConsistency: ptr.To(true),
		}},
		NewClient:               newClient(cfg.Namespaces, cfg.Namespace),
		Metrics:                 metricsserver.Options{BindAddress: cfg.MetricsAddress},
		HealthProbeBindAddress:  cfg.ProbeAddress,
		LeaderElection:          cfg.LeaderElection,
		LeaderElectionID:        cfg.Lease,
		LeaderElectionNamespace: cfg.Namespace,
		LeaseDuration:           ptr.To(leaseDuration),
		RenewDeadline:           ptr.To(renewDeadline),
		RetryPeriod:             ptr.To(retryPeriod),
		// The Lease is released after the last reconcile has returned. The next
		// leader then does not wait until it expires.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       ptr.To(stopTimeout),
	}
	if cert != nil {
		options.WebhookServer = ctrlwebhook.NewServer(ctrlwebhook.Options{
			Port: cfg.WebhookPort,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) {
				c.GetCertificate = cert.GetCertificate
				c.MinVersion = tls.VersionTLS13
			}},
		})
	}
	return options
}

func addProbes(ctx context.Context, mgr ctrl.Manager) error {
	notStopping := func(*http.Request) error {
		if ctx.Err() != nil {
			return errors.New("stopping")
		}
		return nil
	}
	return errors.Join(
		mgr.AddHealthzCheck("alive", healthz.Ping),
		mgr.AddReadyzCheck("not-stopping", notStopping),
	)
}

// addWebhook serves the webhook. This process is not ready before it answers.
func addWebhook(mgr ctrl.Manager, cfg Config, cert certificate, providers analysis.Providers) error {
	if err := cert.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up its certificate: %w", err)
	}
	if err := metrics.Registry.Register(certs.Metrics(cert.GetCertificate)); err != nil {
		return fmt.Errorf("setting up the metrics of its certificate: %w", err)
	}
	if err := errors.Join(
		mgr.AddReadyzCheck("certificate", cert.Check),
		mgr.AddReadyzCheck("webhook", mgr.GetWebhookServer().StartedChecker()),
	); err != nil {
		return err
	}
	handler := &webhook.Handler{
		Manager:       "system:serviceaccount:" + cfg.Namespace + ":" + cfg.ServiceAccount,
		CheckAnalysis: providers.Check,
		CheckGates:    cfg.GateAddresses.Check,
	}
	return handler.SetupWithManager(mgr)
}

func addController(ctx context.Context, mgr ctrl.Manager, cfg Config, providers analysis.Providers) error {
	if err := ingress.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := autoscaler.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	// The client of mgr cannot be used for this: it fails to note the version of a write
	// that had none (controller-runtime 0.25.2).
	trial, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), DryRun: new(true),
	})
	if err != nil {
		return fmt.Errorf("making a client for dry runs: %w", err)
	}
	reconciler := &controller.Reconciler{
		Client: mgr.GetClient(),
		Trial:  trial,
		Live:   mgr.GetAPIReader(),
		Router: ingress.New(mgr.GetClient(), mgr.GetAPIReader(), ingress.Options{
			AnnotationsPrefix:    cfg.AnnotationsPrefix,
			Controllers:          cfg.IngressControllers,
			PreviewDomains:       cfg.PreviewDomains,
			PreviewBelowOwnHosts: cfg.PreviewBelowOwnHosts,
			Cache:                mgr.GetCache(),
		}),
		Judge: judge{analysis.New(providers, mgr.GetAPIReader(), analysis.Options{
			Source: cfg.MetricsSource, RecipesNamespace: cmp.Or(cfg.RecipesNamespace, cfg.Namespace),
		})},
		Gates:       gate.New(cfg.GateAddresses),
		Autoscalers: &autoscaler.Holder{Client: mgr.GetClient()},
		Events:      mgr.GetEventRecorder("headgate"),
		Metrics:     controller.NewMetrics(metrics.Registry),
		Extra:       rollout.ExtraMeta{Labels: cfg.CanaryLabels, Annotations: cfg.CanaryAnnotations},
		Settle:      cfg.Settle,
		Drain:       cfg.Drain,
	}
	if err := mgr.AddHealthzCheck("reconciles", reconciler.Alive); err != nil {
		return err
	}
	return reconciler.SetupWithManager(ctx, mgr, cfg.MaxConcurrentReconciles)
}

// delayDone returns a context with the values of ctx that is done delay after ctx is
// done.
func delayDone(ctx context.Context, delay time.Duration) context.Context {
	delayed, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(delay, cancel) })
	return delayed
}
