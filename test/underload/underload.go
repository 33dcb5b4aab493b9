// Package underload is one application with a steady load, for lab tests that change what
// is around the application: Headgate's installation, the API server, what deploys it.
// Package e2e has more to look at one rollout with.
package underload

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// FieldOwner is the field manager of what Ship and Apply write.
const FieldOwner = "user"

// rate is how many requests per second an application gets.
const rate = 40

// patience is by how much a limit is longer than what a wait takes at most on an idle
// machine. A limit ends a test that hangs: it measures no promise.
const patience = 3

// App is the sample service of one test, in a namespace of its own, under load.
type App struct {
	*testing.T
	lab.Sample
	Lab  *lab.Lab
	Load *load.Load
}

// New deploys version v1 with 4 replicas, waits until it serves, sends it a load, and then
// opts in with annotations. Nothing is opted in if they are nil. The lab needs
// Options.Node and Options.Ingress.
func New(t *testing.T, l *lab.Lab, annotations map[string]string) *App {
	t.Helper()
	a := &App{T: t, Lab: l, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 4}}
	a.Namespace = Namespace(t, l, "app-")
	a.Apply(a.Service())
	a.Apply(a.Ingress())
	a.Ship("v1", nil)
	a.Must(l.Available(a.Within(time.Minute), a.Deployed()))
	a.Must(l.AwaitRoute(a.Within(20*time.Second), a.Host()))
	a.Load = load.Start(t.Context(), load.Options{URL: l.Ingress.URL() + "/", Host: a.Host(), Rate: rate})
	if annotations != nil {
		a.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
		maps.Copy(a.Annotations, annotations)
		a.Ship("v1", nil)
	}
	return a
}

// Namespace makes a namespace for a test; its name begins with prefix. It goes with the test; if that fails, what Headgate
// says about it is logged.
func Namespace(t *testing.T, l *lab.Lab, prefix string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
	if err := l.Client().Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the lab's logs are in %s; Headgate's last lines about %s:\n%s", l.Dir, ns.Name, l.HeadgateLog(ns.Name, 30))
		}
		_ = l.Client().Delete(context.Background(), ns)
	})
	return ns.Name
}

// Ship applies the Deployment with a version and its environment, as "kubectl apply
// --server-side" does.
func (a *App) Ship(version string, env map[string]string) {
	a.Helper()
	a.Version, a.Env = version, env
	a.Apply(a.Deployment())
}

// Apply applies an object as a user does.
func (a *App) Apply(obj client.Object) {
	a.Helper()
	u, err := Manifest(a.Lab, obj)
	a.Must(err)
	a.Must(Apply(a.Context(), a.Lab, u))
}

// Apply applies a manifest as "kubectl apply --server-side --force-conflicts" does. u has afterwards what the API server
// answered.
func Apply(ctx context.Context, l *lab.Lab, u *unstructured.Unstructured) error {
	return l.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(FieldOwner), client.ForceOwnership)
}

// Manifest is obj as a user writes it: no status, nothing that the server sets.
func Manifest(l *lab.Lab, obj client.Object) (*unstructured.Unstructured, error) {
	gvk, err := l.Client().GroupVersionKindFor(obj)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("write %s %s as a manifest: %w", gvk.Kind, obj.GetName(), err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	delete(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u, nil
}

// Annotate writes one annotation of the Deployment as a person does with kubectl; ""
// removes it.
func (a *App) Annotate(key, value string) {
	a.Helper()
	v := any(value)
	if value == "" {
		v = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: v}}})
	a.Must(err)
	a.Must(a.Lab.Client().Patch(a.Context(), a.Deployed(), client.RawPatch(types.MergePatchType, patch)))
}

// Deployed names the Deployment, to be read.
func (a *App) Deployed() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
}

// Now reads the Deployment.
func (a *App) Now() *appsv1.Deployment {
	a.Helper()
	dep := a.Deployed()
	a.Must(a.Lab.Client().Get(a.Context(), client.ObjectKeyFromObject(dep), dep))
	return dep
}

