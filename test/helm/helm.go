// Package helm installs, upgrades, rolls back and uninstalls a chart with Helm's own
// library, hooks included, as the commands of the same names do. Package chart only
// renders, which takes less to build.
package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/storage/driver"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Release is one release of one chart in one cluster.
type Release struct {
	Name, Namespace string
	Kubeconfig      string        // path
	CacheDir        string        // for what the API server offers; another one for each cluster
	Timeout         time.Duration // of each wait, as --timeout; zero means 5 minutes, as there
	Log             io.Writer     // gets what Helm logs, and the logs of a hook that failed

	config *action.Configuration
}

// Init connects to the cluster. It must be called once, before everything else.
func (r *Release) Init() error {
	if r.Timeout == 0 {
		r.Timeout = 5 * time.Minute
	}
	flags := genericclioptions.NewConfigFlags(false)
	discovery := filepath.Join(r.CacheDir, "helm")
	flags.KubeConfig, flags.Namespace, flags.CacheDir = &r.Kubeconfig, &r.Namespace, &discovery
	r.config = action.NewConfiguration(action.ConfigurationSetLogger(slog.NewTextHandler(r.Log, nil)))
	r.config.HookOutputFunc = func(string, string, string) io.Writer { return r.Log }
	if err := r.config.Init(flags, r.Namespace, "secret"); err != nil {
		return fmt.Errorf("connect helm: %w", err)
	}
	return nil
}

// Upgrade is "helm upgrade --install --create-namespace --wait" of the chart in a
// directory or an archive, with set as in --set. Values of earlier revisions do not count.
func (r *Release) Upgrade(ctx context.Context, chartPath string, set map[string]string) error {
	chart, err := loader.Load(chartPath)
	if err != nil {
		return fmt.Errorf("load chart %s: %w", chartPath, err)
	}
	values := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := strvals.ParseInto(name+"="+set[name], values); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if _, err := r.config.Releases.History(r.Name); errors.Is(err, driver.ErrReleaseNotFound) {
		i := action.NewInstall(r.config)
		i.ReleaseName, i.Namespace, i.CreateNamespace = r.Name, r.Namespace, true
		i.WaitStrategy, i.Timeout = kube.StatusWatcherStrategy, r.Timeout
		if _, err := i.RunWithContext(ctx, chart, values); err != nil {
			return fmt.Errorf("helm install %s: %w", r.Name, err)
		}
		return nil
	}
	u := action.NewUpgrade(r.config)
	u.Namespace, u.ResetValues, u.ServerSideApply = r.Namespace, true, "auto"
	u.WaitStrategy, u.Timeout = kube.StatusWatcherStrategy, r.Timeout
	if _, err := u.RunWithContext(ctx, r.Name, chart, values); err != nil {
		return fmt.Errorf("helm upgrade %s: %w", r.Name, err)
	}
	return nil
}

// Rollback is "helm rollback --wait" to the revision before.
func (r *Release) Rollback() error {
	b := action.NewRollback(r.config)
	b.WaitStrategy, b.Timeout, b.ServerSideApply = kube.StatusWatcherStrategy, r.Timeout, "auto"
	if err := b.Run(r.Name); err != nil {
		return fmt.Errorf("helm rollback %s: %w", r.Name, err)
	}
	return nil
}

// Uninstall is "helm uninstall --wait".
func (r *Release) Uninstall() error { return r.uninstall(false) }

// UninstallWithoutHooks is "helm uninstall --wait --no-hooks".
func (r *Release) UninstallWithoutHooks() error { return r.uninstall(true) }

func (r *Release) uninstall(noHooks bool) error {
	u := action.NewUninstall(r.config)
	u.DisableHooks, u.DeletionPropagation = noHooks, "background"
	u.WaitStrategy, u.Timeout = kube.StatusWatcherStrategy, r.Timeout
	if _, err := u.Run(r.Name); err != nil {
		return fmt.Errorf("helm uninstall %s: %w", r.Name, err)
	}
	return nil
}

// Status returns the status of the newest revision, such as "deployed" or "uninstalling".
func (r *Release) Status() (string, error) {
	found, err := r.config.Releases.Last(r.Name)
	if err != nil {
		return "", fmt.Errorf("helm status %s: %w", r.Name, err)
	}
	last, err := release.NewAccessor(found)
	if err != nil {
		return "", fmt.Errorf("helm status %s: %w", r.Name, err)
	}
	return last.Status(), nil
}
