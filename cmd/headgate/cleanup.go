package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/headgate/headgate/rollout/cleanup"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
)

var _ cleanup.Autoscalers = (*autoscaler.Holder)(nil)

const cleanupUsage = `Usage: headgate cleanup (--all-namespaces | --namespace NAME) [flags]

Ends every rollout in order, so that nothing is held and nothing of Headgate is left. The
annotations that users wrote stay. A template that is not judged yet does not go out: the one
that runs is put back, as "kubectl rollout undo" would. A rollout that is being promoted is
waited for. No traffic is lost: it leaves the canary first, then the canary goes.

The running managers do the work. Where none runs, this command takes their place.

  kubectl -n headgate-system exec deploy/headgate -- headgate cleanup --all-namespaces --dry-run
  kubectl -n headgate-system exec deploy/headgate -- headgate cleanup --namespace shop

"helm uninstall" runs it with --uninstall. To run it outside of the cluster, as an administrator:

  HEADGATE_NAMESPACE=headgate-system headgate cleanup --all-namespaces --uninstall

The variables of the manager mean what they mean there: headgate --help explains them.

Flags:
`

// cleanupFlags are the flags of headgate cleanup.
type cleanupFlags struct {
	all, dryRun, uninstall bool
	namespace, managers    string
	unjudged               unjudged
	admission              admissions
	timeout                time.Duration
}

// newCleanupFlags returns the flags with their defaults, and where they are read.
func newCleanupFlags() (*cleanupFlags, *flag.FlagSet) {
	f := &cleanupFlags{unjudged: unjudged(cleanup.Undo)}
	set := flag.NewFlagSet("headgate cleanup", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&f.all, "all-namespaces", false, "end the rollouts of every namespace that the managers manage")
	set.StringVar(&f.namespace, "namespace", "", "end the rollouts of the namespace of this `name` only")
	set.StringVar(&f.namespace, "n", "", "the `name` of the namespace, as --namespace")
	set.Var(&f.unjudged, "unjudged", "undo: a template that is not judged yet gives way to the one that runs. "+
		"ship: it is released, without the steps that are left. One that was rolled back always gives way")
	set.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how `long` to wait. Then it says what is left, and fails")
	set.BoolVar(&f.dryRun, "dry-run", false, "only say what would be done")
	set.BoolVar(&f.uninstall, "uninstall", false, "then delete the webhook configuration, so that nothing new is held, "+
		"scale the managers to 0, and remove the conditions of Headgate from every Deployment")
	set.StringVar(&f.managers, "managers", "headgate", "with --uninstall: the `name` of the managers' Deployment")
	set.Var(&f.admission, "admission", "with --uninstall: `KIND/NAME` of what is deleted besides the webhook configuration, "+
		"before it, once for each")
	return f, set
}

func (f *cleanupFlags) parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("%w; headgate cleanup --help lists the flags", err)
	}
	switch {
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; headgate cleanup --help lists the flags", set.Arg(0))
	case f.all == (f.namespace != ""):
		return errors.New("which rollouts? Give --all-namespaces, or --namespace NAME")
	case f.uninstall && !f.all:
		return errors.New("--uninstall is for the whole cluster: give --all-namespaces instead of --namespace")
	case f.timeout <= 0:
		return fmt.Errorf("--timeout=%s: want more than 0s, e.g. 5m", f.timeout)
	}
	return nil
}

// runCleanup is the command headgate cleanup.
func runCleanup(ctx context.Context, args []string, environ map[string]string, out, logs io.Writer) error {
	f, set := newCleanupFlags()
	if err := f.parse(set, args); errors.Is(err, flag.ErrHelp) {
		return writeUsage(out, cleanupUsage, set)
	} else if err != nil {
		return err
	}
	cfg, err := parseConfig(environ)
	if err != nil {
		return err
	}
	logger := newLogger(logs, max(cfg.LogLevel, slog.LevelWarn), cfg.LogFormat)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	limitMemory(cfg.MemoryLimit)
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not finished within %s", f.timeout))
	defer cancel()
	return f.run(ctx, restConfig, cfg, func(line string) { fmt.Fprintln(out, line) })
}

