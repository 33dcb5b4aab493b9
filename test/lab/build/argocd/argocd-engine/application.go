package main

import (
	"context"
	"fmt"

	clustercache "github.com/argoproj/argo-cd/gitops-engine/v3/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
)

// application is what is read of an Application.
type application struct {
	Name              string                               `json:"name"`
	Namespace         string                               `json:"namespace"` // spec.destination.namespace
	SyncOptions       v1alpha1.SyncOptions                 `json:"syncOptions,omitempty"`
	IgnoreDifferences []v1alpha1.ResourceIgnoreDifferences `json:"ignoreDifferences,omitempty"`
	Manifests         []map[string]any                     `json:"manifests"` // what is in git
}

// The diff modes. Argo CD takes serverSide where the sync options have ServerSideApply=true
// or the annotation compare-options says ServerSideDiff=true; there, IncludeMutationWebhook=true
// is withWebhook.
const (
	legacy      = "legacy"
	serverSide  = "server-side"
	withWebhook = "mutation-webhook"
)

// state is what CompareAppState of Argo CD knows when it has compared.
type state struct {
	pairs     sync.ReconciliationResult
	diffs     *diff.DiffResultList
	config    argodiff.DiffConfig
	overrides map[string]v1alpha1.ResourceOverride
}

// targets are the manifests with the tracking annotation, as the repo server and
// NormalizeTargetObjects leave them.
func (e *engine) targets(app application) ([]*unstructured.Unstructured, error) {
	var targets []*unstructured.Unstructured
	for _, manifest := range app.Manifests {
		obj := &unstructured.Unstructured{Object: manifest}
		obj = obj.DeepCopy() // compare and sync of one request edit their own
		if kube.IsNamespacedOrUnknown(e.cluster, obj.GroupVersionKind().GroupKind()) && obj.GetNamespace() == "" {
			obj.SetNamespace(app.Namespace)
		}
		if err := e.tracking.SetAppInstance(obj, common.LabelKeyAppInstance, app.Name, app.Namespace, trackingMethod, ""); err != nil {
			return nil, fmt.Errorf("track %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
		targets = append(targets, obj)
	}
	return targets, nil
}

// observe pairs git with the cluster and makes the diff, as CompareAppState does.
func (e *engine) observe(ctx context.Context, app application, mode string) (*state, error) {
	targets, err := e.targets(app)
	if err != nil {
		return nil, err
	}
	if err := e.catchUp(ctx, targets); err != nil {
		return nil, err
	}
	live, err := e.cluster.GetManagedLiveObjs(targets, func(r *clustercache.Resource) bool {
		info, ok := r.Info.(*resourceInfo)
		return ok && info.app == app.Name
	})
	if err != nil {
		return nil, err
	}
	s := &state{pairs: sync.Reconcile(targets, live, app.Namespace, e.cluster)}
	if s.overrides, err = e.settings.GetResourceOverrides(); err != nil {
		return nil, err
	}
	return s, e.diff(ctx, app, mode, s)
}

func (e *engine) diff(ctx context.Context, app application, mode string, s *state) error {
	builder := argodiff.NewDiffConfigBuilder().
		WithDiffSettings(app.IgnoreDifferences, s.overrides, true, normalizers.IgnoreNormalizerOpts{}).
		WithTracking(common.LabelKeyAppInstance, string(trackingMethod)).
		WithNoCache().
		WithGVKParser(e.cluster.GetGVKParser()).
		WithManager(common.ArgoCDSSAManager).
		WithServerSideDiff(mode != legacy).
		WithIgnoreMutationWebhook(mode != withWebhook)
	if mode != legacy {
		applier, cleanup, err := e.kubectl.ManageServerSideDiffDryRuns(e.config)
		if err != nil {
			return err
		}
		defer cleanup()
		builder.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier))
	}
	var err error
	if s.config, err = builder.Build(); err != nil {
		return err
	}
	s.diffs, err = argodiff.StateDiffs(ctx, s.pairs.Live, s.pairs.Target, s.config)
	return err
}

// isOwn tells whether the tracking annotation of live is its own, and not a copy from
// another object. It is isSelfReferencedObj of controller/state.go.
func (e *engine) isOwn(app application, live, target *unstructured.Unstructured) bool {
	if live == nil {
		return true
	}
	var id argo.AppInstanceValue
	if target != nil {
		id = argo.UnstructuredToAppInstanceValue(target, app.Name, "")
	} else if tracked := e.tracking.GetAppInstance(live, trackingMethod, ""); tracked != nil {
		id = *tracked
	} else {
		return true
	}
	gvk := live.GroupVersionKind()
	return (live.GetNamespace() == id.Namespace || live.GetNamespace() == "") &&
		live.GetName() == id.Name && gvk.Group == id.Group && gvk.Kind == id.Kind
}
