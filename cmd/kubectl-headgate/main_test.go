package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headgate/headgate/cmd/kubectl-headgate/doctor"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// cluster is a fake API server, and what a person sees of the commands.
type cluster struct {
	*fake.Clientset
	out, err bytes.Buffer
	all      func() (doctor.Cluster, error)
}

func newCluster(objects ...runtime.Object) *cluster {
	return &cluster{Clientset: fake.NewClientset(objects...)}
}

// run runs a command line as kubectl does, and returns the exit code.
func (c *cluster) run(t *testing.T, args ...string) int {
	t.Helper()
	c.out.Reset()
	c.err.Reset()
	s := streams{out: &c.out, err: &c.err, environ: func(string) string { return "" }}
	root := newRoot(s, &clients{apps: c.AppsV1(), core: c.CoreV1(), events: c.EventsV1(), network: c.NetworkingV1(), all: c.all})
	root.SetArgs(append(args, "-n", "shop"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := report(err, &c.err)
	return code
}

// at is a Deployment whose rollout is at a step.
func at(phase spec.Phase, change func(*appsv1.Deployment, *rollout.State)) *appsv1.Deployment {
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "web-uid",
		Annotations: map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationRollout: "7", spec.AnnotationPhase: string(phase)},
	}}
	dep.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "web:v2"}}
	dep.Spec.Replicas = new(int32(4))
	dep.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	steps, err := spec.ParseSteps("10%, 5m, 50%, pause, 100%")
	if err != nil {
		panic(err)
	}
	now := time.Now().Add(-time.Minute).UTC()
	s := rollout.State{
		Form: 2, Rollout: "7", Template: "x", Mode: rollout.ModeProgressing, Steps: steps, Step: 1,
		StepSince: now, Began: now, Weight: 10, InForce: now,
	}
	change(dep, &s)
	text, err := s.Encode()
	if err != nil {
		panic(err)
	}
	told := appsv1.DeploymentCondition{
		Type: spec.ConditionType, Status: corev1.ConditionUnknown, Reason: string(reason.Waiting),
		Message: "rollout 7: step 2 of 5, weight 10", LastUpdateTime: metav1.NewTime(now),
	}
	state := appsv1.DeploymentCondition{Type: spec.ConditionState, Message: rollout.StateMessage("canary-uid", text)}
	dep.Status.Conditions = append(dep.Status.Conditions, told, state)
	return dep
}

func unchanged(*appsv1.Deployment, *rollout.State) {}

func TestStatusNeedsOnlyDeployments(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	for _, resource := range []string{"pods", "replicasets", "ingresses", "events"} {
		c.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("not for you"))
		})
	}
	if code := c.run(t, "status", "web"); code != 0 {
		t.Fatalf("exit code %d: %s", code, c.err.String())
	}
	for _, want := range []string{
		"rollout 7", "step 2 of 5: 5m", "canary  10%", "kubectl headgate abort web -n shop", "you may not read or write pods here",
	} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("there is no %q in:\n%s", want, c.out.String())
		}
	}
}

