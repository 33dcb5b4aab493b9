package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/ssa"
	"github.com/google/go-cmp/cmp"
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

// flux applies what is in git and waits for it, by the code of Flux' kustomize-controller.
type flux struct {
	app
	manager *ssa.ResourceManager
	pausing bool // git says paused: false
}

func newFlux(t *testing.T, annotations map[string]string) *flux {
	t.Helper()
	c := shared.Client()
	poller := polling.NewStatusPoller(c, c.RESTMapper(), polling.Options{})
	owner := ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}
	return &flux{app: newApp(t, annotations), manager: ssa.NewResourceManager(c, poller, owner)}
}

// git is what is in git.
func (f *flux) git() []*unstructured.Unstructured {
	f.Helper()
	var all []*unstructured.Unstructured
	for _, obj := range []client.Object{f.Deployment(), f.Service(), f.Ingress()} {
		gvk, err := shared.Client().GroupVersionKindFor(obj)
		f.Must(err)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		f.Must(err)
		u := &unstructured.Unstructured{Object: content}
		u.SetGroupVersionKind(gvk)
		delete(u.Object, "status")
		unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
		if f.pausing && u.GetKind() == "Deployment" {
			f.Must(unstructured.SetNestedField(u.Object, false, "spec", "paused"))
		}
		all = append(all, u)
	}
	f.manager.SetOwnerLabels(all, "apps", "flux-system")
	return all
}

// sync applies git as each reconciliation of Flux does, and checks what it did with the
// Deployment. It undoes what people do with kubectl, as kustomize-controller.
func (f *flux) sync(want ssa.Action) {
	f.Helper()
	options := ssa.DefaultApplyOptions()
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "kustomize-controller", OperationType: metav1.ManagedFieldsOperationUpdate},
		},
	}
	set, err := f.manager.ApplyAll(f.Context(), f.git(), options)
	f.Must(err)
	for _, entry := range set.Entries {
		if entry.ObjMetadata.GroupKind.Kind == "Deployment" && entry.Action != want {
			f.Errorf("%s: Flux says %s, want %s", entry.Subject, entry.Action, want)
		}
	}
}

// commit syncs a new version.
func (f *flux) commit(version string, env map[string]string) {
	f.Helper()
	f.Version, f.Env = version, env
	f.sync(ssa.ConfiguredAction)
}

