package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
	if err := s.reportRefusal(t.Context(), s.snapshot, rollout.Decision{}, quota); err != nil {
		t.Fatal(err)
	}
	event := <-recorder.Events
	want := "rollout 7: the API server refuses a write of Headgate, which tries again every few seconds: " +
		`deployments.apps "web-canary" is forbidden: exceeded quota: q, limited: pods=2`
	if !strings.Contains(event, "Warning WriteRefused "+want) {
		t.Errorf("the event is %q", event)
	}
	s.condition = &appsv1.DeploymentCondition{Reason: string(reason.WriteRefused), Message: want}
	if err := s.reportRefusal(t.Context(), s.snapshot, rollout.Decision{}, quota); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"patch status of web"}, s.ledger.writes); diff != "" || len(recorder.Events) > 0 {
		t.Errorf("reported again: %s, %d events", diff, len(recorder.Events))
	}
}

// A refused write after the condition is reported once. The condition of the rollout
// does not come back before that write succeeds.
func TestReportComesLastAfterARefusal(t *testing.T) {
	s := newFixture(t)
	s.Traffic.Routed, s.Stable.Reason = false, reason.WriteRefused
	s.condition = &appsv1.DeploymentCondition{Reason: string(reason.WriteRefused)}
	d := rollout.Decision{Reason: reason.Promoted, Message: "promoted"}
	if err := s.apply(t.Context(), s.snapshot, d); err != nil {
		t.Fatal(err)
	}
	want := []string{"patch web", "remove services", "delete web-canary", "patch status of web"}
	if diff := cmp.Diff(want, s.ledger.writes); diff != "" {
		t.Error(diff)
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
	if diff := cmp.Diff([]string{"patch status of web"}, s.ledger.writes); diff != "" {
		t.Error(diff)
	}
	if text, err := state.Encode(); err != nil || storedState(t, s) != "canary : "+text {
		t.Errorf("the state is %s, %v", storedState(t, s), err)
	}
}

// A write that hangs leaves time to put the verdict on record.
func TestTakingTrafficLeavesTime(t *testing.T) {
	s := newFixture(t)
	router := &deadlineRouter{ledger: s.ledger}
	s.Router = router
	ctx, cancel := context.WithTimeout(t.Context(), reconcileTimeout)
	defer cancel()
	if err := s.apply(ctx, s.snapshot, rollout.Decision{Phase: spec.Pending}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(router.deadline); left <= 0 || left > takeTrafficTimeout {
		t.Errorf("taking traffic away may take %s", left)
	}
}

// deadlineRouter records how long Remove may take.
type deadlineRouter struct {
	*ledger
	deadline time.Time
}

func (r *deadlineRouter) Remove(ctx context.Context, _ rollout.Target) error {
	r.deadline, _ = ctx.Deadline()
	return nil
}

// A canary Deployment that somebody deleted leaves its Services, which belong to the
// stable Deployment. They go before the phase: after that nothing tells of a rollout.
func TestServicesOfADeletedCanaryAreRemoved(t *testing.T) {
	s := newFixture(t)
	s.canaryDep, s.Traffic, s.Stable.Hold, s.Stable.Phase, s.leftovers = nil, rollout.Traffic{}, "", spec.Promoting, true
	if err := s.apply(t.Context(), s.snapshot, rollout.Decision{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"remove services", "patch web"}, s.ledger.writes); diff != "" {
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

// Two edits of the analysis at one weight are two events.
func TestEditsAreEventsOfTheirOwn(t *testing.T) {
	s := newFixture(t)
	recorded := &actions{}
	s.Events = recorded
	for _, edit := range []string{"1f2e3d4c5b6a7988", "removed"} {
		d := rollout.Decision{
			Canary: &rollout.CanaryGoal{State: rollout.State{Rollout: "7", Weight: 50, EditTold: edit}},
			Notes:  []rollout.Note{{Reason: reason.AnalysisEdited, Message: edit}},
		}
		if err := s.reportNotes(t.Context(), s.snapshot, d); err != nil {
			t.Fatal(err)
		}
	}
	if len(recorded.seen) != 2 || recorded.seen[0] == recorded.seen[1] {
		t.Errorf("actions %v: client-go merges events of one action", recorded.seen)
	}
}

// A cache without the ReplicaSets of a Deployment that runs releases nothing, with a
// canary or without.
func TestReleaseIsConfirmed(t *testing.T) {
	s := newFixture(t)
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

// A refusal names the write, because a webhook seldom does, and says where the traffic is.
func TestReportRefusalNamesTheWrite(t *testing.T) {
	denied := apierrors.NewForbidden(deployments, "", errors.New("denied"))
	denied.ErrStatus.Message = `admission webhook "policy.example.com" denied the request: no`
	write := func(what string) error {
		return fmt.Errorf("rolling out Deployment shop/web: %w", errors.Join(
			fmt.Errorf("setting weight 10: %w", errors.Join(errors.New("not this"), fmt.Errorf("%s: %w", what, denied)))))
	}
	const said = refusalPrefix + "%s: " + `admission webhook "policy.example.com" denied the request: no`
	for name, tt := range map[string]struct {
		write  string
		phase  spec.Phase
		routed bool
		want   string
	}{
		"a canary Service": {write: `creating Service "shop/web-canary"`, phase: spec.Progressing, routed: true, want: "rollout 7: " + said},
		"a canary Ingress": {write: `updating Ingress "shop/web-canary"`, phase: spec.Progressing, routed: true, want: "rollout 7: " + said},
		"a preview":        {write: `creating Ingress "shop/web-preview"`, phase: spec.Paused, routed: true, want: "rollout 7: " + said},
		"the record of a rollback": {
			write: "writing Deployment web", phase: spec.RolledBack, want: "rollout 7: rolled back, stable serves all traffic, but " + said,
		},
		"a rollback whose routes are still there": {
			write: `deleting Ingress "shop/web-canary"`, phase: spec.RolledBack, routed: true, want: "rollout 7: " + said,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.target.Rollout, s.Traffic.Routed = "7", tt.routed
			if err := s.reportRefusal(t.Context(), s.snapshot, rollout.Decision{Phase: tt.phase}, write(tt.write)); err != nil {
				t.Fatal(err)
			}
			got, want := <-s.Events.(*events.FakeRecorder).Events, "Warning WriteRefused "+fmt.Sprintf(tt.want, tt.write)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if words := refuserWords(got); !strings.HasPrefix(words, tt.write) {
				t.Errorf("the words of the refuser are %s", words)
			}
		})
	}
}

// Whatever write of the pass is refused, the condition says so, and it stays WriteRefused
// until the write succeeds.
func TestReconcileReportsRefusedWrites(t *testing.T) {
	s := newFixture(t)
	s.Router = refusingRouter{s.ledger}
	goal := &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2}
	d := rollout.Decision{Reason: reason.WeightSet, Message: "weight 75", Canary: goal, Routes: split(75), Phase: spec.Progressing}
	err := s.apply(t.Context(), s.snapshot, d)
	if err := s.reportRefusal(t.Context(), s.snapshot, d, err); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"patch status of web", "patch status of web"}, s.ledger.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	got := <-s.Events.(*events.FakeRecorder).Events
	if !strings.Contains(got, "WriteRefused") || !strings.Contains(got, `updating Ingress "shop/web-canary"`) {
		t.Errorf("the event is %s", got)
	}
}

// While the record of a finished rollout cannot be deleted, the condition does not change
// at each attempt.
func TestConditionStaysWhileTheRecordCannotBeDeleted(t *testing.T) {
	s := newFixture(t)
	s.Traffic.Routed, s.Stable.Hold, s.Stable.Phase = false, "", ""
	s.Router = cleanupRefused{s.ledger}
	d := rollout.Decision{Reason: reason.Promoted, Message: "promoted"}
	var reasons []string
	for range 3 {
		err := s.apply(t.Context(), s.snapshot, d)
		if err == nil {
			t.Fatal("apply() does not say that a Service is still there")
		}
		if err := s.reportRefusal(t.Context(), s.snapshot, d, err); err != nil {
			t.Fatal(err)
		}
		for recorder := s.Events.(*events.FakeRecorder); len(recorder.Events) > 0; {
			reasons = append(reasons, strings.Fields(<-recorder.Events)[1])
		}
		s.Stable.Reason = reason.WriteRefused
		s.condition = &appsv1.DeploymentCondition{Reason: "WriteRefused", Message: refusalPrefix + `deleting Service "shop/web-canary": ` +
			`deployments.apps "web-canary" is forbidden: exceeded quota: q, limited: pods=2`}
	}
	if diff := cmp.Diff([]string{"WriteRefused"}, reasons); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

type cleanupRefused struct{ *ledger }

func (cleanupRefused) Cleanup(context.Context, rollout.Target) error {
	return fmt.Errorf("deleting %s: %w", `Service "shop/web-canary"`, quota)
}

// refusingRouter is behind an API server that refuses to update Ingresses.
type refusingRouter struct{ *ledger }

func (refusingRouter) SetWeight(context.Context, rollout.Target, int, spec.Match) error {
	return fmt.Errorf("updating %s: %w", `Ingress "shop/web-canary"`, quota)
}