func TestStatusAsJSON(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	if code := c.run(t, "status", "deploy/web", "-o", "json"); code != 0 {
		t.Fatal(c.err.String())
	}
	var s status.Status
	if err := json.Unmarshal(c.out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != status.Schema || s.Step == nil || s.Step.Number != 2 || s.Weight.Granted != 10 || s.Next == nil || s.Next.At == nil {
		t.Errorf("got %+v", s)
	}
}

// kubectl headgate status --wait is for CI: it must not pass on what it has not seen end.
func TestWait(t *testing.T) {
	told := func(dep *appsv1.Deployment, why reason.Reason, phase spec.Phase, hold string) {
		dep.Status.Conditions[0].Reason = string(why)
		dep.Annotations[spec.AnnotationPhase], dep.Annotations[spec.AnnotationRollout] = string(phase), hold
		if phase == "" {
			delete(dep.Annotations, spec.AnnotationPhase)
			delete(dep.Annotations, spec.AnnotationRollout)
		}
	}
	for name, tt := range map[string]struct {
		then func(*appsv1.Deployment)
		want int
	}{
		"promoted":                      {func(d *appsv1.Deployment) { told(d, reason.Promoted, "", "") }, 0},
		"rolled back":                   {func(d *appsv1.Deployment) { told(d, reason.AnalysisFailed, spec.RolledBack, "7") }, exitRolledBack},
		"git went back":                 {func(d *appsv1.Deployment) { told(d, reason.StableRestored, "", "") }, 1},
		"a newer version":               {func(d *appsv1.Deployment) { told(d, reason.Superseded, spec.Pending, "9") }, 1},
		"somebody took the hold away":   {func(d *appsv1.Deployment) { told(d, reason.HoldRemoved, "", "") }, 1},
		"it goes on after the time-out": {func(*appsv1.Deployment) {}, exitTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dep := at(spec.Progressing, unchanged)
			c := newCluster(dep)
			time.AfterFunc(500*time.Millisecond, func() {
				next := dep.DeepCopy()
				tt.then(next)
				_, _ = c.AppsV1().Deployments("shop").Update(t.Context(), next, metav1.UpdateOptions{})
			})
			if got := c.run(t, "status", "web", "--wait", "--timeout", "3s"); got != tt.want {
				t.Errorf("exit code %d, want %d\n%s%s", got, tt.want, c.out.String(), c.err.String())
			}
		})
	}
}

func TestWaitEndsAtAPause(t *testing.T) {
	c := newCluster(at(spec.Paused, func(_ *appsv1.Deployment, s *rollout.State) {
		s.Step, s.Weight = 3, 50
	}))
	if got := c.run(t, "status", "web", "--wait"); got != exitPerson {
		t.Errorf("exit code %d, want %d\n%s", got, exitPerson, c.err.String())
	}
}

func TestCommandIsBoundAndWaitsForTheAnswer(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	answers(t, c, "", "")
	if code := c.run(t, "abort", "web"); code != 0 {
		t.Fatalf("exit code %d: %s", code, c.err.String())
	}
	if got := commandsWritten(c); len(got) != 1 || got[0] != "abort:7" {
		t.Errorf("the commands written are %v, want abort:7", got)
	}
}

func TestRefusalIsPrinted(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	answers(t, c, reason.CommandRefused, "rollout 7: promote-full:7 is refused: the metrics are being asked")
	if code := c.run(t, "promote", "--full", "web"); code != 1 || !strings.Contains(c.err.String(), "the metrics are being asked") {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
}

func TestSenselessCommandIsNotWritten(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	if code := c.run(t, "resume", "web"); code != 1 || !strings.Contains(c.err.String(), "nothing is paused by command") {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	if code := c.run(t, "abort", "web", "--dry-run"); code != 0 || !strings.Contains(c.out.String(), "nothing is written") {
		t.Errorf("exit code %d: %s%s", code, c.out.String(), c.err.String())
	}
	if got := commandsWritten(c); len(got) > 0 {
		t.Errorf("written: %v", got)
	}
}

func TestNoManagerAnswers(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	code := c.run(t, "pause", "web", "--timeout", "1s")
	if code != exitTimeout || !strings.Contains(c.err.String(), "no manager has taken it") {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
}

// answers is a manager that takes every command, with an event about it.
func answers(t *testing.T, c *cluster, why reason.Reason, message string) {
	c.PrependReactor("patch", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
		time.AfterFunc(200*time.Millisecond, func() {
			if why != "" {
				_, _ = c.EventsV1().Events("shop").Create(t.Context(), &eventsv1.Event{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "answer"}, Reason: string(why), Note: message,
					EventTime: metav1.NowMicro(), ReportingController: "headgate",
					Regarding: corev1.ObjectReference{Kind: "Deployment", Name: "web", Namespace: "shop", UID: types.UID("web-uid")},
				}, metav1.CreateOptions{})
			}
			dep, err := c.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{})
			if err == nil {
				delete(dep.Annotations, spec.AnnotationCommand)
				_, _ = c.AppsV1().Deployments("shop").Update(t.Context(), dep, metav1.UpdateOptions{})
			}
		})
		return false, nil, nil
	})
}

