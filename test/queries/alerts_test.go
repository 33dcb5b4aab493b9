package queries

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"

	"github.com/headgate/headgate/rollout/reason"
)

// alerts reads files/alerts.yaml as Prometheus does, with the templates of its texts.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	content, err := os.ReadFile("../../charts/headgate/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all := map[string]rulefmt.Rule{}
	for _, rule := range groups.Groups[0].Rules {
		all[rule.Alert] = rule
	}
	return all
}

// Each alert in Prometheus's own engine. A series has a sample every 15 s; "1x240" is 1 for an
// hour, "0+3x240" counts up by 3 each time.
func TestAlerts(t *testing.T) {
	const (
		rolledBack = `headgate_rollout_phase{namespace="shop",deployment="web",phase="RolledBack",pod="a"} 1x240` + "\n" +
			`headgate_rollout_reason{namespace="shop",deployment="web",reason="AnalysisFailed",pod="a"} 1x240`
		lives      = `headgate_certificate_begin_timestamp_seconds -100000x240` + "\n" + `headgate_certificate_end_timestamp_seconds `
		leader     = `leader_election_master_status{name="headgate",namespace="headgate-system",pod="a"} 1x240`
		standby    = `leader_election_master_status{name="headgate",namespace="headgate-system",pod="b"} 0x240`
		transition = `headgate_transitions_total{reason="BypassFound"} `
	)
	because := func(why reason.Reason) string {
		return fmt.Sprintf(`headgate_rollout_reason{namespace="shop",deployment="web",reason="%s"} 1x240`, why)
	}
	measured := func(errors, passes int) string {
		return fmt.Sprintf("headgate_measurements_total{verdict=\"Error\"} 0+%dx240\nheadgate_measurements_total{verdict=\"Pass\"} 0+%dx240",
			errors, passes)
	}
	answers := func(fast, slow int) string {
		const series = `controller_runtime_webhook_latency_seconds_bucket{webhook="/mutate-deployments",le="%s"} 0+%dx240` + "\n"
		return fmt.Sprintf(series+series+series, "0.1", fast, "5", fast+slow, "+Inf", fast+slow)
	}
	for name, c := range map[string]struct {
		fires   string   // series, a line each, with which the alert fires
		quiet   []string // and with which it does not
		labels  map[string]string
		summary string
	}{
		"HeadgateDown": {
			fires: `up 1x240`, quiet: []string{leader, standby, "up 1x240\n" + strings.Replace(leader, "1x240", "_x230 1x10", 1)},
			labels: map[string]string{"name": "headgate"}, summary: "No replica of Headgate is seen by Prometheus.",
		},
		"HeadgateHasNoLeader": {
			fires: standby, quiet: []string{leader + "\n" + standby, `up 1x240`},
			summary: "No replica of Headgate is the leader.",
		},
		"HeadgateCertificateExpires": { // after an hour: 24,400 of 128,000 seconds are left, or 26,400 of 130,000
			fires: lives + "28000x240", quiet: []string{lives + "30000x240", `up 1x240`},
			summary: "The serving certificate of Headgate's webhook was not renewed.",
		},
		"HeadgateWebhookSlow": {
			fires: answers(90, 10), quiet: []string{answers(1000, 1), answers(0, 0), `up 1x240`},
			summary: "Headgate's webhook takes 4.51s for one answer of a hundred.",
		},
		"HeadgateBehind": {
			fires: leader + "\n" + `workqueue_depth{name="rollout",namespace="headgate-system",pod="a"} 3x240`,
			quiet: []string{
				leader + "\n" + `workqueue_depth{name="rollout",namespace="headgate-system",pod="a"} 3x200 0 3x39`,
				leader + "\n" + `workqueue_depth{name="rollout",namespace="argo",pod="a"} 3x240`,
			},
			labels:  map[string]string{"namespace": "headgate-system", "pod": "a", "name": "rollout"},
			summary: "Deployments wait for Headgate.",
		},
		"HeadgateBypass": {
			fires: transition + "0x220 1x20", quiet: []string{transition + "0x240", transition + "1x240", transition + "0x80 1x160"},
			labels:  map[string]string{"reason": "BypassFound"},
			summary: "A new template went out without a canary (BypassFound).",
		},
		"HeadgateRolledBack": {
			fires: rolledBack, quiet: []string{strings.Replace(rolledBack, "RolledBack", "Progressing", 1), because(reason.AnalysisFailed)},
			labels: map[string]string{"reason": "AnalysisFailed"}, summary: "shop/web was rolled back: AnalysisFailed.",
		},
		"HeadgatePromotionStalled": {
			fires: because(reason.PromotionStalled), quiet: []string{because(reason.Releasing)},
			summary: "The promotion of shop/web does not finish.",
		},
		"HeadgateWriteRefused": {
			fires: because(reason.WriteRefused), quiet: []string{because(reason.Waiting)},
			summary: "A write of Headgate for shop/web is refused.",
		},
		"HeadgateRolloutBlocked": {
			fires: because(reason.NoService), quiet: []string{because(reason.Waiting), because(reason.AnalysisFailed)},
			labels: map[string]string{"reason": "NoService"}, summary: "The rollout of shop/web does not go on: NoService.",
		},
		"HeadgateNoVerdict": {
			fires: because(reason.AwaitingVerdict), quiet: []string{because(reason.Waiting)},
			summary: "The metrics of shop/web give no verdict.",
		},
		"HeadgateMetricsUnavailable": {
			fires: measured(3, 1), quiet: []string{measured(1, 3), measured(0, 0), `up 1x240`},
			summary: "More than half of Headgate's measurements get no answer.",
		},
		"HeadgateWaitsForPerson": {
			fires: `headgate_rollout_phase{namespace="shop",deployment="web",phase="Paused"} 1x3000`, quiet: []string{rolledBack},
			summary: "The rollout of shop/web waits for a person.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rule := alerts(t)[name]
			want := maps.Clone(rule.Labels)
			if strings.Contains(c.fires, `deployment="web"`) {
				want["namespace"], want["deployment"] = "shop", "web"
			}
			maps.Copy(want, c.labels)
			firing := evaluated(t, rule, strings.Split(c.fires, "\n")...)
			if len(firing) != 1 {
				t.Fatalf("%d alerts fire, want one", len(firing))
			}
			if diff := cmp.Diff(want, firing[0].labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if got := firing[0].summary; got != c.summary {
				t.Errorf("summary %q, want %q", got, c.summary)
			}
			for _, series := range c.quiet {
				if firing := evaluated(t, rule, strings.Split(series, "\n")...); len(firing) > 0 {
					t.Errorf("fires with\n%s", series)
				}
			}
		})
	}
}

