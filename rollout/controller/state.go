package controller

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// stateCondition returns the condition with the state of canary.
func (s *snapshot) stateCondition(state rollout.State, text string) condition {
	now := metav1.NewTime(s.Now)
	return condition{
		"type":               spec.ConditionState,
		"status":             corev1.ConditionTrue,
		"reason":             state.Mode,
		"message":            rollout.StateMessage(s.canaryDep.UID, text),
		"lastUpdateTime":     now,
		"lastTransitionTime": now,
	}
}

// observeState reads the state of the canary that there is.
func (s *snapshot) observeState() (rollout.State, error) {
	uid, text, err := rollout.StoredState(s.dep)
	switch {
	case err != nil:
		return rollout.State{}, err
	case text != "" && uid == s.canaryDep.UID:
		return decodeState("condition "+spec.ConditionState, text)
	}
	state, err := decodeState("annotation "+spec.AnnotationState, s.canaryDep.Annotations[spec.AnnotationState])
	phase := spec.Phase(s.dep.Annotations[spec.AnnotationPhase])
	old := phase == spec.RolledBack || phase == spec.Promoting
	if err == nil && text == "" && state.Mode == rollout.ModeProgressing && old {
		// The canary never had this state together with this phase: somebody removed the
		// condition, and what failed would begin anew. If the condition names another canary,
		// a person deleted that one, and the phase is still that of its time.
		return rollout.State{}, fmt.Errorf("condition %s is gone, and the phase is %s", spec.ConditionState, phase)
	}
	return state, err
}

// decodeState reads a state and says where a bad one is.
func decodeState(where, text string) (rollout.State, error) {
	state, err := rollout.DecodeState(text)
	if err != nil {
		return rollout.State{}, fmt.Errorf("%s: %w", where, err)
	}
	return state, nil
}

// observeEnd reads the state of a canary that is gone.
func (s *snapshot) observeEnd() {
	_, text, err := rollout.StoredState(s.dep)
	if err != nil || text == "" {
		return
	}
	if state, err := rollout.DecodeState(text); err == nil {
		s.Ended = &state
	}
}

// sameState says whether two versions of a Deployment have the same state.
func sameState(a, b *appsv1.Deployment) bool {
	was, is := findCondition(a, spec.ConditionState), findCondition(b, spec.ConditionState)
	if was == nil || is == nil {
		return was == is
	}
	return was.Message == is.Message
}

// storedText is the state that is stored, as it is stored.
func (s *snapshot) storedText() (string, error) {
	uid, text, err := rollout.StoredState(s.dep)
	if text == "" || uid != s.canaryDep.UID {
		text = s.canaryDep.Annotations[spec.AnnotationState]
	}
	return text, err
}

// writeState stores the state of d, if losing what differs would change a decision. The
// same write tells the condition of d, where that may be told before the rest of d is
// done.
func (r *Reconciler) writeState(ctx context.Context, s *snapshot, d rollout.Decision) error {
	stored, err := s.storedText()
	if err == nil && d.Canary.InMemory {
		r.memory.remember(s, stored, d.Canary.State)
		return nil
	}
	text, encodeErr := d.Canary.State.Encode()
	if encodeErr != nil {
		return fmt.Errorf("encoding the state: %w", encodeErr)
	}
	if err == nil && stored == text {
		return nil
	}
	return r.writeConditions(ctx, s, append(r.tellEarly(s, d), s.stateCondition(d.Canary.State, text)))
}

// memory holds what need not be stored of the states of rollouts; see
// rollout.CanaryGoal.InMemory.
type memory struct{ perDeployment[remembered] }

// remembered is the state that is known beyond the stored one.
type remembered struct {
	canary types.UID
	stored string
	state  rollout.State
}

func (m *memory) remember(s *snapshot, stored string, state rollout.State) {
	m.set(client.ObjectKeyFromObject(s.dep), remembered{s.canaryDep.UID, stored, state})
}

// recall returns the state that is known beyond the stored one, as long as nobody has
// stored another.
func (m *memory) recall(s *snapshot) rollout.State {
	known, ok := m.get(client.ObjectKeyFromObject(s.dep))
	if stored, err := s.storedText(); ok && err == nil && known.stored == stored && known.canary == s.canaryDep.UID {
		return known.state
	}
	return s.Canary.Stored
}

// forgetState returns the order to delete the state of a canary that is gone. None: there
// is no such state.
func (s *snapshot) forgetState() []condition {
	if findCondition(s.dep, spec.ConditionState) == nil {
		return nil
	}
	uid, _, err := rollout.StoredState(s.dep)
	if s.canaryDep != nil && (err != nil || uid == s.canaryDep.UID) {
		return nil
	}
	return []condition{{"type": spec.ConditionState, "$patch": "delete"}}
}

// encodeConditions returns a patch of a status. It applies to one version only.
func encodeConditions(version string, conditions []condition) (client.Patch, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version},
		"status":   map[string]any{"conditions": conditions},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a condition: %w", err)
	}
	return client.RawPatch(types.StrategicMergePatchType, patch), nil
}

// messages holds one message of each Deployment. If a restart loses it, an event may come
// twice.
type messages struct{ perDeployment[string] }

// is says whether message is the one that was set last.
func (m *messages) is(key types.NamespacedName, message string) bool {
	was, ok := m.get(key)
	return ok && was == message
}
