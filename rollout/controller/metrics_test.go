package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// The numbers of a comparison are there while something is rolled out, also after a
// measurement that had no answer, and no series is left behind.
func TestMetricsOfComparisons(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	web := types.NamespacedName{Namespace: "shop", Name: "web"}
	measured := rollout.Observation{Measurement: &rollout.Measurement{Compared: []rollout.Compared{{
		Metric: "errors", CanaryShare: .02, StableShare: .01,
		CanaryRange: rollout.Range{Low: .015, High: .03}, StableRange: rollout.Range{Low: .009, High: .011},
		RatioRange:   rollout.Range{Low: 1.4, High: 3},
		AgainstEqual: rollout.Evidence{Is: 40, Needs: 100}, AgainstMargin: rollout.Evidence{Is: 3, Needs: 20},
	}}}}
	unanswered := rollout.Observation{Measurement: &rollout.Measurement{Verdict: rollout.Error}}
	m.record(web, measured, rollout.Decision{Phase: spec.Progressing})
	m.record(web, unanswered, rollout.Decision{Phase: spec.Progressing})
	want := []string{
		"headgate_comparison_evidence errors equal 40", "headgate_comparison_evidence errors margin 3",
		"headgate_comparison_evidence_needed errors equal 100", "headgate_comparison_evidence_needed errors margin 20",
		"headgate_comparison_ratio_range errors high 3", "headgate_comparison_ratio_range errors low 1.4",
		"headgate_comparison_share errors canary 0.02", "headgate_comparison_share errors stable 0.01",
		"headgate_comparison_share_range errors canary high 0.03", "headgate_comparison_share_range errors canary low 0.015",
		"headgate_comparison_share_range errors stable high 0.011", "headgate_comparison_share_range errors stable low 0.009",
	}
	if diff := cmp.Diff(want, comparisonSeries(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	m.record(web, rollout.Observation{}, rollout.Decision{})
	if left := comparisonSeries(t, registry); len(left) > 0 {
		t.Errorf("these series are left: %s", left)
	}
}

// comparisonSeries lists the series about comparisons: name, metric, track or test, value.
func comparisonSeries(t *testing.T, registry prometheus.Gatherer) (series []string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "headgate_comparison_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			words := []string{family.GetName(), labels["metric"], labels["against"] + labels["track"], labels["end"]}
			words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
			series = append(series, fmt.Sprint(strings.Join(words, " "), " ", metric.GetGauge().GetValue()))
		}
	}
	slices.Sort(series)
	return series
}

// The reason is that of the condition: one series for each Deployment that has one.
func TestMetricOfTheReason(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	web, api := types.NamespacedName{Namespace: "shop", Name: "web"}, types.NamespacedName{Namespace: "shop", Name: "api"}
	because := func(why reason.Reason) *appsv1.DeploymentCondition {
		return &appsv1.DeploymentCondition{Reason: string(why)}
	}
	m.showReason(web, nil)
	m.showReason(api, because(reason.Ready))
	m.showReason(web, because(reason.Waiting))
	m.showReason(web, because(reason.WriteRefused))
	want := `
# HELP headgate_rollout_reason 1 for the reason of the condition headgate.dev/Rollout of a Deployment, also while nothing is rolled out.
# TYPE headgate_rollout_reason gauge
headgate_rollout_reason{deployment="api",namespace="shop",reason="Ready"} 1
headgate_rollout_reason{deployment="web",namespace="shop",reason="WriteRefused"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "headgate_rollout_reason"); err != nil {
		t.Error(err)
	}
	m.showReason(api, nil)
	m.forget(web)
	if left, err := testutil.GatherAndCount(registry, "headgate_rollout_reason"); left > 0 || err != nil {
		t.Errorf("%d series are left, %v", left, err)
	}
}

// An alert on the increase of a counter misses what is counted before its first sample.
func TestCountersAreThereBeforeTheFirst(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	NewMetrics(registry)
	reasons := 0
	for _, group := range reason.All() {
		reasons += len(group.Explanations)
	}
	for name, want := range map[string]int{"headgate_transitions_total": reasons, "headgate_measurements_total": 5} {
		if got, err := testutil.GatherAndCount(registry, name); got != want || err != nil {
			t.Errorf("%d series of %s, %v; want %d", got, name, err, want)
		}
	}
}
