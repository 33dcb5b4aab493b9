package controller

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

var (
	deployments = appsv1.Resource("deployments")
	quota       = apierrors.NewForbidden(deployments, "web-canary", errors.New("exceeded quota: q, used: pods=2, limited: pods=2"))
)

func TestRefused(t *testing.T) {
	webhookDown := apierrors.NewInternalError(errors.New(`failed calling webhook "validate.nginx.ingress.kubernetes.io"`))
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"a quota":                                 {errors.Join(errors.New("creating"), quota), true},
		"a policy":                                {apierrors.NewBadRequest("admission webhook denied the request"), true},
		"a webhook that does not answer":          {webhookDown, true},
		"somebody wrote first":                    {apierrors.NewConflict(deployments, "web", errors.New("newer")), false},
		"a time-out":                              {apierrors.NewTimeoutError("slow", 1), false},
		"a busy API server":                       {apierrors.NewTooManyRequests("busy", 1), false},
		"another fault of the API server":         {apierrors.NewInternalError(errors.New("etcd")), false},
		"an error that is not the API server's":   {errors.New("connection refused"), false},
		"the object is gone, so is what to write": {apierrors.NewNotFound(deployments, "web"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refused(tt.err) != nil; got != tt.want {
				t.Errorf("refused(%v) = %v", tt.err, got)
			}
		})
	}
}

// The refusal is reported once, in the words of the refuser, without what changes
// from one attempt to the next.
func TestReportRefusal(t *testing.T) {
	s := newFixture(t)
	recorder := s.Events.(*events.FakeRecorder)
	s.target.Rollout = "7"
	if err := s.reportRefusal(t.Context(), s.snapshot, quota); err != nil {
		t.Fatal(err)
	}
	event := <-recorder.Events
	want := "rollout 7: the API server refuses a write of Headgate, which tries again every few seconds: " +
		`deployments.apps "web-canary" is forbidden: exceeded quota: q, limited: pods=2`
	if !strings.Contains(event, "Warning WriteRefused "+want) {
		t.Errorf("the event is %q", event)
	}
	s.condition = &appsv1.DeploymentCondition{Reason: string(reason.WriteRefused), Message: want}
	if err := s.reportRefusal(t.Context(), s.snapshot, quota); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"patch status of web"}, s.ledger.writes); diff != "" || len(recorder.Events) > 0 {
		t.Errorf("reported again: %s, %d events", diff, len(recorder.Events))
	}
}

// A verdict goes on record although the API server does not delete the routes.
func TestApplyRecordsTheVerdictWhenRoutesCannotBeRemoved(t *testing.T) {
	s := newFixture(t)
	s.Router = stuckRouter{s.ledger}
	state := rollout.State{Rollout: "7", Mode: rollout.ModeRolledBack, Why: reason.AnalysisFailed}
	d := rollout.Decision{
		Reason: reason.AnalysisFailed, Phase: spec.RolledBack, Canary: &rollout.CanaryGoal{State: state, Replicas: 2},
		Notes: []rollout.Note{{Reason: reason.MeasurementFailed, Message: "Fail"}},
	}
	if err := s.apply(t.Context(), s.snapshot, d); err == nil {
		t.Error("apply() does not say that the routes are still there")
	}
	if diff := cmp.Diff([]string{"patch web-canary"}, s.ledger.writes); diff != "" {
		t.Error(diff)
	}
	if text, err := state.Encode(); err != nil || s.canaryDep.Annotations[spec.AnnotationState] != text {
		t.Errorf("the state is %s, %v", s.canaryDep.Annotations[spec.AnnotationState], err)
	}
}

// A canary Deployment that somebody deleted leaves its Services, which belong to the
// stable Deployment. They go once, with the phase.
func TestServicesOfADeletedCanaryAreRemoved(t *testing.T) {
	s := newFixture(t)
	s.canaryDep, s.Traffic, s.Stable.Hold, s.Stable.Phase = nil, rollout.Traffic{}, "", spec.Promoting
	if err := s.removeCanary(t.Context(), s.snapshot, rollout.Decision{}); err != nil {
		t.Fatal(err)
	}
	s.Stable.Phase = ""
	if err := s.removeCanary(t.Context(), s.snapshot, rollout.Decision{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"remove services"}, s.ledger.writes); diff != "" {
		t.Error(diff)
	}
}

type stuckRouter struct{ *ledger }

func (stuckRouter) Remove(context.Context, rollout.Target) error { return errors.New("timeout") }

// Two policies that miss the canary are two events.
func TestNotesOfOneReasonAreEventsOfTheirOwn(t *testing.T) {
	s := newFixture(t)
	recorded := &actions{}
	s.Events = recorded
	note := rollout.Note{Reason: reason.CanaryNotCovered, Message: "NetworkPolicy a"}
	if err := s.reportNotes(t.Context(), s.snapshot, rollout.Decision{Notes: []rollout.Note{note, note}}); err != nil {
		t.Fatal(err)
	}
	if len(recorded.seen) != 2 || recorded.seen[0] == recorded.seen[1] {
		t.Errorf("actions %v: client-go merges events of one action", recorded.seen)
	}
}

// A cache without the ReplicaSets of a Deployment that runs releases nothing.
func TestReleaseWithoutCanaryIsConfirmed(t *testing.T) {
	s := newFixture(t)
	s.canaryDep = nil
	replicas := int32(4)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.dep.Namespace, Name: "web-1", Labels: s.dep.Spec.Selector.MatchLabels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s.dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &replicas, Template: *s.dep.Spec.Template.DeepCopy()},
		Status: appsv1.ReplicaSetStatus{Replicas: replicas},
	}
	rs.Spec.Template.Spec.Containers[0].Image = "web:v1"
	if err := s.Client.Create(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	s.ledger.writes = nil
	d := rollout.Decision{Hold: rollout.Release, Reason: reason.Bypassed}
	if err := s.writeStable(t.Context(), s.snapshot, d); !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
		t.Errorf("writeStable() = %v, writes %v; want errStale and none", err, s.ledger.writes)
	}
	s.Stable.Runs = true // the cache caught up
	if err := s.writeStable(t.Context(), s.snapshot, d); err != nil || len(s.ledger.writes) != 1 {
		t.Errorf("writeStable() = %v, writes %v", err, s.ledger.writes)
	}
}

// actions records the action of every event, and how many events each reason has.
type actions struct {
	seen    []string
	reasons map[string]int
}

func (a *actions) Eventf(_, _ runtime.Object, _, because, action, _ string, _ ...any) {
	a.seen = append(a.seen, action)
	if a.reasons == nil {
		a.reasons = map[string]int{}
	}
	a.reasons[because]++
}

func (a *actions) count(because reason.Reason) int { return a.reasons[string(because)] }
