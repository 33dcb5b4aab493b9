package install

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestUninstallInTheMiddleOfRollouts: what is not judged does not go out, what is being
// promoted does.
func TestUninstallInTheMiddleOfRollouts(t *testing.T) {
	for name, prepare := range map[string]func(*installation){
		"with managers":    func(*installation) {},
		"without managers": (*installation).stopManagers,
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t, present, nil)
			half := newApp(t, "50%, pause", nil)
			bad := newApp(t, "50%, pause", nil)
			rolling := newApp(t, "50%, pause", map[string]string{spec.AnnotationPromotion: "rolling"})
			adopted := newApp(t, "100%, pause", nil)
			for _, a := range []*app{half, bad, rolling, adopted} {
				a.Await(20*time.Second, reason.Ready)
				a.Ship("v2", nil)
			}
			for _, a := range []*app{half, bad, rolling, adopted} {
				a.Await(time.Minute, reason.AwaitingPromotion)
			}
			bad.Annotate(spec.AnnotationCommand, "abort")
			bad.awaitPhase(20*time.Second, spec.RolledBack)
			rolling.Annotate(spec.AnnotationCommand, "promote")
			rolling.awaitPhase(20*time.Second, spec.Promoting)
			adopted.Annotate(spec.AnnotationCommand, "promote")
			adopted.awaitPhase(20*time.Second, spec.Promoting)
			prepare(i)
			i.must(i.Uninstall())
			half.free("v1")
			bad.free("v1")
			rolling.free("v2")
			adopted.free("v2")
			i.gone()
			half.applyWithoutForce("v3") // nobody but the user owns the template
		})
	}
}

// gone checks that the release left nothing, not even a hook.
func (i *installation) gone() {
	i.Helper()
	for _, obj := range []client.Object{
		&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: "headgate-uninstall"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "headgate-uninstall"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "headgate-uninstall"}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: "headgate-uninstall"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: "headgate-uninstall"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "headgate"}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}},
	} {
		if err := shared.Client().Get(i.Context(), client.ObjectKeyFromObject(obj), obj); !apierrors.IsNotFound(err) {
			i.Errorf("%T %s is left (%v)", obj, obj.GetName(), err)
		}
	}
}

// TestUninstallShips releases what is not judged yet, and never what was rolled back. No
// manager runs, and nobody can say what a canary is worth.
func TestUninstallShips(t *testing.T) {
	i := install(t, present, map[string]string{"uninstall.unjudged": "ship"})
	good, bad := newApp(t, "50%, pause", nil), newApp(t, "50%, pause", nil)
	judged := newApp(t, "50%, pause", map[string]string{spec.AnnotationAnalysis: "success-rate >= 99%"})
	for _, a := range []*app{good, bad, judged} {
		a.Await(20*time.Second, reason.Ready)
		a.Ship("v2", nil)
		a.Await(time.Minute, reason.AwaitingPromotion, reason.AwaitingVerdict)
		a.AwaitWeight(time.Minute, 50)
	}
	bad.Annotate(spec.AnnotationCommand, "abort")
	bad.awaitPhase(20*time.Second, spec.RolledBack)
	i.stopManagers()
	i.must(i.Uninstall())
	good.free("v2")
	judged.free("v2")
	bad.free("v1")
}

// TestUninstallWithNothingGoingOn waits for nothing but its own processes.
func TestUninstallWithNothingGoingOn(t *testing.T) {
	i := install(t, present, nil)
	a := newApp(t, "50%, pause", nil)
	a.Await(20*time.Second, reason.Ready)
	began := time.Now()
	i.must(i.Uninstall())
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	a.free("v1")
}

// TestANewTemplateWhileTheHookRuns: it is held as before, and gives way like the first.
func TestANewTemplateWhileTheHookRuns(t *testing.T) {
	i := install(t, present, map[string]string{"ingress.drain": "6s"})
	a := newApp(t, "50%, pause", nil)
	a.Await(20*time.Second, reason.Ready)
	a.Ship("v2", nil)
	a.Await(time.Minute, reason.AwaitingPromotion)
	done := make(chan error)
	go func() { done <- i.Uninstall() }()
	dep := a.Deployed()
	a.Must(shared.Await(a.Within(time.Minute), dep, func() error {
		if image := dep.Spec.Template.Spec.Containers[0].Image; image != lab.Image("v1") {
			return fmt.Errorf("the template has %s", image)
		}
		return nil
	}))
	a.Ship("v3", nil)
	if a.Now().Annotations[spec.AnnotationRollout] == "" {
		t.Error("the new template was not held")
	}
	i.must(<-done)
	a.free("v1")
}

// TestAnUninstallThatCannotEnd stops before it deletes anything, and says why. It can be
// tried again.
func TestAnUninstallThatCannotEnd(t *testing.T) {
	i := install(t, present, map[string]string{"uninstall.timeout": "20s"})
	a := newApp(t, "50%, pause", nil)
	a.Await(20*time.Second, reason.Ready)
	a.Ship("v2", nil)
	a.Await(time.Minute, reason.AwaitingPromotion)
	canary := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: "web-canary"}}
	finalizers := func(list string) {
		t.Helper()
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":`+list+`}}`))
		a.Must(shared.Client().Patch(t.Context(), canary, patch))
	}
	finalizers(`["example.com/somebody"]`)
	if err := i.Uninstall(); err == nil || !strings.Contains(err.Error(), "headgate-uninstall") {
		t.Errorf("helm uninstall returned %v, want an error that names the Job", err)
	}
	for _, want := range []string{"not finished within 20s; this is left:", a.Namespace + "/web: ", "there is still Service web-canary"} {
		if said := i.cleanupLog(); !strings.Contains(said, want) {
			t.Errorf("the Job does not say %q:\n%s", want, said)
		}
	}
	if status, err := i.Status(); err != nil || status != "uninstalling" {
		t.Errorf("the release is %s (%v), want uninstalling", status, err)
	}
	config := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}}
	i.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(config), config))
	finalizers("[]")
	i.must(i.Uninstall())
	a.free("v1")
}

