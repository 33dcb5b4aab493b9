package lab_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
	"github.com/headgate/headgate/test/lab/podmetrics"
)

func TestAutoscalerFollowsTheLoadOfItsOwnPods(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	busy := lab.Sample{Namespace: ns, Name: "busy", Version: "v1"}
	idle := lab.Sample{Namespace: ns, Name: "idle", Version: "v1"}
	// 80 requests per second with 30 for each pod need 80/30 = 2.67, so 3 pods.
	const perPod = 30 * podmetrics.PerRequest
	for _, s := range []lab.Sample{busy, idle} {
		deploy(t, s)
		create(t, s.Ingress(), s.Autoscaler(1, 5, perPod))
	}
	if err := shared.AwaitRoute(within(t, 10*time.Second), busy.Host()); err != nil {
		t.Fatal(err)
	}
	sending := load.Start(t.Context(), load.Options{URL: shared.Ingress.URL(), Host: busy.Host(), Rate: 80})
	if err := awaitReplicas(t, busy, 3); err != nil {
		t.Fatal(err)
	}
	// The idle service has an autoscaler too and is in the same namespace: only the
	// selector tells their pods apart.
	if err := awaitReplicas(t, idle, 1); err != nil {
		t.Error(err)
	}
	hpa := idle.Autoscaler(1, 5, perPod)
	if err := shared.Await(within(t, 20*time.Second), hpa, func() error {
		if m := hpa.Status.CurrentMetrics; len(m) != 1 || m[0].Resource == nil || m[0].Resource.Current.AverageValue.MilliValue() != 0 {
			return fmt.Errorf("metrics %v, want cpu 0", m)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	sending.Stop()
	if err := awaitReplicas(t, busy, 1); err != nil {
		t.Error(err)
	}
}

// awaitReplicas waits until s has that many available pods.
func awaitReplicas(t *testing.T, s lab.Sample, want int32) error {
	t.Helper()
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}
	return shared.Await(within(t, 60*time.Second), dep, func() error {
		if n := dep.Status.AvailableReplicas; n != want || *dep.Spec.Replicas != want {
			return fmt.Errorf("%d replicas, %d of them available, want %d", *dep.Spec.Replicas, n, want)
		}
		return nil
	})
}
