package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout"
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
