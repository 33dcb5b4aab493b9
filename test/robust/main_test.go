package robust

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// The tests in this package disturb what all of them share, so none is parallel.

// between is where the managers find the API server.
const between = "10.255.0.1:16443"

// good is what a version must keep to. It is measured often, so that a test takes seconds.
const good = "{interval: 2s, metrics: [{name: success-rate, condition: '>= 100%'}]}"

var (
	shared *lab.Lab
	api    *proxy
)

func TestMain(m *testing.M) {
	options := lab.Options{Node: true, Ingress: true, Prometheus: true, Headgate: true, PodsReach: between}
	lab.RunTests(m, options, func(l *lab.Lab) (err error) {
		shared = l
		if api, err = startProxy(between, strings.TrimPrefix(l.ControlPlane.URL(), "https://")); err != nil {
			return err
		}
		return install(context.Background())
	})
}

// install installs two managers. A second time it restores what is missing.
func install(ctx context.Context) error {
	return shared.InstallHeadgate(ctx, map[string]string{
		"prometheus.address":       shared.Prometheus.URL(),
		"prometheus.metricsSource": "traefik",
		"ingress.settle":           "1s",
		"ingress.drain":            "2s",
	})
}

func newApp(t *testing.T, steps string) *underload.App {
	t.Helper()
	return underload.New(t, shared, map[string]string{spec.AnnotationSteps: steps, spec.AnnotationAnalysis: good})
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("not within %s", d))
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func managers(t *testing.T) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	must(t, shared.Client().List(t.Context(), &list, client.InNamespace(lab.HeadgateNamespace)))
	return list.Items
}

// awaitManagers waits until both managers are ready.
func awaitManagers(t *testing.T) {
	t.Helper()
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
	must(t, shared.Available(within(t, 2*time.Minute), dep))
}

// restarts counts those of the managers' processes.
func restarts(t *testing.T) int {
	t.Helper()
	n := 0
	for _, pod := range managers(t) {
		for _, c := range pod.Status.ContainerStatuses {
			n += int(c.RestartCount)
		}
	}
	return n
}

func lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
}

// leader names the process that leads; "" if none does.
func leader(t *testing.T) string {
	t.Helper()
	held := lease()
	must(t, lab.Poll(within(t, time.Minute), func() error {
		return client.IgnoreNotFound(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(held), held))
	}))
	if held.Spec.HolderIdentity == nil {
		return ""
	}
	return *held.Spec.HolderIdentity
}
