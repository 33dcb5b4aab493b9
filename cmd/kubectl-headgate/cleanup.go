package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	cachedcluster "sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/headgate/headgate/rollout/cleanup"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
)

type cleanupOptions struct {
	all, yes, dryRun, uninstall  bool
	unjudged, managers, managing string
	admission                    []string
	timeout                      time.Duration
}

const cleanupExample = `  kubectl headgate cleanup -n shop --dry-run
  kubectl headgate cleanup -n shop
  kubectl headgate cleanup --all-namespaces --uninstall   # "helm uninstall" does this itself`

const cleanupLong = `End every rollout in order, so that nothing is held and nothing of Headgate is left. The annotations
that users wrote stay. A template that is not judged yet does not go out: the one that runs is put
back, as "kubectl rollout undo" would. A rollout that is being promoted is waited for. No traffic is
lost: it leaves the canary first, then the canary goes.

The running managers do the work. Where none runs, use the command of the manager itself, which can
take their place: headgate cleanup --help.`

func (e *env) cleanup() *cobra.Command {
	var o cleanupOptions
	c := &cobra.Command{
		Use: "cleanup (--all-namespaces | --namespace NAME)", Short: "End every rollout, so that nothing of Headgate is left",
		Long: cleanupLong, Example: cleanupExample, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.runCleanup(c.Context(), o) },
	}
	f := c.Flags()
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "end the rollouts of every namespace")
	f.StringVar(&o.unjudged, "unjudged", string(cleanup.Undo), "undo: a template that is not judged yet gives way to the one that runs. "+
		"ship: it is released, without the steps that are left. One that was rolled back always gives way")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait. Then it says what is left, and fails")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask back")
	f.BoolVar(&o.uninstall, "uninstall", false, "then delete the webhook configuration, so that nothing new is held, "+
		"scale the managers to 0, and remove the conditions of Headgate from every Deployment")
	f.StringVar(&o.managers, "managers", "headgate", "the name of the managers' Deployment")
	f.StringVar(&o.managing, "managers-namespace", "headgate-system", "its namespace")
	f.StringSliceVar(&o.admission, "admission", []string{"MutatingWebhookConfiguration/zz-headgate"},
		"with --uninstall: KIND/NAME of what is deleted, in this order")
	return c
}

func (o cleanupOptions) check(namespace string) error {
	switch {
	case o.all == (namespace != ""):
		return errors.New("which rollouts? Give --all-namespaces, or --namespace NAME")
	case o.uninstall && !o.all:
		return errors.New("--uninstall is for the whole cluster: give --all-namespaces instead of --namespace")
	case o.timeout <= 0:
		return fmt.Errorf("--timeout=%s: want more than 0s, e.g. 5m", o.timeout)
	case o.unjudged != string(cleanup.Undo) && o.unjudged != string(cleanup.Ship):
		return fmt.Errorf("--unjudged %q: want undo or ship", o.unjudged)
	}
	return nil
}

// what the command does, for the person who is asked.
func (o cleanupOptions) what(namespace string) string {
	text := "every rollout of namespace " + namespace + " ends"
	if o.all {
		text = "every rollout of the cluster ends"
	}
	if o.unjudged == string(cleanup.Ship) {
		text += ", and templates that are not judged go out to all users"
	}
	if o.uninstall {
		text += ", and Headgate stops"
	}
	return text
}

func (e *env) runCleanup(ctx context.Context, o cleanupOptions) error {
	namespace := *e.flags.Namespace
	if err := o.check(namespace); err != nil {
		return err
	}
	admission := make([]cleanup.Admission, 0, len(o.admission))
	for _, text := range o.admission {
		a, err := cleanup.ParseAdmission(text)
		if err != nil {
			return fmt.Errorf("--admission: %w", err)
		}
		admission = append(admission, a)
	}
	if !o.dryRun && !o.yes && e.interactive() && !e.ask(o.what(namespace)) {
		return &exit{code: 1, message: "nothing was written"}
	}
	config, err := e.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not finished within %s", o.timeout))
	defer cancel()
	return e.clean(ctx, config, namespace, o, admission)
}

// clean reads from a cache, because it looks every second.
func (e *env) clean(ctx context.Context, config *rest.Config, namespace string, o cleanupOptions, admission []cleanup.Admission) error {
	ctrl.SetLogger(logr.Discard()) // what matters is printed
	seen, err := cachedcluster.New(config, func(c *cachedcluster.Options) {
		if namespace != "" {
			c.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
		}
	})
	if err != nil {
		return err
	}
	if err := autoscaler.SetupIndexes(ctx, seen.GetFieldIndexer()); err != nil {
		return err
	}
	c := &cleanup.Cleanup{
		Client: seen.GetClient(), Live: seen.GetAPIReader(), Autoscalers: &autoscaler.Holder{Client: seen.GetClient()},
		Namespaces: []string{namespace}, Unjudged: cleanup.Unjudged(o.unjudged), Print: func(line string) { fmt.Fprintln(e.out, line) },
	}
	if o.dryRun {
		return c.Plan(ctx)
	}
	live, err := client.New(config, client.Options{HTTPClient: seen.GetHTTPClient(), Scheme: seen.GetScheme(), Mapper: seen.GetRESTMapper()})
	if err != nil {
		return err
	}
	i := &cleanup.Installation{
		Client: live, Managers: types.NamespacedName{Namespace: o.managing, Name: o.managers}, Admission: admission, Namespaces: c.Namespaces,
	}
	if err := managersRun(ctx, i); err != nil {
		return err
	}
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := seen.Start(watching); err != nil {
			stop(err)
		}
	}()
	if !seen.GetCache().WaitForCacheSync(watching) {
		return context.Cause(watching)
	}
	if !o.uninstall {
		return c.Run(watching)
	}
	return i.TakeAway(watching, c, func() {})
}

// managersRun returns an error if there are no managers that would do the work.
func managersRun(ctx context.Context, i *cleanup.Installation) error {
	dep := &appsv1.Deployment{}
	err := i.Client.Get(ctx, i.Managers, dep)
	if apierrors.IsNotFound(err) || err == nil && dep.Status.AvailableReplicas == 0 {
		return fmt.Errorf("no manager of Deployment %s runs, and nobody else ends a rollout: start it, name another one with --managers and "+
			"--managers-namespace, or use the command that takes its place: headgate cleanup --help", i.Managers)
	}
	return client.IgnoreNotFound(err)
}
