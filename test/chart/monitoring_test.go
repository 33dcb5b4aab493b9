package chart_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/chart"
)

// The objects of the Prometheus Operator have no field that their types do not have.
func TestMonitoringObjectsAreOfTheirTypes(t *testing.T) {
	found := map[string]int{}
	for name, values := range options(t) {
		for _, object := range objects(t, values) {
			into, ours := map[string]any{
				"ServiceMonitor": &monitoringv1.ServiceMonitor{}, "PodMonitor": &monitoringv1.PodMonitor{},
				"PrometheusRule": &monitoringv1.PrometheusRule{},
			}[object.GetKind()]
			if !ours {
				continue
			}
			content, err := json.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			decoder := json.NewDecoder(bytes.NewReader(content))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(into); err != nil {
				t.Errorf("%s: %s: %v", name, object.GetKind(), err)
			}
			found[object.GetKind()]++
		}
	}
	if len(found) != 3 {
		t.Errorf("found only %v", found)
	}
}

func TestBothMonitorsAreRefused(t *testing.T) {
	set := map[string]string{"metrics.serviceMonitor.enabled": "true", "metrics.podMonitor.enabled": "true"}
	_, err := chart.Render(t.Context(), dir, release(set))
	if err == nil || !strings.Contains(err.Error(), "every sample would be there twice") {
		t.Errorf("error = %v, want a refusal", err)
	}
}

// A release in namespaced mode says nothing about the Deployments of another one.
func TestAlertsOfANamespacedRelease(t *testing.T) {
	r := release(nil)
	r.Values = readValues(t, "testdata/alerts-namespaced.values.yaml")
	rendered, err := chart.Render(t.Context(), dir, r)
	if err != nil {
		t.Fatal(err)
	}
	language, selectors := parser.NewParser(parser.Options{}), 0
	for _, document := range between.Split(rendered, -1)[1:] {
		var rule monitoringv1.PrometheusRule
		if err := yaml.Unmarshal([]byte(document), &rule); err != nil || rule.Kind != "PrometheusRule" {
			continue
		}
		for _, alert := range rule.Spec.Groups[0].Rules {
			expr, err := language.ParseExpr(alert.Expr.StrVal)
			if err != nil {
				t.Fatal(err)
			}
			text := expr.String()
			selectors += len(parser.ExtractSelectors(expr))
			own, deployments := strings.Count(text, `namespace="headgate-system"`), strings.Count(text, `namespace=~"shop|blog"`)
			// The queue alone is joined with the leader of the release.
			if joined := strings.Count(text, "workqueue_depth"); own+deployments+joined != len(parser.ExtractSelectors(expr)) {
				t.Errorf("%s selects series of every release: %s", alert.Alert, text)
			}
		}
	}
	if selectors < 15 {
		t.Errorf("found %d selectors", selectors)
	}
}

// The ConfigMap has the file as it is, and Grafana's types can read it.
func TestDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	content := dashboardFile(t)
	var d dashboard.Dashboard //nolint:staticcheck // every Grafana reads this form; that of dashboardv2 needs Grafana 12

	// An empty list of errors is not nil.
	if err := d.UnmarshalJSONStrict(content); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil && err.Error() != "" {
		t.Error(err)
	}
	for _, p := range d.Panels {
		if p.Panel != nil && (p.Panel.Description == nil || !strings.HasSuffix(*p.Panel.Description, ".")) && p.Panel.Type != "row" {
			t.Errorf("panel %q has no sentence as its description", *p.Panel.Title)
		}
	}
	for _, object := range objects(t, readValues(t, "testdata/dashboard.values.yaml")) {
		if data, ok := object.Object["data"].(map[string]any); ok && strings.HasSuffix(object.GetName(), "-dashboard") {
			var want, got any
			if err := yaml.Unmarshal(content, &want); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(data["headgate.json"].(string)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the ConfigMap differs from the file: %s", diff)
			}
			return
		}
	}
	t.Error("there is no ConfigMap")
}

// Every query parses. The lab runs them (package e2e).
func TestQueriesOfTheChartParse(t *testing.T) {
	language := parser.NewParser(parser.Options{})
	queries, err := chart.Queries(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(queries) < 35 {
		t.Errorf("found only %v", slices.Collect(maps.Keys(queries)))
	}
	for name, query := range queries {
		if _, err := language.ParseExpr(query); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each alert has an entry in the run book, to which its runbook_url leads, and its name in the schema.
func TestAlertsAreInTheRunBook(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, value := range readSchema(t).Properties["metrics"].Properties["prometheusRule"].Properties["disabled"].Items.Enum {
		named = append(named, value.(string))
	}
	entry := regexp.MustCompile(`(?m)^#### (Headgate\w+)\n\n((?:[^#\n].*\n|\n)+)`)
	entries := map[string]string{}
	for _, match := range entry.FindAllStringSubmatch(string(page), -1) {
		entries[match[1]] = match[2]
	}
	queries, err := chart.Queries(dir)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for name := range queries {
		name, ok := strings.CutPrefix(name, "alert ")
		if !ok {
			continue
		}
		count++
		if !slices.Contains(named, name) {
			t.Errorf("%s is not in the schema: it cannot be disabled", name)
		}
		if len(entries[name]) < 100 {
			t.Errorf("docs/operating.md has no entry \"#### %s\" that says what to do", name)
		}
	}
	if len(entries) != count || len(named) != count {
		t.Errorf("%d alerts, %d entries, %d names in the schema", count, len(entries), len(named))
	}
}

func dashboardFile(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "files", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
