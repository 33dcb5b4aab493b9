package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// app is an Application: what is in git, and how it is applied.
type app struct {
	*testing.T
	lab.Sample

	options  []string                   // syncOptions
	ignored  []ignored                  // ignoreDifferences
	unpaused bool                       // git says `paused: false`
	prune    bool                       // syncPolicy.automated.prune
	edits    []func(*appsv1.Deployment) // what git says beyond the sample
	extras   []client.Object            // further objects in git
	differs  map[string]bool            // diff modes in which the Application is known to be OutOfSync

	mu sync.Mutex // held from a commit until its sync, so that no comparison falls between
}

// The ways in which Argo CD applies.
var applies = map[string][]string{
	"client-side apply": nil,
	"server-side apply": {"ServerSideApply=true"},
}

// forEachApply runs a test for both ways, in parallel.
func forEachApply(t *testing.T, test func(t *testing.T, options []string)) {
	t.Helper()
	for name, options := range applies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, options)
		})
	}
}

const steps = "50%, pause, 100%"

// newApp commits v1 with two replicas and the opt-in, syncs, and waits until it runs.
func newApp(t *testing.T, options []string, prepare ...func(*app)) *app {
	t.Helper()
	a := &app{T: t, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 2}, options: options, prune: true}
	a.Annotations = map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: steps}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "gitops-"}}
	a.must(shared.Client().Create(t.Context(), ns))
	a.Namespace = ns.Name
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the lab's logs are in %s; Headgate's last lines about %s:\n%s", shared.Dir, ns.Name, shared.HeadgateLog(ns.Name, 30))
		}
		_ = shared.Client().Delete(context.Background(), ns)
	})
	for _, f := range prepare {
		f(a)
	}
	for _, c := range a.compare() {
		if c.Status != "OutOfSync" {
			t.Errorf("%s: %s before the first sync", c.Mode, c.Status)
		}
	}
	a.sync()
	if spec.OptedIn(a.Annotations) {
		a.await(reason.Ready)
	}
	a.must(shared.Available(a.within(time.Minute), a.deployment()))
	return a
}

// application is what the engine gets: everything that is in git now.
func (a *app) application() application {
	a.Helper()
	dep := a.Deployment()
	for _, edit := range a.edits {
		edit(dep)
	}
	out := application{Name: a.Namespace, Namespace: a.Namespace, SyncOptions: a.options, Ignored: a.ignored}
	for _, obj := range append([]client.Object{dep, a.Service(), a.Ingress()}, a.extras...) {
		out.Manifests = append(out.Manifests, a.manifest(obj))
	}
	return out
}

// manifest is obj as a person writes it.
func (a *app) manifest(obj client.Object) map[string]any {
	a.Helper()
	gvk, err := shared.Client().GroupVersionKindFor(obj)
	a.must(err)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	a.must(err)
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	if a.unpaused && gvk.Kind == "Deployment" {
		a.must(unstructured.SetNestedField(u.Object, false, "spec", "paused"))
	}
	return u.Object
}

func (a *app) appliesServerSide() bool { return slices.Contains(a.options, "ServerSideApply=true") }

// commit changes what is in git.
func (a *app) commit(version string, env map[string]string) { a.Version, a.Env = version, env }

// compare compares once in each diff mode.
func (a *app) compare() []comparison {
	a.Helper()
	got, err := a.refresh(a.within(time.Minute))
	a.must(err)
	return got
}

func (a *app) refresh(ctx context.Context) ([]comparison, error) {
	got, err := argo.ask(ctx, request{App: a.application(), Compare: &compareInput{Modes: diffModes}})
	return got.Compare, err
}

// ship commits and syncs. Between the two the Application is OutOfSync.
func (a *app) ship(version string, env map[string]string) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commit(version, env)
	for _, c := range a.compare() {
		if c.Status != "OutOfSync" {
			a.Errorf("%s: %s between the commit of %s and its sync, want OutOfSync", c.Mode, c.Status, version)
		}
	}
	a.sync()
}

// sync does what Argo CD's sync does, and fails the test unless it succeeds.
func (a *app) sync() {
	a.Helper()
	op := a.operate(syncInput{Prune: a.prune})
	for op.Phase == "Running" {
		time.Sleep(200 * time.Millisecond)
		op = a.operate(syncInput{Prune: a.prune, Operation: op})
	}
	if op.Phase != "Succeeded" {
		a.Fatalf("the sync ended %s: %s\n%s", op.Phase, op.Message, op.Results)
	}
}

// operate does one pass of a sync.
func (a *app) operate(in syncInput) *operation {
	a.Helper()
	got, err := argo.ask(a.within(time.Minute), request{App: a.application(), Sync: &in})
	a.must(err)
	return got.Sync
}

// refreshes is how often a state is compared: with self-heal each comparison that is not
// Synced is a sync.
const refreshes = 3

// synced checks that the Application is Synced in every diff mode, each time, that nothing
// would be pruned, and that all this wrote nothing.
func (a *app) synced(what string) []comparison {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var last []comparison
	for range refreshes {
		last = a.compare()
		for _, c := range last {
			a.check(a.Context(), what, c)
		}
	}
	return last
}

func (a *app) check(ctx context.Context, what string, c comparison) {
	a.Helper()
	want := "Synced"
	if a.differs[c.Mode] {
		want = "OutOfSync"
	}
	if c.Status != want && c.Mode != legacy {
		// Its dry run is made after live was read. If Headgate wrote in between, the two differ,
		// until the next refresh.
		if again, err := a.refresh(ctx); err == nil {
			c = again[slices.Index(diffModes, c.Mode)]
		}
	}
	if c.Status != want {
		a.Errorf("%s, %s: %s, want %s: %s\n%s", what, c.Mode, c.Status, want, c.Error, differences(c))
	}
	for _, r := range c.Resources {
		if r.Prune && r.Status != "" { // a hook has none, and is not pruned
			a.Errorf("%s, %s: %s %s would be pruned", what, c.Mode, r.Kind, r.Name)
		}
	}
}

