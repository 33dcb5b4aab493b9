package robust

import (
	"errors"
	"fmt"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestNodeIsDrained evicts both managers in the middle of a rollout under load, as "kubectl
// drain" does: again and again until the PodDisruptionBudget lets it. So the leader changes.
// New templates arrive all the time.
func TestNodeIsDrained(t *testing.T) {
	updates := updateAlways(t)
	a := newApp(t, "25%, 4s, 50%, 4s, 100%, 1s")
	weights := watchWeights(t, a)
	a.Ship("v2", nil)
	a.AwaitWeight(time.Minute, 25)
	first := leader(t)
	refused := 0
	for _, pod := range managers(t) {
		must(t, lab.Poll(within(t, time.Minute), func() error {
			err := shared.Client().SubResource("eviction").Create(t.Context(), &pod, &policyv1.Eviction{})
			if apierrors.IsTooManyRequests(err) {
				refused++
			}
			return err
		}))
	}
	if refused == 0 {
		t.Error("the second manager was evicted before the first one was replaced: the PodDisruptionBudget is not in force")
	}
	a.Await(2*time.Minute, reason.Promoted)
	a.Gone(30 * time.Second)
	if now := leader(t); now == first || now == "" {
		t.Errorf("the leader was %q and is %q", first, now)
	}
	weights.are(t, 0, 25, 50, 100, -1)
	if n := ingressWrites(t, a); n != 4 {
		t.Errorf("Headgate wrote the canary Ingress %d times, want once for each of 4 weights", n)
	}
	updates.none()
	a.Over()
	awaitManagers(t)
}

// TestLeaderLosesItsLease gives the Lease to somebody else, who does nothing, in the middle
// of a rollout. The leader must end, and nothing may be written until a manager has the
// Lease again: not even for a command.
func TestLeaderLosesItsLease(t *testing.T) {
	a := newApp(t, "50%, pause, 100%, 1s")
	weights := watchWeights(t, a)
	a.Ship("v2", nil)
	a.Await(time.Minute, reason.AwaitingPromotion)
	ended := restarts(t)
	takeLease(t)
	must(t, lab.Poll(within(t, time.Minute), func() error {
		if restarts(t) == ended {
			return errors.New("the leader goes on without its Lease")
		}
		return nil
	}))
	if now := restarts(t); now != ended+1 {
		t.Errorf("%d managers ended, want the leader alone", now-ended)
	}
	before := len(writes(t))
	a.Annotate(spec.AnnotationCommand, spec.VerbPromote)
	time.Sleep(4 * time.Second)
	if more := writes(t)[before:]; len(more) > 0 {
		t.Errorf("without the Lease, Headgate wrote %v", more)
	}
	must(t, shared.Client().Delete(t.Context(), lease()))
	a.Await(2*time.Minute, reason.Promoted)
	a.Gone(30 * time.Second)
	weights.are(t, 0, 50, 100, -1)
	a.Over()
	awaitManagers(t)
}

// takeLease makes somebody the leader for an hour.
func takeLease(t *testing.T) {
	t.Helper()
	must(t, lab.Poll(within(t, 20*time.Second), func() error {
		held := lease()
		if err := shared.Client().Get(t.Context(), client.ObjectKeyFromObject(held), held); err != nil {
			return err
		}
		now := metav1.NowMicro()
		held.Spec = coordinationv1.LeaseSpec{
			HolderIdentity: new("nobody"), LeaseDurationSeconds: new(int32(3600)), AcquireTime: &now, RenewTime: &now,
		}
		return shared.Client().Update(t.Context(), held) // a conflict: the leader has just renewed it
	}))
}

// writes lists Headgate's writes of rollouts: those of events and of the Lease are not.
func writes(t *testing.T) []string {
	t.Helper()
	all, err := shared.HeadgateWrites()
	must(t, err)
	var names []string
	for _, w := range all {
		if w.Resource != "events" {
			names = append(names, fmt.Sprintf("%s %s %s/%s", w.Verb, w.Resource, w.Namespace, w.Name))
		}
	}
	return names
}
