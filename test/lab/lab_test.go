package lab_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// shared is the one lab of this package; tests use namespaces of their own.
var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Ingress: true, Prometheus: true, Headgate: true, Metrics: true}, func(l *lab.Lab) error {
		shared = l
		return nil
	})
}

// namespace makes a namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "smoke-"}}
	create(t, ns)
	t.Cleanup(func() { _ = shared.Client().Delete(context.Background(), ns) })
	return ns.Name
}

// within returns t's context with a timeout of three times d, which is what a wait takes
// at most on an idle machine. It ends a test that hangs: nothing is measured by it.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	d *= 3
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("not within %s", d))
	t.Cleanup(cancel)
	return ctx
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, obj := range objects {
		if err := shared.Client().Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
}

// deploy creates s whole and waits until its pods are available.
func deploy(t *testing.T, s lab.Sample) {
	t.Helper()
	dep := s.Deployment()
	create(t, dep, s.Service())
	if err := shared.Available(within(t, 30*time.Second), dep); err != nil {
		t.Fatal(err)
	}
}

// traffic sends requests to s once its Ingress works.
func traffic(t *testing.T, s lab.Sample) *load.Load {
	t.Helper()
	if err := shared.AwaitRoute(within(t, 10*time.Second), s.Host()); err != nil {
		t.Fatal(err)
	}
	return load.Start(t.Context(), load.Options{URL: shared.Ingress.URL(), Host: s.Host(), Rate: 200})
}
