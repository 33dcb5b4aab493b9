package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	synccommon "github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/argoproj/argo-cd/v3/common"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

// syncInput begins an operation or goes on with one.
type syncInput struct {
	Prune     bool       `json:"prune"`
	Terminate bool       `json:"terminate,omitempty"` // ends Operation
	Operation *operation `json:"operation,omitempty"` // nil begins one
}

// operation is how far a sync is. It is finished unless its phase is Running.
type operation struct {
	Phase     string                          `json:"phase"`
	Message   string                          `json:"message"`
	StartedAt metav1.Time                     `json:"startedAt"`
	Results   []synccommon.ResourceSyncResult `json:"results"`
}

// waveDelay is how long Argo CD waits between two waves.
const waveDelay = 2 * time.Second

// sync does one pass of an operation, as SyncAppState of controller/sync.go does. The
// controller repeats it until the operation is finished.
func (e *engine) sync(ctx context.Context, app application, in syncInput) (*operation, error) {
	mode := legacy
	if app.SyncOptions.HasOption(synccommon.SyncOptionServerSideApply) {
		mode = serverSide
	}
	s, err := e.observe(ctx, app, mode)
	if err != nil {
		return nil, err
	}
	pairs := s.pairs
	if app.SyncOptions.HasOption("RespectIgnoreDifferences=true") {
		if pairs.Target, err = keepIgnored(s); err != nil {
			return nil, fmt.Errorf("respect ignored differences: %w", err)
		}
	}
	begun := operation{Phase: string(synccommon.OperationRunning), StartedAt: metav1.Now()}
	if in.Operation != nil {
		begun = *in.Operation
	}
	operations, cleanup, err := sync.NewSyncContext("", pairs, e.config, e.config, e.kubectl, app.Namespace,
		e.options(app, s, begun, in.Prune)...)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	if in.Terminate {
		operations.Terminate(ctx)
	} else {
		operations.Sync(ctx)
	}
	phase, message, results := operations.GetState()
	return &operation{Phase: string(phase), Message: message, StartedAt: begun.StartedAt, Results: results}, nil
}

func (e *engine) options(app application, s *state, begun operation, prune bool) []sync.SyncOpt {
	propagation := metav1.DeletePropagationForeground
	has := app.SyncOptions.HasOption
	return []sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(lua.ResourceHealthOverrides(s.overrides)),
		sync.WithOperationSettings(false, prune, has(synccommon.SyncOptionForce), false),
		sync.WithInitialState(synccommon.OperationPhase(begun.Phase), begun.Message, begun.Results, begun.StartedAt),
		sync.WithResourcesFilter(func(_ kube.ResourceKey, target, live *unstructured.Unstructured) bool {
			return e.isOwn(app, live, target)
		}),
		sync.WithSyncWaveHook(func(_ synccommon.SyncPhase, _ int, last bool) error {
			if !last {
				time.Sleep(waveDelay)
			}
			return nil
		}),
		sync.WithPruneLast(has(synccommon.SyncOptionPruneLast)),
		sync.WithResourceModificationChecker(has("ApplyOutOfSyncOnly=true"), s.diffs),
		sync.WithPrunePropagationPolicy(&propagation),
		sync.WithReplace(has(synccommon.SyncOptionReplace)),
		sync.WithServerSideApply(has(synccommon.SyncOptionServerSideApply)),
		sync.WithServerSideApplyManager(common.ArgoCDSSAManager),
		sync.WithClientSideApplyMigration(true, synccommon.DefaultClientSideApplyMigrationManager),
	}
}

// keepIgnored puts the live values of ignored fields into the targets. It is
// normalizeTargetResources of controller/sync.go without what repairs lists that are
// replaced as a whole, which no ignored field of these tests is.
func keepIgnored(s *state) ([]*unstructured.Unstructured, error) {
	normalized, err := argodiff.Normalize(s.pairs.Live, s.pairs.Target, s.config)
	if err != nil {
		return nil, err
	}
	targets := slices.Clone(s.pairs.Target)
	for i, live := range s.pairs.Live {
		if live == nil || targets[i] == nil {
			continue
		}
		if targets[i], err = merge(normalized.Lives[i], live, normalized.Targets[i]); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// merge makes the changes between from and to in obj.
func merge(from, to, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	typed, err := scheme.Scheme.New(obj.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return nil, err
	}
	from, to = from.DeepCopy(), to.DeepCopy()
	unstructured.RemoveNestedField(from.Object, "status")
	unstructured.RemoveNestedField(to.Object, "status")
	var texts [3][]byte
	for i, o := range []*unstructured.Unstructured{from, to, obj} {
		if texts[i], err = o.MarshalJSON(); err != nil {
			return nil, err
		}
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(texts[1], texts[1], texts[0], meta, true)
	if err != nil {
		return nil, err
	}
	merged, err := strategicpatch.StrategicMergePatch(texts[2], patch, typed)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(merged)
}
