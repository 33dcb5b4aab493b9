package cleanup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

var web = types.NamespacedName{Namespace: "shop", Name: "web"}

// held is web with v2 waiting, and the ReplicaSet of v1, which runs.
func held(changes ...func(*appsv1.Deployment)) []client.Object {
	dep := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: web.Namespace, Name: web.Name, UID: "u",
			Annotations: map[string]string{
				spec.AnnotationStrategy: "canary", spec.AnnotationRollout: "7", spec.AnnotationPhase: string(spec.Progressing),
			},
		},
		Spec: appsv1.DeploymentSpec{
			Paused:   true,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: template("v2", nil),
		},
	}
	for _, change := range changes {
		change(dep)
	}
	return []client.Object{
		dep,
		replicaSet(dep, "web-b", "9", "v0", 0), // it does not run
		replicaSet(dep, "web-a", "3", "v1", 4),
		replicaSet(dep, "web-c", "2", "v-1", 1), // it is on its way out
	}
}

func template(image string, labels map[string]string) corev1.PodTemplateSpec {
	all := map[string]string{"app": "web"}
	for key, value := range labels {
		all[key] = value
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: all},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
	}
}

func replicaSet(dep *appsv1.Deployment, name, revision, image string, replicas int32) *appsv1.ReplicaSet {
	hash := map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: name}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: dep.Namespace, Name: name, Labels: map[string]string{"app": "web"},
			Annotations:     map[string]string{annotationRevision: revision},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: dep.Spec.Selector, Template: template(image, hash)},
	}
}

// inMode gives the Deployment the state of its rollout.
func inMode(id string, mode rollout.Mode) func(*appsv1.Deployment) {
	return func(dep *appsv1.Deployment) {
		text := fmt.Sprintf(`canary c: {"form":2,"rollout":%q,"mode":%q,"began":"2026-01-01T12:00:00Z","steps":["10%%"]}`, id, mode)
		dep.Status.Conditions = append(dep.Status.Conditions,
			appsv1.DeploymentCondition{Type: spec.ConditionState, Reason: string(mode), Message: text},
			appsv1.DeploymentCondition{Type: spec.ConditionType, Reason: "Waiting", Message: "for something"})
	}
}

func annotated(key, value string) func(*appsv1.Deployment) {
	return func(dep *appsv1.Deployment) { dep.Annotations[key] = value }
}

func optedOut(dep *appsv1.Deployment) { delete(dep.Annotations, spec.AnnotationStrategy) }

// holder frees an autoscaler in every way that matters here.
type holder struct {
	client.Client
	freed []types.NamespacedName
}

func (h *holder) HeldFor(obj client.Object) []types.NamespacedName {
	if obj.GetAnnotations()[spec.AnnotationScaleDown] == "" {
		return nil
	}
	return []types.NamespacedName{web}
}

func (h *holder) Free(
	ctx context.Context, deployment types.NamespacedName, _ rollout.ScaleDownGoal, report func(rollout.Note),
) (bool, error) {
	h.freed = append(h.freed, deployment)
	report(rollout.Note{Message: "freed"})
	return false, h.Delete(ctx, autoscaler())
}

func autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{
		Namespace: web.Namespace, Name: "web", Annotations: map[string]string{spec.AnnotationScaleDown: "{}"},
	}}
}

// fixture is a Cleanup and an API server in which nobody else acts.
type fixture struct {
	*Cleanup
	api   client.WithWatch
	holds *holder
	said  []string
}

func newFixture(t *testing.T, unjudged Unjudged, objects ...client.Object) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&appsv1.Deployment{}).
		WithReturnManagedFields().Build()
	f := &fixture{api: api, holds: &holder{Client: api}}
	f.Cleanup = &Cleanup{
		Client: api, Live: api, Autoscalers: f.holds, Namespaces: []string{""}, Unjudged: unjudged,
		Print: func(line string) { f.said = append(f.said, line) },
	}
	return f
}

// runFor runs for d, which is over before anything is, because nobody acts.
func (f *fixture) runFor(t *testing.T, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, errors.New("not finished in time"))
	defer cancel()
	return f.Run(ctx)
}

