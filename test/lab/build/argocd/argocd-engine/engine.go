package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	clustercache "github.com/argoproj/argo-cd/gitops-engine/v3/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/tracing"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
)

// engine is what all Applications share.
type engine struct {
	config   *rest.Config
	kubectl  *kube.KubectlCmd
	settings *settings.SettingsManager
	cluster  clustercache.ClusterCache
	tracking argo.ResourceTracking
}

// resourceInfo is what the cache remembers of an object beside its identity.
type resourceInfo struct {
	app    string // the Application that the tracking annotation names; "" for a child
	health *health.HealthStatus
}

func newEngine(ctx context.Context, config *rest.Config, namespace string) (*engine, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	e := &engine{
		config:   config,
		kubectl:  &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}},
		settings: settings.NewSettingsManager(ctx, clients, namespace),
		tracking: argo.NewResourceTracking(),
	}
	overrides, err := e.settings.GetResourceOverrides()
	if err != nil {
		return nil, err
	}
	filter, err := e.settings.GetResourcesFilter()
	if err != nil {
		return nil, err
	}
	e.cluster = clustercache.NewClusterCache(config,
		clustercache.SetKubectl(e.kubectl),
		clustercache.SetLogr(logr.Discard()),
		clustercache.SetSettings(clustercache.Settings{
			ResourceHealthOverride: lua.ResourceHealthOverrides(overrides), ResourcesFilter: filter,
		}),
		clustercache.SetPopulateResourceInfoHandler(func(obj *unstructured.Unstructured, isRoot bool) (any, bool) {
			info := &resourceInfo{}
			info.health, _ = health.GetResourceHealth(obj, lua.ResourceHealthOverrides(overrides))
			if isRoot {
				info.app = e.tracking.GetAppName(obj, "", trackingMethod, "")
			}
			return info, info.app != ""
		}),
	)
	if err := e.cluster.EnsureSynced(); err != nil {
		return nil, fmt.Errorf("fill the cache of the cluster: %w", err)
	}
	return e, nil
}

// trackingMethod is the default since Argo CD 3.0.
const trackingMethod = v1alpha1.TrackingMethodAnnotation

const (
	cacheLimit = 30 * time.Second
	cachePause = 20 * time.Millisecond
)

// catchUp waits until the cache has each target as the API server has it now. Argo CD does
// not wait: it looks again when the watch tells of the change. A test wants one answer that
// does not depend on how fast a watch is.
func (e *engine) catchUp(ctx context.Context, targets []*unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, cacheLimit)
	defer cancel()
	for _, target := range targets {
		live, err := e.kubectl.GetResource(ctx, e.config, target.GroupVersionKind(), target.GetName(), target.GetNamespace())
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		key := kube.GetResourceKey(target)
		for !e.knows(key, live.GetResourceVersion()) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the cache does not see %s as of %s within %s", key, live.GetResourceVersion(), cacheLimit)
			case <-time.After(cachePause):
			}
		}
	}
	return nil
}

// knows tells whether the cache has the object at version or later.
func (e *engine) knows(key kube.ResourceKey, version string) bool {
	found := e.cluster.FindResources(key.Namespace, func(r *clustercache.Resource) bool { return r.ResourceKey() == key })
	have, ok := found[key]
	if !ok {
		return false
	}
	// API servers count the versions of a resource: comparing them is defined since Kubernetes 1.35.
	is, err := strconv.ParseUint(have.ResourceVersion, 10, 64)
	want, errWant := strconv.ParseUint(version, 10, 64)
	return err == nil && errWant == nil && is >= want
}