func commandsWritten(c *cluster) []string {
	var commands []string
	for _, a := range c.Actions() {
		patch, ok := a.(clienttesting.PatchAction)
		if !ok {
			continue
		}
		var content metav1.PartialObjectMetadata
		if json.Unmarshal(patch.GetPatch(), &content) == nil && content.Annotations[spec.AnnotationCommand] != "" {
			commands = append(commands, content.Annotations[spec.AnnotationCommand])
		}
	}
	return commands
}

func TestList(t *testing.T) {
	idle := at("", func(d *appsv1.Deployment, _ *rollout.State) {
		d.Name = "quiet"
		delete(d.Annotations, spec.AnnotationPhase)
		delete(d.Annotations, spec.AnnotationRollout)
	})
	idle.Status.Conditions[0].Reason = string(reason.Promoted)
	plain := at("", func(d *appsv1.Deployment, _ *rollout.State) { d.Name, d.Annotations = "plain", nil })
	c := newCluster(idle, plain, at(spec.Progressing, unchanged))
	if code := c.run(t, "list"); code != 0 {
		t.Fatal(c.err.String())
	}
	lines := strings.Split(strings.TrimSpace(c.out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "web ") || !strings.Contains(lines[1], "2/5") ||
		!strings.HasPrefix(lines[2], "quiet ") {
		t.Errorf("got:\n%s", c.out.String())
	}
	c.run(t, "list", "-o", "name")
	if c.out.String() != "deployment.apps/quiet\ndeployment.apps/web\n" {
		t.Errorf("got %q", c.out.String())
	}
}

func TestErrorsAreSentences(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "status", "nothing"); code != 1 || !strings.Contains(c.err.String(), `there is no Deployment "nothing"`) {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	const wanted = "want a name, for example web or deployment/web"
	if code := c.run(t, "status", "service/web"); code != 1 || !strings.Contains(c.err.String(), wanted) {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
}

func TestExplain(t *testing.T) {
	c := newCluster(at(spec.Paused, func(_ *appsv1.Deployment, s *rollout.State) { s.Step, s.Weight = 3, 50 }))
	c.run(t, "explain", "web")
	for _, want := range []string{
		"Next: the canary gets 100% of the traffic.", "It waits for a person", "Type:", "headgate.dev/command=promote:7",
	} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("there is no %q in:\n%s", want, c.out.String())
		}
	}
}

// What a person may not do is a sentence, and not a status code.
func TestForbiddenIsASentence(t *testing.T) {
	c := newCluster(at(spec.Progressing, unchanged))
	forbid := func(verb string) {
		c.PrependReactor(verb, "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "web", errors.New("not for you"))
		})
	}
	const want = "error: you may not read or write deployments here; ask for the right, or name another namespace with -n"
	forbid("patch")
	if code := c.run(t, "abort", "web"); code != 1 || !strings.Contains(c.err.String(), want) {
		t.Errorf("abort: exit code %d: %s", code, c.err.String())
	}
	forbid("get")
	forbid("list")
	for _, line := range []string{"status web", "list", "list -A", "version"} {
		if code := c.run(t, strings.Fields(line)...); code != 1 || !strings.Contains(c.err.String(), want) {
			t.Errorf("%s: exit code %d: %s", line, code, c.err.String())
		}
	}
}

func TestVersionNamesAManagerThatIsMissingOrOlder(t *testing.T) {
	defer func(before string) { version = before }(version)
	version = "v1.4.0"
	c := newCluster()
	if code := c.run(t, "version"); code != 1 || !strings.Contains(c.err.String(), "is Headgate installed?") {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	for number, told := range map[string]string{"1.3.0": "this plugin is v1.4.0 and the manager 1.3.0", "1.4.0": ""} {
		manager := at("", func(d *appsv1.Deployment, _ *rollout.State) {
			d.Namespace, d.Name = "headgate-system", "headgate"
			d.Labels = map[string]string{"app.kubernetes.io/name": "headgate", "app.kubernetes.io/version": number}
		})
		c := newCluster(manager)
		if code := c.run(t, "version"); code != 0 || !strings.Contains(c.out.String(), "manager "+number+"  (headgate-system/headgate") ||
			!strings.Contains(c.err.String(), told) || told == "" && c.err.String() != "" {
			t.Errorf("exit code %d: %s%s", code, c.out.String(), c.err.String())
		}
	}
}
