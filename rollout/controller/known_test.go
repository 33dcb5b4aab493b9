package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// resting makes dep a Deployment whose revision runs completely and is not held.
func resting(revision string) func(*appsv1.Deployment) {
	return func(dep *appsv1.Deployment) {
		delete(dep.Annotations, spec.AnnotationRollout)
		delete(dep.Annotations, spec.AnnotationPhase)
		dep.Annotations["deployment.kubernetes.io/revision"] = revision
		dep.Spec.Paused = false
		dep.Spec.Template.Spec.Containers[0].Image = "web:v0" // as the ReplicaSet of newWaiting
		dep.Status.ObservedGeneration = dep.Generation
		dep.Status.Replicas, dep.Status.UpdatedReplicas, dep.Status.AvailableReplicas = 2, 2, 2
	}
}

// rollsOut lets v roll out as without Headgate.
func (w *waiting) rollsOut(t *testing.T, revision string, v version) {
	t.Helper()
	c := w.Client
	dep := w.deployment(t)
	dep.Annotations["deployment.kubernetes.io/revision"] = revision
	v.of(dep)
	if err := c.Update(t.Context(), dep); err != nil {
		t.Fatal(err)
	}
	var sets appsv1.ReplicaSetList
	if err := c.List(t.Context(), &sets); err != nil {
		t.Fatal(err)
	}
	for i := range sets.Items {
		sets.Items[i].Spec.Replicas = ptr.To[int32](0)
		if err := c.Update(t.Context(), &sets.Items[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Create(t.Context(), replicaSet(dep, v, 2)); err != nil {
		t.Fatal(err)
	}
}

func (w *waiting) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	dep := &appsv1.Deployment{}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, dep); err != nil {
		t.Fatal(err)
	}
	return dep
}

// told returns the events since the last call.
func (w *waiting) told() []string {
	var all []string
	for recorder := w.Events.(*events.FakeRecorder).Events; len(recorder) > 0; {
		all = append(all, <-recorder)
	}
	return all
}

// A new template that rolled out while no manager looked is reported by the next one,
// once. A restart is not.
func TestATemplateThatWentOutUnseenIsReportedOnce(t *testing.T) {
	w := newWaiting(t, resting("5"))
	expect := func(want ...string) {
		t.Helper()
		w.looks(t, 3)
		got := w.told()
		if len(got) != len(want) {
			t.Fatalf("events %q, want %q", got, want)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("event %q, want %q", got[i], want[i])
			}
		}
	}
	expect("Normal Ready")
	w.rollsOut(t, "6", version{"web:v0", "2026-11-28T12:00:00Z"})
	expect()
	w.rollsOut(t, "7", version{"web:v3", ""})
	expect("Warning BypassFound revision 7 went out without a canary")
	if got := w.reason(t); got != string(reason.BypassFound) {
		t.Errorf("the condition says %s", got)
	}
	expect()

	dep := w.deployment(t)
	if got := knownTemplate(dep); got.Revision != "7" || got.Template != templateIdentity(dep.Spec.Template) {
		t.Errorf("on record is %q", got)
	}
	delete(dep.Annotations, spec.AnnotationStrategy)
	if err := w.Client.Update(t.Context(), dep); err != nil {
		t.Fatal(err)
	}
	expect("Normal OptedOut")
	if c := findCondition(w.deployment(t), spec.ConditionKnown); c != nil {
		t.Errorf("after opting out on record is %q", c.Message)
	}
}

// The template is on record before it goes, the condition tells of it after, and the
// release does not fail because of the record.
func TestAReleaseIsOnRecordFirst(t *testing.T) {
	s := newFixture(t)
	s.canaryDep = nil
	s.Stable.Known = rollout.KnownTemplate{Revision: "5", Template: "old/"}
	known := rollout.KnownTemplate{Revision: "5", Template: "new/"}
	s.Traffic = rollout.Traffic{}
	d := rollout.Decision{Reason: reason.Bypassed, Message: "by command", Hold: rollout.Release, Known: &known}
	if err := s.apply(t.Context(), s.snapshot, d); err != nil {
		t.Fatal(err)
	}
	want := []string{"patch status of web", "patch web", "patch status of web"}
	if diff := cmp.Diff(want, s.ledger.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}

	w := newWaiting(t, func(dep *appsv1.Deployment) {
		dep.Spec.Replicas = ptr.To[int32](0)
		dep.Annotations["deployment.kubernetes.io/revision"] = "5"
	})
	w.looks(t, 1)
	dep := w.deployment(t)
	if dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] != "" {
		t.Errorf("it is not released: %v", dep.Annotations)
	}
	if got := knownTemplate(dep); got.Template != templateIdentity(dep.Spec.Template) {
		t.Errorf("on record is %q", got)
	}
	for _, read := range w.live {
		if strings.HasPrefix(read, "get *v1.Deployment") {
			t.Errorf("the release reads (%s): the record made it a conflict", read)
		}
	}
}
