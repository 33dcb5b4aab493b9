package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// slow has a built-in metric, summed over all Ingresses, and a query of the user
// about the metrics of the user's own pods.
const slow = `
interval: 4s
metrics:
- name: success-rate
  condition: ">= 99%"
- name: median-latency
  query: |
    histogram_quantile(0.5, sum by (le) (rate(
      http_request_duration_seconds_bucket{namespace="{{namespace}}",label_app="{{canary-track}}"}[{{window}}])))
  condition: < 500ms
`

// TestSeveralIngressesAndOwnQuery: two hosts lead to one Service, and both get the
// same weight. The user's own query finds a version that is only slow.
func TestSeveralIngressesAndOwnQuery(t *testing.T) {
	t.Parallel()
	var second *netv1.Ingress
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, 8s, 100%", spec.AnnotationAnalysis: slow}, func(s *service) {
		s.Scrape = true
		second = s.Ingress()
		second.Name = "partners"
		second.Spec.Rules[0].Host = "partners." + s.Host()
		s.apply(second)
	})
	s.must(shared.AwaitRoute(s.within(20*time.Second), second.Spec.Rules[0].Host))
	other := s.send(second.Spec.Rules[0].Host)
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.sharesMatch(s.load.Report(), "v2", 50, 100)
	s.sharesMatch(other.Report(), "v2", 50, 100)

	s.ship("v3", map[string]string{"LATENCY": "1s"})
	if message := s.await(time.Minute, reason.AnalysisFailed); !strings.Contains(message, "median-latency") {
		t.Errorf("the condition does not name the metric: %s", message)
	}
	s.emptied(time.Minute)
	s.onlyAnswers(other, "v2")
	if failed := other.Stop().FailedByRollout(); len(failed) > 0 {
		t.Errorf("the rollout broke answers of the second Ingress, the first: %s", failed[0])
	}
	s.over()
	if got := s.weights.all(); slices.Contains(got[len(got)-3:], 100) || got[len(got)-1] != -1 {
		t.Errorf("weights were %v", got)
	}
}
