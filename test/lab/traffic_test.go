package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

func TestEveryAnswerIsCountedByVersion(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Replicas: 3}
	deploy(t, s)
	create(t, s.Ingress())
	sending := traffic(t, s)
	awaitAnswers(t, sending, time.Time{}, 400)
	if report := sending.Stop(); report.Share("v1") != 1 || len(report.Bad()) > 0 {
		t.Errorf("want answers of v1 alone, none bad; got %s", report)
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
	report := awaitAnswers(t, sending, caughtUp(t), 100)
	if share := report.Share("v2"); share != 1 {
		t.Errorf("v2 answers %.0f%% after the update, want all: %s", share*100, report)
	}
	report = sending.Stop()
	if failed := report.FailedByRollout(); len(failed) > 0 {
		t.Errorf("the rolling update lost requests: %s", report)
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
	report := awaitAnswers(t, sending, caughtUp(t), 400)
	sending.Stop()
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
	awaitAnswers(t, sending, time.Time{}, 100)
	report := sending.Stop()
	if n := len(report.Bad()); n == 0 || n != len(report.Answers) || len(report.FailedByRollout()) > 0 {
		t.Errorf("want every answer bad and none failed by the rollout; got %s", report)
	}
	if diff := cmp.Diff(map[string]int{"v1": len(report.Answers)}, report.Versions()); diff != "" {
		t.Errorf("answers by version (-want +got):\n%s", diff)
	}
}

// TestCatchUp takes a canary's route away. It was in force, and nobody is routed by it
// any more once the ingress controller has caught up.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	stable := lab.Sample{Namespace: ns, Name: "web", Version: "v1"}
	canary := lab.Sample{Namespace: ns, Name: "web-canary", Version: "v2"}
	deploy(t, stable)
	deploy(t, canary)
	create(t, stable.Ingress())
	sending := traffic(t, stable)
	split := stable.Ingress()
	split.Name = "web-canary"
	split.Annotations = map[string]string{
		"nginx.ingress.kubernetes.io/canary":        "true",
		"nginx.ingress.kubernetes.io/canary-weight": "100",
	}
	split.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = canary.Name
	for range 5 { // the time at which the controller applies a change is another one each time
		split.ResourceVersion = ""
		create(t, split)
		if r := awaitAnswers(t, sending, caughtUp(t), 20); r.Share("v2") != 1 {
			t.Errorf("with the canary: %s", r)
		}
		if err := shared.Client().Delete(t.Context(), split); err != nil {
			t.Fatal(err)
		}
		if r := awaitAnswers(t, sending, caughtUp(t), 20); r.Share("v1") != 1 {
			t.Errorf("without the canary: %s", r)
		}
	}
}

// caughtUp returns the time when the ingress controller has applied every change so far.
func caughtUp(t *testing.T) time.Time {
	t.Helper()
	if err := shared.Ingress.CatchUp(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

// awaitAnswers waits for n answers to requests that were sent since then.
func awaitAnswers(t *testing.T, l *load.Load, then time.Time, n int) load.Report {
	t.Helper()
	var r load.Report
	if err := lab.Poll(within(t, 30*time.Second), func() error {
		if r = l.Report().Since(then); len(r.Answers) < n {
			return fmt.Errorf("%d answers, want %d", len(r.Answers), n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return r
}
