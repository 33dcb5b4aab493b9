package install

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/helm"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

const (
	present = "../../charts/headgate"
	before  = "testdata/charts/headgate-0.1.0.tgz" // the chart before the present one
)

// A rollout is judged by readiness and time. The settle and drain times are short, so that
// a test takes seconds.
var values = map[string]string{"ingress.settle": "1s", "ingress.drain": "2s"}

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Ingress: true, Headgate: true, Kubectl: true}, func(l *lab.Lab) error {
		shared = l
		return nil
	})
}

// installation is the release of one test.
type installation struct {
	*testing.T
	helm.Release
	log *output
}

// install installs a chart. At the end of the test nothing of it is left.
func install(t *testing.T, chart string, set map[string]string) *installation {
	t.Helper()
	i := &installation{T: t, log: &output{}}
	i.Release = helm.Release{
		Name: "headgate", Namespace: lab.HeadgateNamespace, Kubeconfig: shared.Kubeconfig, CacheDir: shared.Dir, Log: i.log,
	}
	i.must(i.Init())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("helm says:\n%s\nits Jobs say:\n%s", i.log, i.cleanupLog())
		}
		_ = i.UninstallWithoutHooks() // the test has uninstalled it, if it did not fail
	})
	i.upgrade(chart, set)
	return i
}

// upgrade waits until the webhook answers, too.
func (i *installation) upgrade(chart string, set map[string]string) {
	i.Helper()
	all := maps.Clone(values)
	maps.Copy(all, set)
	i.must(i.Upgrade(i.Context(), chart, all))
	probe := lab.Sample{Namespace: metav1.NamespaceDefault, Name: "probe", Version: "v1"}.Deployment()
	probe.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
	i.must(lab.Poll(i.Context(), func() error {
		return shared.Client().Create(i.Context(), probe.DeepCopy(), client.DryRunAll)
	}))
}

// cleanupLog is what the Jobs of all uninstalls have said. The lab's node does not serve the
// logs of pods, so Helm cannot print them.
func (i *installation) cleanupLog() string {
	i.Helper()
	files, err := filepath.Glob(filepath.Join(shared.Dir, "pods", i.Namespace, "headgate-uninstall-*", "cleanup.log"))
	i.must(err)
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		i.must(err)
		all.Write(content)
	}
	return all.String()
}

// stopManagers scales the managers to 0 and waits until no process of theirs is left.
func (i *installation) stopManagers() {
	i.Helper()
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: i.Name}}
	i.must(shared.Client().Patch(i.Context(), dep, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":0}}`))))
	i.must(lab.Poll(i.Context(), func() error {
		var pods corev1.PodList
		managers := client.MatchingLabels{"app.kubernetes.io/name": "headgate"}
		err := shared.Client().List(i.Context(), &pods, client.InNamespace(i.Namespace), managers)
		if err == nil && len(pods.Items) > 0 {
			return fmt.Errorf("%d pods are still there", len(pods.Items))
		}
		return err
	}))
}

func (i *installation) must(err error) {
	i.Helper()
	if err != nil {
		i.Fatal(err)
	}
}

// output is what helm writes, from several goroutines.
type output struct {
	sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) String() string {
	o.Lock()
	defer o.Unlock()
	return o.Buffer.String()
}

// app is an application with an autoscaler.
type app struct{ *underload.App }

func newApp(t *testing.T, steps string, more map[string]string) *app {
	t.Helper()
	annotations := map[string]string{spec.AnnotationSteps: steps}
	maps.Copy(annotations, more)
	a := &app{underload.New(t, shared, annotations)}
	a.Apply(a.Autoscaler(4, 8, 1000))
	return a
}

// free checks that nothing of Headgate is left at the application, and that all its pods
// run version.
func (a *app) free(version string) {
	a.Helper()
	dep := a.Now()
	a.Must(shared.Available(a.Within(time.Minute), dep))
	if left := a.Leftovers(); len(left) > 0 {
		a.Errorf("%v are left", left)
	}
	if dep.Spec.Paused {
		a.Error("the Deployment is paused")
	}
	for _, key := range []string{spec.AnnotationRollout, spec.AnnotationPhase, spec.AnnotationCommand} {
		if value, ok := dep.Annotations[key]; ok {
			a.Errorf("%s: %s is left", key, value)
		}
	}
	if dep.Annotations[spec.AnnotationStrategy] == "" || dep.Annotations[spec.AnnotationSteps] == "" {
		a.Errorf("annotations of the user are gone: %v", dep.Annotations)
	}
	for _, c := range dep.Status.Conditions {
		if slices.Contains([]appsv1.DeploymentConditionType{spec.ConditionType, spec.ConditionKnown, spec.ConditionState}, c.Type) {
			a.Errorf("condition %s is left: %s", c.Type, c.Message)
		}
	}
	a.noMarks()
	var pods corev1.PodList
	a.Must(shared.Client().List(a.Context(), &pods, client.InNamespace(a.Namespace)))
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil && pod.Spec.Containers[0].Image != lab.Image(version) {
			a.Errorf("pod %s runs %s", pod.Name, pod.Spec.Containers[0].Image)
		}
	}
	a.Over()
}

// noMarks checks the autoscaler and the pods.
func (a *app) noMarks() {
	a.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
	a.Must(shared.Client().Get(a.Context(), client.ObjectKeyFromObject(hpa), hpa))
	if hpa.Spec.Behavior != nil || hpa.Annotations[spec.AnnotationScaleDown] != "" {
		a.Errorf("the autoscaler is still held: %v, %v", hpa.Spec.Behavior, hpa.Annotations)
	}
	var pods corev1.PodList
	a.Must(shared.Client().List(a.Context(), &pods, client.InNamespace(a.Namespace), client.HasLabels{spec.LabelCanary}))
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			a.Errorf("pod %s has the label of a canary", pod.Name)
		}
	}
}

// applyWithoutForce ships version as a tool does that stops at conflicts, such as Helm.
func (a *app) applyWithoutForce(version string) {
	a.Helper()
	a.Version = version
	dep := a.Deployment()
	dep.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(dep)
	a.Must(err)
	delete(content, "status")
	config := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: content})
	a.Must(shared.Client().Apply(a.Context(), config, client.FieldOwner(underload.FieldOwner)))
}

// awaitPhase waits until the Deployment has a phase.
func (a *app) awaitPhase(limit time.Duration, phase spec.Phase) {
	a.Helper()
	dep := a.Deployed()
	a.Must(shared.Await(a.Within(limit), dep, func() error {
		if now := dep.Annotations[spec.AnnotationPhase]; now != string(phase) {
			return fmt.Errorf("phase %q, want %s", now, phase)
		}
		return nil
	}))
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
