package controller

import (
	"encoding/json"
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// canaryPatch sets the replicas of the canary Deployment. The operator's labels
// and annotations go with them: a policy that requires one may refuse every write of
// an object that lacks it.
func canaryPatch(replicas int32, extra rollout.ExtraMeta) deploymentPatch {
	patch := deploymentPatch{
		annotations: map[string]any{},
		spec:        map[string]any{"replicas": replicas},
	}
	for key, value := range extra.Annotations {
		patch.annotations[key] = value
	}
	if len(extra.Labels) > 0 {
		patch.labels = map[string]any{}
	}
	for key, value := range extra.Labels {
		patch.labels[key] = value
	}
	return patch
}

// deploymentPatch is what to merge into a Deployment. nil removes an entry.
type deploymentPatch struct{ labels, annotations, spec map[string]any }

func (p deploymentPatch) encode(resourceVersion string) ([]byte, error) {
	meta := map[string]any{"resourceVersion": resourceVersion}
	if len(p.annotations) > 0 { // null would remove all of them
		meta["annotations"] = p.annotations
	}
	if len(p.labels) > 0 {
		meta["labels"] = p.labels
	}
	return encode(map[string]any{"metadata": meta, "spec": p.spec})
}

func encodeMetadata(fields map[string]any) ([]byte, error) {
	return encode(map[string]any{"metadata": fields})
}

func encode(patch map[string]any) ([]byte, error) {
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encoding a patch: %w", err)
	}
	return data, nil
}
