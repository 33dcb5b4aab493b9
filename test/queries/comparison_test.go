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
	end := time.Unix(0, 0).Add(moment)
	providers := analysis.Providers{analysis.DefaultProvider: promprovider.Of(newPrometheus(t, series...), 10*time.Second, "")}
	judge := analysis.New(providers, nil, analysis.Options{Source: analysis.IngressNginx, Now: func() time.Time { return end }})
	resolved, err := judge.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Measure(t.Context(), rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary",
		Service: "web", CanaryService: "web-canary", ServicePort: "80", Ingress: "web",
		Weight: 10, Window: window, Since: end.Add(-5 * time.Minute),
	})
}

// The five minutes have 20 scrapes, of which the first is the baseline and the last one
// comes in the last second: 19 intervals, with 360 requests of stable and 40 of the canary.
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
		"the latency":                {"p99 <= 1.2 * stable", "_x41", rollout.Pass, "p99: canary 0% answers slower than 500ms of 760"},
		"the latency of the middle":  {"p50 <= 1 * stable", "_x41", rollout.Pass, "p50: canary 2.5% answers slower than 100ms of 760, stable 1.67% of 5,700"},
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