// drift says what Flux would apply again. nil: nothing. Between Flux' read and its dry run
// Headgate may write an annotation, so a difference counts only when it stays.
func (f *flux) drift() (err error) {
	f.Helper()
	for range 2 {
		err = nil
		for _, obj := range f.git() {
			entry, live, merged, failed := f.manager.Diff(f.Context(), obj, ssa.DefaultDiffOptions())
			f.Must(failed)
			if entry.Action != ssa.UnchangedAction {
				err = fmt.Errorf("%s: Flux says %s (-live +dry run)\n%s", entry.Subject, entry.Action, cmp.Diff(live, merged))
			}
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// goesTo waits for one of reasons. At no moment until then is there a drift.
func (f *flux) goesTo(reasons ...reason.Reason) {
	f.Helper()
	f.Must(lab.Poll(f.Within(time.Minute), func() error {
		f.Helper()
		now, message := underload.Condition(f.Now())
		if err := f.drift(); err != nil {
			f.Errorf("while %s: %v", now, err)
		}
		if !slices.Contains(reasons, now) {
			return fmt.Errorf("want %v, it is %s: %s", reasons, now, message)
		}
		return nil
	}))
}

// promote is a person at the pause, who does not use Flux.
func (f *flux) promote() {
	f.Helper()
	f.kubectl("annotate", "deployment/web", "headgate.dev/command=promote")
	f.goesTo(reason.Promoted)
	f.Gone(20 * time.Second)
}

// Flux compares what is there with what a dry run of its apply would leave. The two are
// equal wherever a rollout is, so a reconciliation never writes again what git already
// said.
func TestFluxFindsNoDrift(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pausing     bool
		annotations map[string]string
	}{
		"adopted": {false, nil},
		"rolling update, paused: false in git, kstatus": {true, map[string]string{
			spec.AnnotationPromotion: "rolling", spec.AnnotationReportStatus: "kstatus",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlux(t, tt.annotations)
			f.pausing = tt.pausing
			f.sync(ssa.CreatedAction)
			f.serves()
			f.goesTo(reason.Ready)

			f.commit("v2", nil)
			f.goesTo(reason.AwaitingPromotion)
			f.sync(ssa.UnchangedAction)
			f.commit("v3", nil) // in the middle of the canary
			f.goesTo(reason.AwaitingPromotion)
			f.commit("v1", nil) // a revert in the middle of the canary
			f.goesTo(reason.StableRestored, reason.Ready)
			f.Gone(20 * time.Second)
			f.sync(ssa.UnchangedAction)
			f.commit("v4", neverReady)
			f.goesTo(reason.ProgressDeadlineExceeded)
			f.AwaitWeight(10*time.Second, -1)
			f.sync(ssa.UnchangedAction)

			f.commit("v5", map[string]string{"NOTE": "x"})
			f.goesTo(reason.AwaitingPromotion)
			f.promote()
			f.sync(ssa.UnchangedAction)
			f.commit("v5", nil)
			f.goesTo(reason.AwaitingPromotion)
			f.promote()
			if env := f.Now().Spec.Template.Spec.Containers[0].Env; len(env) > 0 {
				t.Errorf("git removed every variable, and there is %v", env)
			}
			f.Over()
		})
	}
}

// kstatus is what Flux sees of the Deployment.
func (f *flux) kstatus() (status.Status, string) {
	f.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("apps/v1")
	u.SetKind("Deployment")
	f.Must(shared.Client().Get(f.Context(), client.ObjectKeyFromObject(f.Deployed()), u))
	result, err := status.Compute(u)
	f.Must(err)
	return result.Status, result.Message
}

// seen checks what Flux sees. An empty message is that of Headgate's own condition.
func (f *flux) seen(want status.Status, message string) {
	f.Helper()
	f.Must(lab.Poll(f.Within(5*time.Second), func() error {
		if message == "" {
			_, message = underload.Condition(f.Now())
		}
		if is, says := f.kstatus(); is != want || says != message {
			return fmt.Errorf("kstatus says %s: %q, want %s: %q", is, says, want, message)
		}
		return nil
	}))
}

// waits is the health check of a Kustomization with wait: true. Its error must contain
// part; "" wants none.
func (f *flux) waits(limit time.Duration, part string) {
	f.Helper()
	began := time.Now()
	err := f.manager.Wait(f.git(), ssa.WaitOptions{Interval: 500 * time.Millisecond, Timeout: limit, FailFast: true})
	if part == "" && err != nil || part != "" && (err == nil || !strings.Contains(err.Error(), part)) {
		f.Errorf("after %s: Flux' wait says %v, want %q", time.Since(began), err, part)
	}
}

const (
	available = "Deployment is available. Replicas: 2"
	updated   = "Updated: 0/2"
	stalled   = "failed early due to stalled resources: [Deployment/"
)

// Without the opt-in kstatus cannot tell a rollback from a rollout that goes on.
func TestFluxWaits(t *testing.T) {
	t.Parallel()
	f := newFlux(t, nil)
	f.sync(ssa.CreatedAction)
	f.waits(time.Minute, "")
	f.goesTo(reason.Ready)
	f.seen(status.CurrentStatus, available)
	f.commit("v2", nil)
	f.goesTo(reason.AwaitingPromotion)
	f.seen(status.InProgressStatus, updated)
	f.commit("v3", neverReady)
	f.goesTo(reason.ProgressDeadlineExceeded)
	f.seen(status.InProgressStatus, updated)
	f.waits(3*time.Second, "timeout waiting for: [Deployment/")
	f.commit("v1", nil)
	f.waits(time.Minute, "")
}

// With it Flux sees every end at once, in Headgate's words.
func TestFluxWaitsByKstatus(t *testing.T) {
	t.Parallel()
	f := newFlux(t, map[string]string{spec.AnnotationReportStatus: "kstatus"})
	f.sync(ssa.CreatedAction)
	f.goesTo(reason.Ready)
	f.seen(status.CurrentStatus, available)
	f.commit("v2", nil)
	f.goesTo(reason.AwaitingPromotion)
	f.seen(status.InProgressStatus, "")
	f.promote()
	f.seen(status.CurrentStatus, available)

	f.commit("v3", neverReady)
	f.goesTo(reason.CanaryStarting)
	f.waits(time.Hour, stalled) // and not after an hour
	f.seen(status.FailedStatus, "")
	f.Annotate(spec.AnnotationReportStatus, "")
	f.seen(status.InProgressStatus, updated)
	f.Annotate(spec.AnnotationReportStatus, "kstatus")
	f.seen(status.FailedStatus, "")

	began := time.Now()
	f.commit("v4", nil)
	for is := status.FailedStatus; is == status.FailedStatus; is, _ = f.kstatus() {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the verdict on v3 is still there, 30 s after v4 came")
		}
	}
	t.Logf("%s after the commit of v4, nothing says any more that v3 failed", time.Since(began))
	f.goesTo(reason.AwaitingPromotion)
	f.seen(status.InProgressStatus, "")
	f.Annotate(spec.AnnotationStrategy, "") // opts out: the template goes, and so do the conditions
	f.Await(time.Minute, reason.OptedOut)
	f.Must(shared.Available(f.Within(time.Minute), f.Deployed()))
	f.seen(status.CurrentStatus, available)
	for _, c := range f.Now().Status.Conditions {
		if c.Type == spec.ConditionReconciling || c.Type == spec.ConditionStalled {
			t.Errorf("after the opt-out there is still %s: %s", c.Type, c.Message)
		}
	}
}
