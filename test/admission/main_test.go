package admission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// ownUser is who the manager is to the API server.
const ownUser = "system:serviceaccount:" + lab.HeadgateNamespace + ":headgate"

var (
	shared    *lab.Lab
	anybody   client.Client // an administrator
	asManager client.Client // whom the API server takes for the manager, with all rights
	asDefault client.Client // the ServiceAccount default of the manager's namespace, with all rights
)

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Hollow: true, Headgate: true}, func(l *lab.Lab) error {
		shared = l
		var failed [3]error
		anybody, failed[0] = newClient("alice")
		asManager, failed[1] = newClient(ownUser)
		asDefault, failed[2] = newClient("system:serviceaccount:" + lab.HeadgateNamespace + ":default")
		// No ingress controller runs: Headgate only has to find its class.
		class := &netv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: lab.IngressClass},
			Spec:       netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
		}
		return errors.Join(errors.Join(failed[:]...), l.Client().Create(context.Background(), class))
	})
}

// newClient acts as a user with all rights. Its warnings go to the collector of the
// context.
func newClient(user string) (client.Client, error) {
	config := shared.RESTConfig()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	config.WarningHandlerWithContext = collector{}
	return client.New(config, client.Options{})
}

// collector appends the warnings of a request to the list that its context has.
type collector struct{}

type warningsKey struct{}

func (collector) HandleWarningHeaderWithContext(ctx context.Context, _ int, _, text string) {
	if list, ok := ctx.Value(warningsKey{}).(*[]string); ok {
		*list = append(*list, text)
	}
}

// within is a context for a part of a test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("not within %s", limit))
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// installed are the values of the present installation; nil: there is none.
var installed map[string]string

// install installs the chart with values, or upgrades to them. Another admission mode is
// another installation.
func install(t *testing.T, values map[string]string) {
	t.Helper()
	ctx := within(t, 3*time.Minute)
	set := map[string]string{
		"replicas": "1", "webhook.timeoutSeconds": "2", "ingress.settle": "1s", "ingress.drain": "1s", "admission.mode": "webhook",
	}
	maps.Copy(set, values)
	if installed != nil && installed["admission.mode"] != set["admission.mode"] {
		must(t, shared.UninstallHeadgate(ctx))
	}
	must(t, shared.InstallHeadgate(ctx, set))
	installed = set
	if set["admission.mode"] == "policy" {
		awaitHold(t, true)
	}
}

// probe is an opted-in Deployment to try writes on.
func probe(t *testing.T) *appsv1.Deployment {
	t.Helper()
	dep := lab.Sample{
		Namespace: metav1.NamespaceDefault, Name: "probe", Version: "v1", Annotations: map[string]string{spec.AnnotationStrategy: "canary"},
	}.Deployment()
	if err := anybody.Get(t.Context(), client.ObjectKeyFromObject(dep), dep); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if dep.UID == "" {
		must(t, asManager.Create(t.Context(), dep))
	}
	return dep
}

// tryImage says whether a new template would be held now. It changes nothing.
func tryImage(ctx context.Context, dep *appsv1.Deployment) (held bool, err error) {
	next := dep.DeepCopy()
	next.Spec.Template.Spec.Containers[0].Image = lab.Image("probe")
	err = anybody.Patch(ctx, next, client.StrategicMergeFrom(dep), client.DryRunAll)
	return next.Spec.Paused, err
}

// awaitHold waits until the policy is in force, or until it is not any more: the API
// server watches policies, and learns of a change a moment later.
func awaitHold(t *testing.T, want bool) {
	t.Helper()
	dep, ctx := probe(t), within(t, time.Minute)
	must(t, lab.Poll(ctx, func() error {
		held, err := tryImage(ctx, dep)
		if err == nil && held != want {
			err = fmt.Errorf("a new template is held: %v, want %v", held, want)
		}
		return err
	}))
}

// awaitGuard waits until the guard refuses a template that no webhook held.
func awaitGuard(t *testing.T) {
	t.Helper()
	dep, ctx := probe(t), within(t, time.Minute)
	must(t, lab.Poll(ctx, func() error {
		if _, err := tryImage(ctx, dep); err == nil {
			return errors.New("the guard refuses nothing")
		}
		return nil
	}))
}

// scale sets how many pods Headgate has, and waits for them.
func scale(t *testing.T, replicas int32) {
	t.Helper()
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
	must(t, shared.Client().Get(t.Context(), client.ObjectKeyFromObject(dep), dep))
	before := dep.DeepCopy()
	dep.Spec.Replicas = &replicas
	must(t, shared.Client().Patch(t.Context(), dep, client.MergeFrom(before)))
	must(t, shared.Available(within(t, 2*time.Minute), dep))
	must(t, lab.Poll(within(t, time.Minute), func() error {
		var pods corev1.PodList
		err := shared.Client().List(t.Context(), &pods, client.InNamespace(lab.HeadgateNamespace))
		if err == nil && len(pods.Items) != int(replicas) {
			err = fmt.Errorf("Headgate has %d pods, want %d", len(pods.Items), replicas)
		}
		return err
	}))
}

// takeLease makes somebody else the leader for ever: the pods of Headgate answer the
// webhook, and none runs rollouts. The result gives the Lease back.
func takeLease(t *testing.T) (giveBack func()) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: lab.HeadgateNamespace}}
	must(t, client.IgnoreAlreadyExists(shared.Client().Create(t.Context(), ns)))
	if installed != nil {
		must(t, shared.UninstallHeadgate(within(t, time.Minute)))
		installed = nil
	}
	now := metav1.NowMicro()
	held := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("nobody"), LeaseDurationSeconds: new(int32(100_000)), AcquireTime: &now, RenewTime: &now,
		},
	}
	must(t, client.IgnoreNotFound(shared.Client().Delete(t.Context(), held.DeepCopy()))) // that of an earlier installation
	must(t, shared.Client().Create(t.Context(), held))
	return func() { must(t, shared.Client().Delete(t.Context(), held)) }
}