func differences(c comparison) string {
	var all []string
	for _, r := range c.Resources {
		if r.Status == "OutOfSync" {
			var live, expected any
			_, _ = json.Unmarshal([]byte(r.Live), &live), json.Unmarshal([]byte(r.Expected), &expected)
			all = append(all, fmt.Sprintf("%s %s (-live +git):\n%s", r.Kind, r.Name, cmp.Diff(live, expected)))
		}
	}
	return strings.Join(all, "\n")
}

// watch compares again and again until the test ends, except between a commit and its sync.
func (a *app) watch() {
	ctx, cancel := context.WithCancel(a.Context())
	done := make(chan struct{})
	a.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for count := 1; ; count++ {
			select {
			case <-ctx.Done():
				a.Logf("compared %d times in the background", count-1)
				return
			case <-time.After(time.Second):
			}
			a.mu.Lock()
			got, err := a.refresh(ctx)
			if err != nil && ctx.Err() == nil {
				a.Errorf("compare in the background: %v", err)
			}
			for _, c := range got {
				a.check(ctx, "in the background", c)
			}
			a.mu.Unlock()
		}
	}()
}

// resync syncs what is there already, and checks that this is no news for the rollout.
func (a *app) resync() {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.live()
	for range 2 {
		a.sync()
	}
	after := a.live()
	if id := after.Annotations[spec.AnnotationRollout]; id != before.Annotations[spec.AnnotationRollout] || !after.Spec.Paused {
		a.Errorf("a sync of the same commit made rollout %q of %q, paused: %v", id, before.Annotations[spec.AnnotationRollout], after.Spec.Paused)
	}
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		a.Errorf("a sync of the same commit changed the spec:\n%s", diff)
	}
}

// health checks what Argo CD shows of the Deployment, with the Lua and without it.
func (a *app) health(c comparison, status, words, builtIn string) {
	a.Helper()
	i := slices.IndexFunc(c.Resources, func(r resource) bool { return r.Kind == "Deployment" })
	if i < 0 {
		a.Fatalf("no Deployment among %v", c.Resources)
	}
	r := c.Resources[i]
	if r.Health != status || !strings.Contains(r.Message, words) || r.BuiltIn != builtIn {
		a.Errorf("health is %s: %q (built-in %s), want %s with %q (built-in %s)", r.Health, r.Message, r.BuiltIn, status, words, builtIn)
	}
	if c.Health != status {
		a.Errorf("the Application is %s, want %s", c.Health, status)
	}
}

// press presses a button of the Deployment.
func (a *app) press(button string) {
	a.Helper()
	got, err := argo.ask(a.within(time.Minute), request{Action: &actionRequest{Namespace: a.Namespace, Name: a.Name, Press: button}})
	if err != nil {
		a.Fatalf("button %s: %v", button, err)
	}
	if !got.Action.Buttons[button] {
		a.Errorf("the button %s is disabled: %v", button, got.Action.Buttons)
	}
}

func (a *app) deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
}

func (a *app) live() *appsv1.Deployment {
	a.Helper()
	dep := a.deployment()
	a.must(shared.Client().Get(a.Context(), client.ObjectKeyFromObject(dep), dep))
	return dep
}

// phases are those that belong to a reason.
var phases = map[reason.Reason]spec.Phase{
	reason.Ready: "", reason.Promoted: "", reason.StableRestored: "",
	reason.Waiting:           spec.Progressing,
	reason.AwaitingPromotion: spec.Paused, reason.PausedByCommand: spec.Paused,
	reason.AnalysisFailed: spec.RolledBack, reason.AbortedByCommand: spec.RolledBack, reason.ProgressDeadlineExceeded: spec.RolledBack,
}

// await waits until the condition of the present rollout, if there is one, has one of reasons,
// and the Deployment has the phase that belongs to it.
func (a *app) await(reasons ...reason.Reason) string {
	a.Helper()
	dep, message := a.deployment(), ""
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		var now reason.Reason
		now, message = underload.LastCondition(dep)
		id := dep.Annotations[spec.AnnotationRollout]
		phase, told := phases[now]
		fits := !told || dep.Annotations[spec.AnnotationPhase] == string(phase) // it is written after the condition
		if slices.Contains(reasons, now) && fits && (id == "" || strings.HasPrefix(message, "rollout "+id+":")) {
			return nil
		}
		return fmt.Errorf("want %v of rollout %q, it is %s: %s: %s", reasons, id, dep.Annotations[spec.AnnotationPhase], now, message)
	}))
	return message
}

// restored waits until the hold has ended because the template is the running one again.
func (a *app) restored() {
	a.Helper()
	a.await(reason.StableRestored, reason.Ready)
	if dep := a.live(); dep.Spec.Paused {
		a.Errorf("the template of the running version is held: %v", dep.Annotations)
	}
}

// gone waits until no canary is left.
func (a *app) gone() {
	a.Helper()
	canary := a.deployment()
	canary.Name += "-canary"
	a.must(shared.AwaitGone(a.within(30*time.Second), canary))
}

func (a *app) within(d time.Duration) context.Context {
	const patience = 3 // a limit ends a test that hangs; it measures nothing
	ctx, cancel := context.WithTimeoutCause(a.Context(), patience*d, fmt.Errorf("not within %s", patience*d))
	a.Cleanup(cancel)
	return ctx
}

func (a *app) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}
