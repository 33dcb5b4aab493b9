package lab_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

func TestEveryAnswerIsCountedByVersion(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Replicas: 3}
	deploy(t, s)
	create(t, s.Ingress())
	sending := traffic(t, s)
	time.Sleep(2 * time.Second)
	report := sending.Stop()
	if len(report.Answers) < 300 || report.Share("v1") != 1 || len(report.Bad()) > 0 {
		t.Errorf("want some 400 answers, all of v1, none bad; got %s", report)
	}
}

func TestRollingUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Replicas: 3}
	deploy(t, s)
	create(t, s.Ingress())
	sending := traffic(t, s)
	s.Version = "v2"
	dep := s.Deployment()
	if err := shared.Client().Patch(t.Context(), dep, client.Merge); err != nil {
		t.Fatal(err)
	}
	if err := shared.Available(within(t, 60*time.Second), dep); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	updated := time.Now()
	time.Sleep(time.Second)
	report := sending.Stop()
	if failed := report.FailedByRollout(); len(failed) > 0 {
		t.Errorf("the rolling update lost requests: %s", report)
	}
	if share := report.Since(updated).Share("v2"); share != 1 {
		t.Errorf("v2 answers %.0f%% after the update, want all: %s", share*100, report)
	}
}

func TestCanaryIngressSplitsTraffic(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	stable := lab.Sample{Namespace: ns, Name: "web", Version: "v1"}
	canary := lab.Sample{Namespace: ns, Name: "web-canary", Version: "v2"}
	deploy(t, stable)
	deploy(t, canary)
	ing := stable.Ingress()
	create(t, ing)
	split := stable.Ingress()
	split.Name = "web-canary"
	split.Annotations = map[string]string{
		"nginx.ingress.kubernetes.io/canary":        "true",
		"nginx.ingress.kubernetes.io/canary-weight": "25",
	}
	split.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = canary.Name
	create(t, split)
	sending := traffic(t, stable)
	time.Sleep(time.Second)
	settled := time.Now()
	time.Sleep(3 * time.Second)
	report := sending.Stop().Since(settled)
	if share := report.Share("v2"); share < 0.2 || share > 0.3 || len(report.Bad()) > 0 {
		t.Errorf("v2 answers %.1f%%, want about 25%%: %s", share*100, report)
	}
}

func TestErrorsOnPurposeAreNotTheRolloutsFault(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Env: map[string]string{"ERROR_RATE": "1"}}
	deploy(t, s)
	create(t, s.Ingress())
	sending := traffic(t, s)
	time.Sleep(500 * time.Millisecond)
	report := sending.Stop()
	if n := len(report.Bad()); n == 0 || n != len(report.Answers) || len(report.FailedByRollout()) > 0 {
		t.Errorf("want every answer bad and none failed by the rollout; got %s", report)
	}
	if diff := cmp.Diff(map[string]int{"v1": len(report.Answers)}, report.Versions()); diff != "" {
		t.Errorf("answers by version (-want +got):\n%s", diff)
	}
}
