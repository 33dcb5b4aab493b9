package queries

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
	promprovider "github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

// comparisonSeries are what two pods of ingress-nginx expose, with the labels that its
// collector writes (internal/ingress/metric/collectors/socket.go of v1.15): a series for
// each path, method and status. Every 15 s stable answers 300 requests of pod a and 60 of
// pod b, and the canary 40.
func comparisonSeries(canaryErrors string) []string {
	series := func(metric, instance, version, further, values string) string {
		return fmt.Sprintf(`%s{job="nginx",instance=%q,controller_class="k8s.io/ingress-nginx",controller_namespace="ingress-nginx",`+
			`host="shop.example.com",ingress="web",method="GET",path="/",%s%s} %s`, metric, instance, version, further, values)
	}
	const buckets = "nginx_ingress_controller_request_duration_seconds_bucket"
	return []string{
		series(counter, "a", stable, `,status="200"`, "5000+300x40"),
		series(counter, "a", stable, `,status="503"`, "10x40"),
		series(counter, "b", stable, `,status="200"`, "900+60x40"),
		series(counter, "a", canary, `,status="200"`, "_x20 0+40x20"),
		series(counter, "a", canary, `,status="503"`, canaryErrors),
		// Of another Service, which nobody asked about.
		series(counter, "a", `namespace="shop",service="pay",canary=""`, `,status="503"`, "7+900x40"),
		series(buckets, "a", stable, `,le="0.1"`, "5000+295x40"),
		series(buckets, "a", stable, `,le="0.5"`, "5010+299x40"),
		series(buckets, "a", stable, `,le="+Inf"`, "5010+300x40"),
		series(buckets, "a", canary, `,le="0.1"`, "_x20 0+39x20"),
		series(buckets, "a", canary, `,le="0.5"`, "_x20 0+40x20"),
		series(buckets, "a", canary, `,le="+Inf"`, "_x20 0+40x20"),
	}
}

// compare measures at the end, after five minutes at weight 10.
func compare(t *testing.T, text string, series []string) rollout.Measurement {
	t.Helper()
	return compareIn(t, text, series, "")
}

func compareIn(t *testing.T, text string, series []string, namespaceLabel string) rollout.Measurement {
	t.Helper()
	end := time.Unix(0, 0).Add(moment)
	prom := promprovider.Of(newPrometheus(t, series...), 10*time.Second, namespaceLabel)
	providers := analysis.Providers{analysis.DefaultProvider: prom}
	judge := analysis.New(providers, nil, analysis.Options{Source: analysis.IngressNginx, Now: func() time.Time { return end }})
	resolved, err := judge.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Measure(t.Context(), rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary",
		Service: "web", CanaryService: "web-canary", ServicePort: "80", Ingress: "web",
		TrackLabel: "app", StableTrack: "web", CanaryTrack: "web-canary",
		Weight: 10, Window: window, Since: end.Add(-5 * time.Minute),
	})
}

// Two counters of the pods. A pod of another namespace has the same labels, and is not
// counted: selectors are confined.
func TestOwnCounters(t *testing.T) {
	const text = `
metrics:
- name: tasks
  total: tasks_ended_total{app="{{track}}"}
  good: tasks_completed_total{app="{{track}}"}
`
	counters := func(completed string) []string {
		return []string{
			`tasks_ended_total{namespace="shop",instance="a",app="web"} 900+20x40`,
			`tasks_completed_total{namespace="shop",instance="a",app="web"} 800+19x40`,
			`tasks_ended_total{namespace="shop",instance="b",app="web-canary"} _x20 0+20x20`,
			`tasks_completed_total{namespace="shop",instance="b",app="web-canary"} ` + completed,
			`tasks_ended_total{namespace="bank",instance="c",app="web-canary"} 0+500x40`,
		}
	}
	tests := map[string]struct {
		completed string
		want      rollout.Verdict
		says      string
	}{
		"as many are completed": {"_x20 0+19x20", rollout.Pass, "tasks: canary 5% bad ones of 380, stable 5% of 380"},
		"fewer are completed":   {"_x20 0+8x20", rollout.Fail, "tasks: canary 60% bad ones of 380, stable 5% of 380: worse"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := compareIn(t, text, counters(tt.completed), "namespace")
			if got.Verdict != tt.want || !strings.HasPrefix(got.Message, tt.says) {
				t.Errorf("%s: %s\nwant %s: %s", got.Verdict, got.Message, tt.want, tt.says)
			}
		})
	}
}

func TestOwnCountersAreSelectors(t *testing.T) {
	p := promprovider.Of(newPrometheus(t), time.Second, "namespace")
	providers := analysis.Providers{analysis.DefaultProvider: p}
	for total, want := range map[string]string{
		`ended{app="{{track}}"}`:              "",
		`ended{app="x"}`:                      "has no {{track}}",
		`rate(ended{app="{{track}}"}[1m])`:    "is more than a selector",
		`ended{app="{{track}}"} offset 1m`:    "is more than a selector",
		`ended{app="{{track}}"}[1m]`:          "is more than a selector",
		`ended{app="{{track}}", x="{{who}}"}`: "unknown variable",
		`ended{app="{{track}}"`:               "does not parse",
	} {
		err := providers.Check(fmt.Sprintf("metrics: [{name: tasks, total: '%s', good: 'good{app=\"{{track}}\"}'}]", total))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", total, err, want)
		}
	}
}

// The five minutes have 20 scrapes. The first is the baseline, and the last one comes in
// the last second. That leaves 19 intervals, with 360 requests of stable and 40 of the canary.
func TestComparisonsOfIngressNginx(t *testing.T) {
	tests := map[string]struct {
		text, canaryErrors string
		want               rollout.Verdict
		says               string
	}{
		"errors of a healthy canary": {"errors", "_x41", rollout.Pass, "errors: canary 0% errors of 760, stable 0% of 6,840"},
		"errors of a bad canary":     {"errors", "_x20 0+8x20", rollout.Fail, "errors: canary 16.67% errors of 912, stable 0% of 6,840: worse"},
		"a warm-up of four scrapes":  {"errors", "_x20 0+1x20", rollout.Fail, "errors: canary 2.44% errors of 779, stable 0% of 6,840: worse"},
		"its first error, late":      {"errors", "_x38 1 1 1", rollout.Pass, "errors: canary 0.13% errors of 761, stable 0% of 6,840"},
		"a limit that is kept": {
			"success-rate >= 99%", "_x41", rollout.Pass, "success-rate 100%, want >= 99%: canary 0% errors of 760, stable 0% of 6,840: nothing",
		},
		"a limit that is broken": {
			"success-rate >= 99%", "_x20 0+8x20", rollout.Fail,
			"success-rate 83.33%, want >= 99%: canary 16.67% errors of 912, stable 0% of 6,840: more",
		},
		"a limit between two bounds": {
			"p99 <= 400ms", "_x41", rollout.Pass, "p99, want <= 400ms: canary 0% answers slower than 500ms of 760, stable 0",
		},
		"the latency": {"p99 <= 1.2 * stable", "_x41", rollout.Pass, "p99: canary 0% answers slower than 500ms of 760"},
		"the latency of the middle": {
			"p50 <= 1 * stable", "_x41", rollout.Pass, "p50: canary 2.5% answers slower than 100ms of 760, stable 1.67% of 5,700",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := compare(t, tt.text, comparisonSeries(tt.canaryErrors))
			if got.Verdict != tt.want || !strings.HasPrefix(got.Message, tt.says) {
				t.Errorf("%s: %s\nwant %s: %s", got.Verdict, got.Message, tt.want, tt.says)
			}
		})
	}
}
