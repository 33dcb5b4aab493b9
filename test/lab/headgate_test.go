package lab_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

func TestHeadgateInstallsAndLeaves(t *testing.T) {
	ctx := within(t, 90*time.Second)
	if err := shared.InstallHeadgate(ctx, map[string]string{"replicas": "1"}); err != nil {
		t.Fatal(err)
	}
	s := lab.Sample{
		Namespace: namespace(t), Name: "web", Version: "v1",
		Annotations: map[string]string{"headgate.dev/strategy": "canary"},
	}
	deploy(t, s)
	calls, err := shared.ControlPlane.WebhookCalls(ctx, "deployments.headgate.dev")
	if err != nil || calls == 0 {
		t.Errorf("the webhook was called %d times, %v; want some", calls, err)
	}
	writes, err := shared.ControlPlane.Writes("system:serviceaccount:" + lab.HeadgateNamespace + ":headgate")
	if err != nil || len(writes) == 0 {
		t.Errorf("the manager wrote %d times, %v; want at least its lease", len(writes), err)
	}
	if err := shared.UninstallHeadgate(ctx); err != nil {
		t.Fatal(err)
	}
	var pods corev1.PodList
	if err := shared.Client().List(ctx, &pods, client.InNamespace(lab.HeadgateNamespace)); err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods of Headgate are left, %v", len(pods.Items), err)
	}
}