func (f *fixture) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	dep := &appsv1.Deployment{}
	if err := f.api.Get(t.Context(), web, dep); err != nil {
		t.Fatal(err)
	}
	return dep
}

func TestWhatIsWritten(t *testing.T) {
	const (
		nothing = "v2"
		back    = "v1"
		command = "v2, promote-full:7"
	)
	for name, test := range map[string]struct {
		change     func(*appsv1.Deployment)
		undo, ship string
	}{
		"it has not begun":                          {func(*appsv1.Deployment) {}, back, command},
		"it goes through its steps":                 {inMode("7", rollout.ModeProgressing), back, command},
		"it was rolled back":                        {inMode("7", rollout.ModeRolledBack), back, back},
		"it was rolled back, and the state is gone": {annotated(spec.AnnotationPhase, string(spec.RolledBack)), back, back},
		"its pods are adopted":                      {inMode("7", rollout.ModeAdopting), nothing, nothing},
		"it is being promoted":                      {inMode("7", rollout.ModePromoting), nothing, nothing},
		"its traffic returns":                       {inMode("7", rollout.ModeReturning), nothing, nothing},
		"its canary is being removed":               {inMode("7", rollout.ModeRetiring), nothing, nothing},
		"one before it is being promoted":           {inMode("5", rollout.ModePromoting), back, command},
		"somebody else released it":                 {func(dep *appsv1.Deployment) { dep.Spec.Paused = false }, nothing, nothing},
		"the opt-in is gone":                        {optedOut, nothing, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for unjudged, want := range map[Unjudged]string{Undo: test.undo, Ship: test.ship} {
				f := newFixture(t, unjudged, held(test.change)...)
				if err := f.runFor(t, 200*time.Millisecond); err == nil {
					t.Errorf("%s: nobody acted, and nothing is left", unjudged)
				}
				dep := f.deployment(t)
				got := dep.Spec.Template.Spec.Containers[0].Image
				if command := dep.Annotations[spec.AnnotationCommand]; command != "" {
					got += ", " + command
				}
				if got != want {
					t.Errorf("%s: %s, want %s; it said %q", unjudged, got, want, f.said)
				}
				if dep.Spec.Paused != (name != "somebody else released it") || dep.Annotations[spec.AnnotationRollout] != "7" {
					t.Errorf("%s: only the manager ends the hold", unjudged)
				}
			}
		})
	}
}

func TestTheTemplateOfStableComesBackAsItWas(t *testing.T) {
	f := newFixture(t, Undo, held()...)
	_ = f.runFor(t, 200*time.Millisecond) // an error: nobody acts
	dep := f.deployment(t)
	if diff := cmp.Diff(template("v1", nil), dep.Spec.Template); diff != "" {
		t.Errorf("(-stable +written)\n%s", diff)
	}
	if want := "shop/web: puts the template of revision 3 (ReplicaSet web-a) back"; !slices.Contains(f.said, want) {
		t.Errorf("it said %q, want %q", f.said, want)
	}
}

