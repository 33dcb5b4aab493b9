package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

var extra = rollout.ExtraMeta{
	Labels:      map[string]string{"team": "platform"},
	Annotations: map[string]string{"example.com/owner": "platform"},
}

// The canary Deployment has the operator's labels and annotations in its metadata. Its
// selector and its pods are as without them, so nobody takes it for edited.
func TestCanaryHasExtraMeta(t *testing.T) {
	s := newFixture(t)
	want := s.canaryDep.DeepCopy()
	if err := s.Client.Delete(t.Context(), s.canaryDep.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	s.canaryDep, s.target.Extra, s.target.Track = nil, extra, map[string]string{"app": "web-canary"}
	goal := &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2}
	d := rollout.Decision{Reason: reason.CanaryStarting, Canary: goal, Phase: spec.Pending}
	if err := s.writeCanary(t.Context(), s.snapshot, d); err != nil {
		t.Fatal(err)
	}
	got := storedCanary(t, s)
	if !extra.On(got) {
		t.Errorf("labels %v, annotations %v", got.Labels, got.Annotations)
	}
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" || fingerprint(want.Spec.Template) != fingerprint(got.Spec.Template) {
		t.Errorf("the spec depends on them (-want +got):\n%s", diff)
	}
}

// The operator changes the setting in the middle of a rollout: the canary Deployment is
// written once, and not as soon as nothing differs.
func TestCanaryGetsExtraMetaAmidARollout(t *testing.T) {
	s := newFixture(t)
	s.target.Extra = extra
	goal := &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2}
	text, err := goal.State.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.canaryDep.Annotations[spec.AnnotationState] = text
	if err := s.Live.(client.Client).Update(t.Context(), s.canaryDep); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.writeCanary(t.Context(), s.snapshot, rollout.Decision{Canary: goal}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"patch web-canary"}, s.ledger.writes); diff != "" {
		t.Error(diff)
	}
	if got := storedCanary(t, s); !extra.On(got) || got.Labels[spec.LabelManagedBy] != spec.ManagedBy {
		t.Errorf("labels %v, annotations %v", got.Labels, got.Annotations)
	}
}

func storedCanary(t *testing.T, s fixture) *appsv1.Deployment {
	t.Helper()
	canary := &appsv1.Deployment{}
	if err := s.Live.Get(t.Context(), client.ObjectKey{Namespace: s.dep.Namespace, Name: "web-canary"}, canary); err != nil {
		t.Fatal(err)
	}
	return canary
}

func TestJobHasExtraMeta(t *testing.T) {
	s := atJobStep(t)
	want := newJob(s.snapshot, smoke(), "web-canary-7-1-0", "")
	s.target.Extra = extra
	got := newJob(s.snapshot, smoke(), "web-canary-7-1-0", "")
	extra.AddTo(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The setting reaches the Router, which makes Services and Ingresses, in the target.
func TestTargetHasExtraMeta(t *testing.T) {
	r, dep, _ := newPreviewedRollout(t)
	r.Extra = extra
	s, err := r.observe(t.Context(), client.ObjectKeyFromObject(dep))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(extra, s.target.Extra); diff != "" {
		t.Error(diff)
	}
}