// Await waits until Headgate's condition has one of reasons. It returns the message.
func (a *App) Await(limit time.Duration, reasons ...reason.Reason) string {
	a.Helper()
	dep, message := a.Deployed(), ""
	a.Must(a.Lab.Await(a.Within(limit), dep, func() error {
		var now reason.Reason
		now, message = Condition(dep)
		if slices.Contains(reasons, now) {
			return nil
		}
		return fmt.Errorf("want %v, it is %s: %s", reasons, now, message)
	}))
	return message
}

// Condition returns what Headgate says about dep; no reason if it says nothing, or nothing yet
// about the rollout that is held now.
func Condition(dep *appsv1.Deployment) (reason.Reason, string) {
	said, message := LastCondition(dep)
	text, named := strings.CutPrefix(message, "rollout ")
	id, _, _ := strings.Cut(text, ":")
	if held := dep.Annotations[spec.AnnotationRollout]; named && held != "" && id != held {
		return "", message
	}
	return said, message
}

// LastCondition is Condition, also where it is about a rollout that is not held any more.
func LastCondition(dep *appsv1.Deployment) (reason.Reason, string) {
	for _, c := range dep.Status.Conditions {
		if c.Type == spec.ConditionType {
			return reason.Reason(c.Reason), c.Message
		}
	}
	return "", ""
}

// Weight returns the weight that the canary Ingress carries; -1 if there is none.
func (a *App) Weight() int {
	a.Helper()
	var list netv1.IngressList
	a.listOurs(&list)
	for _, ing := range list.Items {
		if weight, err := strconv.Atoi(ing.Annotations["nginx.ingress.kubernetes.io/canary-weight"]); err == nil {
			return weight
		}
	}
	return -1
}

// AwaitWeight waits until the canary Ingress carries weight; -1 is none.
func (a *App) AwaitWeight(limit time.Duration, weight int) {
	a.Helper()
	a.Must(lab.Poll(a.Within(limit), func() error {
		if now := a.Weight(); now != weight {
			why, message := Condition(a.Now())
			return fmt.Errorf("want weight %d, it is %d (%s: %s)", weight, now, why, message)
		}
		return nil
	}))
}

// Leftovers lists what Headgate made in the namespace and is still there, as KIND/NAME.
func (a *App) Leftovers() []string {
	a.Helper()
	var names []string
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &netv1.IngressList{}} {
		a.listOurs(list)
		switch l := list.(type) {
		case *appsv1.DeploymentList:
			for _, o := range l.Items {
				names = append(names, "Deployment/"+o.Name)
			}
		case *corev1.ServiceList:
			for _, o := range l.Items {
				names = append(names, "Service/"+o.Name)
			}
		case *netv1.IngressList:
			for _, o := range l.Items {
				names = append(names, "Ingress/"+o.Name)
			}
		}
	}
	return names
}

func (a *App) listOurs(list client.ObjectList) {
	a.Helper()
	ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	a.Must(a.Lab.Client().List(a.Context(), list, client.InNamespace(a.Namespace), ours))
}

// Gone waits until nothing that Headgate made is left in the namespace.
func (a *App) Gone(limit time.Duration) {
	a.Helper()
	a.Must(lab.Poll(a.Within(limit), func() error {
		if left := a.Leftovers(); len(left) > 0 {
			return fmt.Errorf("there is still %v", left)
		}
		return nil
	}))
}

// Pods returns the names of the pods that run version and are not being deleted, sorted.
func (a *App) Pods(version string) []string {
	a.Helper()
	var list corev1.PodList
	a.Must(a.Lab.Client().List(a.Context(), &list, client.InNamespace(a.Namespace)))
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && pod.Spec.Containers[0].Image == lab.Image(version) {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Over stops the load. No answer may have been lost, but those that a version was told to
// fail.
func (a *App) Over() load.Report {
	a.Helper()
	r := a.Load.Stop()
	if failed := r.FailedByRollout(); len(failed) > 0 {
		a.Errorf("answers were lost: %s", r)
	}
	return r
}

// Within returns a context for a wait that takes at most d on an idle machine.
func (a *App) Within(d time.Duration) context.Context {
	d *= patience
	ctx, cancel := context.WithTimeoutCause(a.Context(), d, fmt.Errorf("not within %s", d))
	a.Cleanup(cancel)
	return ctx
}

// Must ends the test if err is not nil.
func (a *App) Must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}