func TestDisown(t *testing.T) {
	f := newFixture(t, Undo, held(func(dep *appsv1.Deployment) {
		for _, manager := range []string{"user", fieldOwner, "headgate"} {
			dep.ManagedFields = append(dep.ManagedFields, metav1.ManagedFieldsEntry{
				Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "apps/v1",
				FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`),
			})
		}
	})...)
	for range 2 { // the second time there is nothing to do
		if err := f.disown(t.Context(), web); err != nil {
			t.Fatal(err)
		}
	}
	var managers []string
	for _, entry := range f.deployment(t).ManagedFields {
		managers = append(managers, entry.Manager)
	}
	slices.Sort(managers)
	if diff := cmp.Diff([]string{"headgate", "user"}, managers); diff != "" {
		t.Errorf("(-want +left)\n%s", diff)
	}
}

func TestNoVersionRuns(t *testing.T) {
	f := newFixture(t, Undo, held()[:2]...)
	err := f.runFor(t, 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "the last write failed: no version of it runs") {
		t.Error(err)
	}
}

func TestRunSaysWhatIsLeftAndWhatToType(t *testing.T) {
	objects := append(held(inMode("7", rollout.ModePromoting)), canaryIngress())
	f := newFixture(t, Undo, objects...)
	err := f.runFor(t, 200*time.Millisecond)
	want := `not finished in time; this is left:
  shop/web: Waiting: for something; there is still Ingress web-canary
    to end its promotion without the pods that are missing: ` +
		`kubectl -n shop annotate --overwrite deployment/web headgate.dev/command=promote-full`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant: %s", err, want)
	}
}

func canaryIngress() *netv1.Ingress {
	ing := &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{
		Namespace: web.Namespace, Name: "web-canary", Labels: map[string]string{spec.LabelManagedBy: spec.ManagedBy},
	}}
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: web.Namespace, Name: web.Name, UID: "u"}}
	ing.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	return ing
}

func TestPlanWritesNothing(t *testing.T) {
	for unjudged, want := range map[Unjudged]string{
		Undo: "shop/web: would put the template of revision 3 (ReplicaSet web-a) back: its rollout has not begun",
		Ship: "shop/web: would release the template without the steps that are left: its rollout has not begun",
	} {
		f := newFixture(t, unjudged, held()...)
		before := f.deployment(t)
		if err := f.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, f.said); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(before, f.deployment(t)); diff != "" {
			t.Errorf("it wrote: %s", diff)
		}
	}
}

func TestWhatIsNotHeadgatesIsNotWaitedFor(t *testing.T) {
	plain := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "plain"}}
	idle := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "idle", Annotations: map[string]string{spec.AnnotationStrategy: "canary"},
	}}
	copied := canaryIngress()
	copied.OwnerReferences = nil
	f := newFixture(t, Undo, plain, idle, copied)
	if err := f.runFor(t, time.Second); err != nil || len(f.said) > 0 {
		t.Errorf("%v, it said %q", err, f.said)
	}
	if err := f.Plan(t.Context()); err != nil || !slices.Equal(f.said, []string{"no rollout is under way, and nothing of one is left"}) {
		t.Errorf("%v, it said %q", err, f.said)
	}
}

func TestAnAutoscalerIsFreedAfterAWhile(t *testing.T) {
	f := newFixture(t, Undo, autoscaler())
	if err := f.runFor(t, 200*time.Millisecond); err == nil || len(f.holds.freed) > 0 {
		t.Errorf("%v, it freed %v at once", err, f.holds.freed)
	}
	rest := &leftover{deployment: web, onlyAutoscalers: true}
	f.freeAt[web] = time.Now()
	if err := f.freeAutoscalers(t.Context(), rest); err != nil || len(f.holds.freed) != 1 {
		t.Errorf("%v, it freed %v", err, f.holds.freed)
	}
	f = newFixture(t, Undo, autoscaler(), canaryIngress())
	left, err := f.find(t.Context(), f.api, true)
	if err != nil || len(left) != 1 || left[0].onlyAutoscalers {
		t.Errorf("%v: an autoscaler is freed before its canary is gone: %+v", err, left)
	}
}

func TestInstallation(t *testing.T) {
	objects := held(inMode("7", rollout.ModeProgressing))
	managers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "headgate"}}
	managers.Spec.Replicas = new(int32(2))
	f := newFixture(t, Undo, append(objects, managers)...)
	i := &Installation{
		Client: f.api, Managers: client.ObjectKeyFromObject(managers), Namespaces: []string{""},
		Admission: []Admission{{"MutatingWebhookConfiguration", "none"}},
	}
	_, err := i.StopManagers(t.Context())
	if err := errors.Join(err, i.RemoveAdmission(t.Context()), i.ForgetConditions(t.Context())); err != nil {
		t.Fatal(err)
	}
	if conditions := f.deployment(t).Status.Conditions; len(conditions) > 0 {
		t.Errorf("conditions are left: %v", conditions)
	}
	if err := f.api.Get(t.Context(), i.Managers, managers); err != nil || *managers.Spec.Replicas != 0 {
		t.Errorf("%v, there are %d managers", err, *managers.Spec.Replicas)
	}
	i.Managers.Name = "none"
	if _, err := i.StopManagers(t.Context()); err != nil {
		t.Errorf("there are no managers, and stopping them fails: %v", err)
	}
}

// A manager that was told to stop still takes a free Lease, and writes conditions. So they are
// removed when its pod is gone, not before. A pod that was evicted is no manager.
func TestConditionsStayUntilTheManagersHaveStopped(t *testing.T) {
	for name, stays := range map[string]bool{"it stops": false, "it does not stop": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testStop(t, stays) })
		})
	}
}

func testStop(t *testing.T, stays bool) {
	labels := map[string]string{"app": "headgate"}
	managers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "headgate"}}
	managers.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	stopping := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "stopping", Labels: labels}}
	evicted := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "evicted", Labels: labels}}
	evicted.Status.Phase = corev1.PodFailed
	idle := held(func(dep *appsv1.Deployment) {
		dep.Spec.Paused = false
		delete(dep.Annotations, spec.AnnotationRollout)
		delete(dep.Annotations, spec.AnnotationPhase)
		dep.Status.Conditions = []appsv1.DeploymentCondition{{Type: spec.ConditionType, Reason: "Promoted", Message: "promoted"}}
	})
	f := newFixture(t, Undo, append(idle, managers, stopping, evicted)...)
	i := &Installation{Client: f.api, Managers: client.ObjectKeyFromObject(managers), Namespaces: []string{""}}
	if !stays {
		time.AfterFunc(10*time.Second, func() { _ = f.api.Delete(context.Background(), stopping) })
	}
	began := time.Now()
	var stopped time.Duration
	err := i.TakeAway(t.Context(), f.Cleanup, func() { stopped = time.Since(began) })
	left := len(f.deployment(t).Status.Conditions)
	switch {
	case err != nil:
		t.Fatal(err)
	case stays && (stopped != 0 || left == 0):
		t.Errorf("a manager runs, %d conditions are left, stop was called after %s", left, stopped)
	case stays && !strings.Contains(strings.Join(f.said, " "), "a manager may still run, so the conditions of Headgate stay: not within 1m0s"):
		t.Errorf("it said %q", f.said)
	case !stays && (stopped < 10*time.Second || left > 0):
		t.Errorf("the manager ran for 10s, stop was called after %s, %d conditions are left", stopped, left)
	}
}

// A stand-in may lead for a moment while managers answer. What holds new templates stays as
// long as they do.
func TestAdmissionStaysWhileAManagerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		managers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "headgate"}}
		managers.Status.AvailableReplicas = 1
		webhook := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}}
		f := newFixture(t, Undo, managers, webhook)
		// The fake answers a dry run without the status. The API server does not.
		api := interceptor.NewClient(f.api, interceptor.Funcs{Patch: func(
			ctx context.Context, c client.WithWatch, obj client.Object, _ client.Patch, _ ...client.PatchOption,
		) error {
			return c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		}})
		i := &Installation{
			Client: api, Managers: client.ObjectKeyFromObject(managers), Admission: []Admission{{"MutatingWebhookConfiguration", webhook.Name}},
		}
		go i.RemoveUnanswered(t.Context())
		time.Sleep(10 * time.Second)
		if err := f.api.Get(t.Context(), client.ObjectKeyFromObject(webhook), webhook); err != nil {
			t.Errorf("a manager answers: %v", err)
		}
		managers.Status.AvailableReplicas = 0
		if err := f.api.Status().Update(t.Context(), managers); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := f.api.Get(t.Context(), client.ObjectKeyFromObject(webhook), webhook); !apierrors.IsNotFound(err) {
			t.Errorf("nobody answers: %v, want it deleted", err)
		}
	})
}

func TestParseAdmission(t *testing.T) {
	got, err := ParseAdmission("MutatingWebhookConfiguration/zz-headgate")
	if err != nil || got.String() != "MutatingWebhookConfiguration/zz-headgate" {
		t.Error(got, err)
	}
	for _, text := range []string{"", "zz-headgate", "/zz-headgate", "Kind/", "a/b/c"} {
		if _, err := ParseAdmission(text); err == nil || !strings.Contains(err.Error(), "want KIND/NAME, e.g.") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
