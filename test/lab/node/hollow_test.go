package node_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Hollow: true}, func(l *lab.Lab) error {
		shared = l
		return nil
	})
}

func TestHollowPodsAreReadyWithAddressesOfTheirOwn(t *testing.T) {
	const pods = 500
	dep := lab.Sample{Namespace: "default", Name: "many", Version: "v1", Replicas: pods}.Deployment()
	if err := shared.Client().Create(t.Context(), dep); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := shared.Available(ctx, dep); err != nil {
		t.Fatal(err)
	}
	var list corev1.PodList
	if err := shared.Client().List(ctx, &list, client.MatchingLabels{"app": "many"}); err != nil {
		t.Fatal(err)
	}
	addresses := map[string]bool{}
	for _, pod := range list.Items {
		addresses[pod.Status.PodIP] = true
	}
	if len(addresses) != pods {
		t.Errorf("%d pods have %d addresses", len(list.Items), len(addresses))
	}
	if _, err := os.Stat(shared.Dir + "/pods/default"); err == nil {
		t.Error("a hollow pod was started")
	}
}

func TestAHollowPodIsReadyAfterItsInitialDelay(t *testing.T) {
	const delay = 2 * time.Second
	dep := lab.Sample{Namespace: "default", Name: "slow", Version: "v1"}.Deployment()
	dep.Spec.Template.Spec.Containers[0].ReadinessProbe.InitialDelaySeconds = int32(delay / time.Second)
	if err := shared.Client().Create(t.Context(), dep); err != nil {
		t.Fatal(err)
	}
	created := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := shared.Available(ctx, dep); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(created); took < delay {
		t.Errorf("Available after %s, want %s at least", took, delay)
	}
}
