package rollout

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout/spec"
)

// The state of a rollout is the message of a condition of the user's Deployment:
//
//	canary 6f1c...: {"rollout":"7","mode":"Progressing",...}
//
// It names the canary Deployment by its UID, because a person may delete a canary, and
// the next one begins with a state of its own.

// StoredState returns the text of the state that dep has, for DecodeState, and the UID of
// the canary that it is about. "": there is none.
func StoredState(dep *appsv1.Deployment) (canary types.UID, text string, err error) {
	for _, c := range dep.Status.Conditions {
		if c.Type != spec.ConditionState {
			continue
		}
		about, text, ok := strings.Cut(c.Message, ": ")
		uid, named := strings.CutPrefix(about, "canary ")
		if !ok || !named {
			return "", "", fmt.Errorf("condition %s does not name a canary", spec.ConditionState)
		}
		return types.UID(uid), text, nil
	}
	return "", "", nil
}

// StateMessage is the message of the condition that StoredState reads.
func StateMessage(canary types.UID, text string) string {
	return fmt.Sprintf("canary %s: %s", canary, text)
}
