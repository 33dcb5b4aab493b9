package main

import (
	"context"
	"fmt"
	"slices"

	clustercache "github.com/argoproj/argo-cd/gitops-engine/v3/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/hook"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/ignore"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

// compareInput says how to compare: once for each mode.
type compareInput struct {
	Modes []string `json:"modes"`
}

// comparison is what Argo CD shows of an Application.
type comparison struct {
	Mode      string            `json:"mode"`
	Status    string            `json:"status"` // Synced, OutOfSync or Unknown
	Error     string            `json:"error,omitempty"`
	Health    string            `json:"health"`
	Resources []resource        `json:"resources"`
	Children  map[string]string `json:"children"` // health by "Kind/name": what the tree shows below the resources
}

// resource is an object of the Application.
type resource struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Status   string `json:"status"` // "" for what has none, for example a hook
	Prune    bool   `json:"prune"`  // it is not in git any more
	Health   string `json:"health"`
	Message  string `json:"message"`
	BuiltIn  string `json:"builtIn"`  // the health without argocd-cm
	Live     string `json:"live"`     // normalized, where it differs
	Expected string `json:"expected"` // what live would be after a sync, where it differs
}

func (e *engine) compareAll(ctx context.Context, app application, in compareInput) ([]comparison, error) {
	var all []comparison
	for _, mode := range in.Modes {
		c := comparison{Mode: mode, Status: string(v1alpha1.SyncStatusCodeUnknown), Health: string(health.HealthStatusUnknown)}
		s, err := e.observe(ctx, app, mode)
		if err != nil {
			c.Error = err.Error() // Argo CD shows it as ComparisonError
		} else if err := e.show(app, s, &c); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (e *engine) show(app application, s *state, c *comparison) error {
	c.Status = string(v1alpha1.SyncStatusCodeSynced)
	worst := health.HealthStatusHealthy
	for i, target := range s.pairs.Target {
		live := s.pairs.Live[i]
		obj := live
		if obj == nil {
			obj = target
		}
		r := resource{Kind: obj.GetKind(), Name: obj.GetName(), Prune: target == nil && e.isOwn(app, live, target)}
		if hasStatus(obj, target) && e.isOwn(app, live, target) {
			r.Status = string(v1alpha1.SyncStatusCodeSynced)
			if d := s.diffs.Diffs[i]; d.Modified || target == nil || live == nil {
				r.Status, c.Status = string(v1alpha1.SyncStatusCodeOutOfSync), string(v1alpha1.SyncStatusCodeOutOfSync)
				r.Live, r.Expected = string(d.NormalizedLive), string(d.PredictedLive)
			}
		}
		status, err := r.assess(live, s.overrides)
		if err != nil {
			return err
		}
		if live != nil && hasStatus(obj, target) && health.IsWorse(worst, status) {
			worst = status
		}
		c.Resources = append(c.Resources, r)
	}
	c.Health = string(worst)
	c.Children = e.children(s.pairs.Target)
	return nil
}

func hasStatus(obj, target *unstructured.Unstructured) bool {
	return !hook.IsHook(obj) && !ignore.Ignore(obj) && (target == nil || !hook.Skip(target))
}

// assess fills in the health, and returns what counts for the Application.
func (r *resource) assess(
	live *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride,
) (health.HealthStatusCode, error) {
	if live == nil {
		r.Health, r.BuiltIn = string(health.HealthStatusMissing), string(health.HealthStatusMissing)
		return health.HealthStatusHealthy, nil
	}
	status, err := health.GetResourceHealth(live, lua.ResourceHealthOverrides(overrides))
	if err != nil {
		return "", fmt.Errorf("health of %s %s: %w", r.Kind, r.Name, err)
	}
	builtIn, err := health.GetResourceHealth(live, nil)
	if err != nil {
		return "", fmt.Errorf("built-in health of %s %s: %w", r.Kind, r.Name, err)
	}
	if builtIn != nil {
		r.BuiltIn = string(builtIn.Status)
	}
	if status == nil || live.GetAnnotations()[common.AnnotationIgnoreHealthCheck] == "true" {
		return health.HealthStatusHealthy, nil
	}
	r.Health, r.Message = string(status.Status), status.Message
	return status.Status, nil
}

// children are the objects below the targets that are no targets.
func (e *engine) children(targets []*unstructured.Unstructured) map[string]string {
	var keys []kube.ResourceKey
	for _, target := range targets {
		if target != nil {
			keys = append(keys, kube.GetResourceKey(target))
		}
	}
	below := map[string]string{}
	e.cluster.IterateHierarchyV2(keys, func(r *clustercache.Resource, _ map[kube.ResourceKey]*clustercache.Resource) bool {
		if slices.Contains(keys, r.ResourceKey()) {
			return true
		}
		status := ""
		if info, ok := r.Info.(*resourceInfo); ok && info.health != nil {
			status = string(info.health.Status)
		}
		below[r.Ref.Kind+"/"+r.Ref.Name] = status
		return true
	})
	return below
}
