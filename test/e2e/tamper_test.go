package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestCanaryRoutesTamperedWith: Headgate reverts edits of the canary's objects, and no
// pod gets too much traffic. Deleting the canary Ingress aborts the rollout.
func TestCanaryRoutesTamperedWith(t *testing.T) {
	t.Parallel()
	s, c := newHalfway(t, nil)
	right := s.canaryIngress()
	s.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(right), right))
	for what, annotations := range map[string]map[string]any{
		"a weight above":     {"canary-weight": "90"},
		"a weight below":     {"canary-weight": "10"},
		"no traffic":         {"canary-weight": "0"},
		"half a weight":      {"canary-weight": "half"},
		"no weight":          {"canary-weight": nil},
		"another total":      {"canary-weight-total": "1000"},
		"no canary any more": {"canary": "false"},
	} {
		s.tamper(annotations)
		if err := s.restored(right); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.canaryServiceIsKept()
	s.bothAnswer(s.load)

	s.must(shared.Client().Delete(t.Context(), s.canaryIngress()))
	s.await(20*time.Second, reason.CanaryRoutesDeleted)
	canary := s.canary()
	s.must(shared.Await(s.within(30*time.Second), canary, func() error { return none(canary) }))
	s.ship("v3", nil)
	third := s.applied.Annotations[spec.AnnotationRollout]
	s.awaitRollout(time.Minute, third, reason.AwaitingPromotion)
	s.annotate(spec.AnnotationCommand, "promote")
	s.awaitRollout(time.Minute, third, reason.Promoted)
	s.onlyLeft("v3")
	s.over()
	c.check()
}

// TestWeightLoweredWhilePodsAreGone: half of the pods that carry the weight are gone
// when a person lowers it by hand. The weight rises again as the pods come back.
func TestWeightLoweredWhilePodsAreGone(t *testing.T) {
	t.Parallel()
	s, c := newHalfway(t, map[string]string{"STARTUP_DELAY": "4s"})
	canary := s.canary()
	available := func(want int32) {
		t.Helper()
		s.must(shared.Await(s.within(20*time.Second), canary, func() error {
			if n := canary.Status.AvailableReplicas; n != want {
				return fmt.Errorf("%d canary pods are Available, want %d", n, want)
			}
			return nil
		}))
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.podNames("v2")[0]}}
	s.must(shared.Client().Delete(t.Context(), pod))
	available(1)
	s.tamper(map[string]any{"canary-weight": "10"})
	available(2)
	s.awaitWeight(20*time.Second, 50)
	s.ship("v1", nil)
	s.await(20*time.Second, reason.StableRestored)
	s.onlyLeft("v1")
	s.over()
	c.check()
}

// tamper edits the canary Ingress by hand.
func (s *service) tamper(annotations map[string]any) {
	s.Helper()
	all := map[string]any{}
	for name, value := range annotations {
		all["nginx.ingress.kubernetes.io/"+name] = value
	}
	s.overwrite(s.canaryIngress(), map[string]any{"metadata": map[string]any{"annotations": all}})
}

func (s *service) overwrite(obj client.Object, content map[string]any) {
	s.Helper()
	b, err := json.Marshal(content)
	s.must(err)
	s.must(shared.Client().Patch(s.Context(), obj, client.RawPatch(types.MergePatchType, b)))
}

// restored waits until the canary Ingress equals right, except for the time of its last
// change.
func (s *service) restored(right *netv1.Ingress) error {
	return lab.Poll(s.within(20*time.Second), func() error {
		now := s.canaryIngress()
		if err := shared.Client().Get(s.Context(), client.ObjectKeyFromObject(now), now); err != nil {
			return err
		}
		if diff := cmp.Diff(undated(right), undated(now)); diff != "" {
			return fmt.Errorf("the canary Ingress is not put right (-want +got):\n%s", diff)
		}
		return nil
	})
}

func undated(ing *netv1.Ingress) []any {
	annotations := maps.Clone(ing.Annotations)
	delete(annotations, "headgate.dev/weight-since")
	return []any{annotations, ing.Spec}
}

// canaryServiceIsKept edits the canary Service, and deletes it.
func (s *service) canaryServiceIsKept() {
	s.Helper()
	svc := s.canaryService()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(svc), svc))
	want := svc.Spec.Selector
	kept := func() error {
		now := s.canaryService()
		err := shared.Client().Get(s.Context(), client.ObjectKeyFromObject(now), now)
		if err == nil && !maps.Equal(now.Spec.Selector, want) {
			err = fmt.Errorf("the canary Service selects %v, want %v", now.Spec.Selector, want)
		}
		return err
	}
	s.overwrite(s.canaryService(), map[string]any{"spec": map[string]any{"selector": map[string]any{spec.LabelRollout: "0"}}})
	s.must(lab.Poll(s.within(20*time.Second), kept))
	s.must(shared.Client().Delete(s.Context(), s.canaryService()))
	s.must(lab.Poll(s.within(20*time.Second), kept))
}
