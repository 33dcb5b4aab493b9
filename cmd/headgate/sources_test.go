package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis"
)

// A source that package analysis knows can be chosen in the chart, and an operator
// reads of it.
func TestEveryMetricsSourceCanBeChosen(t *testing.T) {
	names := []string{""}
	for _, source := range analysis.Sources() {
		names = append(names, string(source))
	}
	schema, err := os.ReadFile("../../charts/headgate/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Properties struct {
			Prometheus struct {
				Properties struct {
					MetricsSource struct{ Enum []string } `json:"metricsSource"`
				} `json:"properties"`
			} `json:"prometheus"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(schema, &values); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, values.Properties.Prometheus.Properties.MetricsSource.Enum); diff != "" {
		t.Errorf("the chart's values.schema.json (-want +got):\n%s", diff)
	}
	chart, err := os.ReadFile("../../charts/headgate/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, comment, _ := strings.Cut(string(chart), "\nprometheus:\n")
	comment, _, _ = strings.Cut(comment, "  metricsSource:")
	all := variables()
	setting := all[slices.IndexFunc(all, func(v variable) bool { return v.name == "HEADGATE_METRICS_SOURCE" })]
	for _, name := range names {
		if !strings.Contains(setting.meaning, name) {
			t.Errorf("the description of %s does not name %s", setting.name, name)
		}
		if !strings.Contains(comment, name) {
			t.Errorf("the comment on metricsSource in the chart's values.yaml does not name %s", name)
		}
	}
}