func (f *cleanupFlags) run(ctx context.Context, restConfig *rest.Config, cfg Config, print func(string)) error {
	if f.namespace != "" {
		cfg.Namespaces = []string{f.namespace}
	}
	mgr, err := newStandIn(ctx, restConfig, cfg)
	if err != nil {
		return err
	}
	c := &cleanup.Cleanup{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Autoscalers: &autoscaler.Holder{Client: mgr.GetClient()},
		Namespaces: orAll(cfg.Namespaces), Unjudged: cleanup.Unjudged(f.unjudged), Print: print,
	}
	if f.dryRun {
		return c.Plan(ctx)
	}
	ctx, leave := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	stop := func() {
		leave(nil)
		<-stopped
	}
	defer stop()
	go func() {
		defer close(stopped)
		if err := mgr.Start(ctx); err != nil {
			leave(fmt.Errorf("running a manager: %w", err))
		}
	}()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return context.Cause(ctx)
	}
	if !f.uninstall {
		return c.Run(ctx)
	}
	i, err := f.installation(cfg, mgr, c.Namespaces)
	if err != nil {
		return err
	}
	return takeAway(ctx, c, i, mgr, stop)
}

func (f *cleanupFlags) installation(cfg Config, mgr ctrl.Manager, namespaces []string) (*cleanup.Installation, error) {
	live, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	admission := f.admission
	if cfg.AdmissionMode == byWebhook {
		admission = append(admission, cleanup.Admission{Kind: "MutatingWebhookConfiguration", Name: cfg.WebhookConfiguration})
	}
	return &cleanup.Installation{
		Client:     live,
		Managers:   types.NamespacedName{Namespace: cfg.Namespace, Name: f.managers},
		Admission:  admission,
		Namespaces: namespaces,
	}, nil
}

// takeAway ends the rollouts and prepares the uninstall. mgr leads where no other manager
// runs; stop stops it.
func takeAway(ctx context.Context, c *cleanup.Cleanup, i *cleanup.Installation, mgr ctrl.Manager, stop func()) error {
	go func() {
		select {
		case <-mgr.Elected():
			i.RemoveUnanswered(ctx)
		case <-ctx.Done():
		}
	}()
	return i.TakeAway(ctx, c, stop)
}

// orAll is namespaces, or every namespace where there are none.
func orAll(namespaces []string) []string {
	if len(namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return namespaces
}

// newStandIn returns a manager without a webhook, which leads where no other manager does.
// It asks no metrics and no gates, because every rollout that would need an answer is to
// end. So with a namespace it knows no other: rollouts there wait for a manager.
func newStandIn(ctx context.Context, restConfig *rest.Config, cfg Config) (ctrl.Manager, error) {
	cfg.ProvidersFile, cfg.PrometheusAddress, cfg.GateAddresses = "", "", nil
	providers, err := newProviders(cfg)
	if err != nil {
		return nil, err
	}
	options := managerOptions(cfg, nil)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	options.HealthProbeBindAddress = "0"
	options.WebhookServer = nil
	options.LeaderElection = true
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := addController(ctx, mgr, cfg, providers); err != nil {
		return nil, fmt.Errorf("setting up the controller: %w", err)
	}
	return mgr, nil
}

// unjudged is a flag.Value.
type unjudged cleanup.Unjudged

func (u *unjudged) String() string { return string(*u) }

// Set implements flag.Value.
func (u *unjudged) Set(text string) error {
	if text != string(cleanup.Undo) && text != string(cleanup.Ship) {
		return errors.New("want undo or ship")
	}
	*u = unjudged(text)
	return nil
}

// admissions is a flag.Value that may be given more than once.
type admissions []cleanup.Admission

func (a *admissions) String() string { return "" }

// Set implements flag.Value.
func (a *admissions) Set(text string) error {
	admission, err := cleanup.ParseAdmission(text)
	if err != nil {
		return err
	}
	*a = append(*a, admission)
	return nil
}
