package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tool is what is measured: Headgate or Argo Rollouts.
type tool interface {
	name() string
	// install makes the tool run. settle is its settle time, "" for the default; a tool that
	// has none ignores it. A second call changes it.
	install(ctx context.Context, settle string) error
	remove(ctx context.Context) error
	// user is who the audit log says that it is, and program the name of its executable.
	user() string
	program() string
	// objects are the manifests of a, with version v1.
	objects(a app) []client.Object
	// workload is the object among them that has the pod template, and workloads an empty
	// list of that kind.
	workload(a app) client.Object
	workloads() client.ObjectList
	// read says where the rollout of a workload is. It panics on an object of another kind.
	read(workload client.Object) state
	canaryIngress(a app) string
}

// state is where a rollout is.
type state struct {
	image    string // of the pod template
	promoted bool   // the template runs everywhere and nothing is under way
	failed   string // why it ended without a promotion, or ""
}

// update gives a another version and returns when the API server had accepted that.
func (b *bench) update(ctx context.Context, t tool, a app, image string) (accepted time.Time, err error) {
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image},
	})
	if err != nil {
		return accepted, err
	}
	if err := b.client.Patch(ctx, t.workload(a), client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return accepted, fmt.Errorf("update %s: %w", a.key(), err)
	}
	return time.Now(), nil
}