// evaluated returns the alerts of rule that fire after an hour, or after the time for which the
// rule waits. As in Prometheus, the expression must have been true all that time.
func evaluated(t *testing.T, rule rulefmt.Rule, series ...string) (firing []alert) {
	t.Helper()
	waits := time.Duration(rule.For)
	end := time.Unix(0, 0).Add(max(time.Hour, waits))
	p := newPrometheus(t, series...)
	every := promv1.Range{Start: end.Add(-waits), End: end, Step: time.Minute}
	answer, _, _, err := p.QueryRange(t.Context(), rule.Expr, every)
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range answer.(model.Matrix) {
		if len(stream.Values) <= int(waits/every.Step) {
			continue
		}
		a := alert{labels: maps.Clone(rule.Labels)}
		for name, value := range stream.Metric {
			if name != model.MetricNameLabel {
				a.labels[string(name)] = string(value)
			}
		}
		value := float64(stream.Values[len(stream.Values)-1].Value)
		a.summary = expanded(t, rule.Annotations["summary"], a.labels, value)
		expanded(t, rule.Annotations["description"], a.labels, value)
		firing = append(firing, a)
	}
	return firing
}

type alert struct {
	labels  map[string]string
	summary string
}

// expanded is the text of an alert as its receiver sees it.
func expanded(t *testing.T, text string, of map[string]string, value float64) string {
	t.Helper()
	data := template.AlertTemplateData(of, nil, "", promql.Sample{F: value})
	text = "{{$labels := .Labels}}{{$value := .Value}}" + text
	result, err := template.NewTemplateExpander(t.Context(), text, "alert", data, 0, nil, nil, nil).Expand()
	if err != nil {
		t.Error(err)
	}
	return result
}

// What keeps a rollout from going on and needs somebody's change has an alert.
func TestReasonsThatBlockHaveAnAlert(t *testing.T) {
	var want, got, series []string
	for _, group := range reason.All() {
		for _, e := range group.Explanations {
			series = append(series, fmt.Sprintf(`headgate_rollout_reason{namespace="shop",deployment="web",reason="%s"} 1x240`, e.Reason))
			stays := slices.Contains(e.Kinds, reason.StaysPending) || slices.Contains(e.Kinds, reason.StaysAtWeight)
			if stays && e.Warning && e.Reason != reason.WriteRefused { // which has an alert of its own
				want = append(want, string(e.Reason))
			}
		}
	}
	for _, a := range evaluated(t, alerts(t)["HeadgateRolloutBlocked"], series...) {
		got = append(got, a.labels["reason"])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons with the alert (-want +got):\n%s", diff)
	}
}