// TestDeploymentsLeaveByHand does what docs/operating.md says where no manager runs. The
// webhook refuses to let anybody go while its configuration is there.
func TestDeploymentsLeaveByHand(t *testing.T) {
	i := install(t, present, nil)
	ships, keeps := newApp(t, "50%, pause", nil), newApp(t, "50%, pause", nil)
	for _, a := range []*app{ships, keeps} {
		a.Await(20*time.Second, reason.Ready)
		a.Ship("v2", nil)
		a.Await(time.Minute, reason.AwaitingPromotion)
	}
	i.stopManagers()
	leave := []string{"annotate", "deployment", "web", "headgate.dev/strategy-"}
	if out, err := ships.kubectl(leave...); err == nil || !strings.Contains(out, "failed calling webhook") {
		t.Errorf("the webhook is gone, and the write is not refused: %v: %s", err, out)
	}
	ships.mustKubectl("delete", "validatingadmissionpolicybinding", "headgate-guard")
	ships.mustKubectl("delete", "mutatingwebhookconfiguration", "zz-headgate")
	keeps.Must(lab.Poll(keeps.Within(20*time.Second), func() error { // the API server learns of it a moment later
		set := []string{"set", "image", "deployment/web", "app=" + lab.Image("v1")}
		if out, err := keeps.kubectl(append(set, "--dry-run=server")...); err != nil {
			return errors.New(out)
		}
		return nil
	}))
	keeps.Ship("v1", nil)
	for a, version := range map[*app]string{ships: "v2", keeps: "v1"} {
		a.mustKubectl(append(leave, "headgate.dev/rollout-", "headgate.dev/phase-")...)
		a.mustKubectl("rollout", "resume", "deployment", "web")
		a.mustKubectl("rollout", "status", "deployment", "web", "--timeout=1m")
		a.mustKubectl("delete", "ingress", "-l", "app.kubernetes.io/managed-by=headgate")
		a.Must(sleep(a.Context(), 3*time.Second)) // settle and drain
		a.mustKubectl("delete", "deployment,service,job", "-l", "app.kubernetes.io/managed-by=headgate")
		if len(a.Leftovers()) > 0 || len(a.Pods(version)) != 4 {
			t.Errorf("%v are left, and %s has the pods %v", a.Leftovers(), version, a.Pods(version))
		}
		a.Over()
	}
}

func (a *app) kubectl(args ...string) (string, error) {
	out, err := shared.Kubectl(a.Context(), append([]string{"-n", a.Namespace}, args...)...).CombinedOutput()
	return string(out), err
}

func (a *app) mustKubectl(args ...string) {
	a.Helper()
	if out, err := a.kubectl(args...); err != nil {
		a.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// TestCleanupOfOneNamespace leaves Headgate where it is, and other rollouts too.
func TestCleanupOfOneNamespace(t *testing.T) {
	i := install(t, present, nil)
	ends, stays := newApp(t, "50%, pause", nil), newApp(t, "50%, pause", nil)
	for _, a := range []*app{ends, stays} {
		a.Await(20*time.Second, reason.Ready)
		a.Ship("v2", nil)
		a.Await(time.Minute, reason.AwaitingPromotion)
	}
	i.runCleanup("dry", "--all-namespaces", "--dry-run")
	for _, a := range []*app{ends, stays} {
		if want := a.Namespace + "/web: would put the template of revision 1"; !strings.Contains(i.cleanupLog(), want) {
			t.Errorf("the dry run does not say %q: %s", want, i.cleanupLog())
		}
		if a.Weight() != 50 {
			t.Errorf("after a dry run the weight is %d", a.Weight())
		}
	}
	i.runCleanup("one", "--namespace="+ends.Namespace)
	if left := ends.Leftovers(); len(left) > 0 || ends.Now().Spec.Paused {
		t.Errorf("%v are left, paused is %v", left, ends.Now().Spec.Paused)
	}
	if stays.Weight() != 50 {
		t.Errorf("the weight of another rollout is %d", stays.Weight())
	}
	ends.Ship("v3", nil) // it is held, as ever
	ends.Await(time.Minute, reason.AwaitingPromotion)
	i.must(i.Uninstall())
	ends.free("v1")
	stays.free("v1")
}

// runCleanup runs "headgate cleanup" as kubectl exec does in a pod of a manager: with its
// account and its settings.
func (i *installation) runCleanup(name string, args ...string) {
	i.Helper()
	managers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: i.Name}}
	i.must(shared.Client().Get(i.Context(), client.ObjectKeyFromObject(managers), managers))
	pod := managers.Spec.Template.Spec
	pod.RestartPolicy = corev1.RestartPolicyNever
	container := &pod.Containers[0]
	container.Name, container.Args = "cleanup", append([]string{"cleanup"}, args...)
	container.ReadinessProbe, container.LivenessProbe, container.Ports = nil, nil, nil
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: "headgate-uninstall-" + name}}
	job.Spec.BackoffLimit = new(int32(0))
	job.Spec.Template.Spec = pod
	i.must(shared.Client().Create(i.Context(), job))
	i.must(shared.Await(within(i.T, time.Minute), job, func() error {
		if job.Status.Succeeded == 0 {
			return fmt.Errorf("the Job has not succeeded: %+v", job.Status)
		}
		return nil
	}))
	i.must(shared.Client().Delete(i.Context(), job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
