package queries

import (
	"math"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/backtest"
	promprovider "github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

// In three hours two pods of ingress-nginx answer 22 requests in a second together, of which
// one in 331 fails. A canary of another rollout fails all the time, and a Service
// of another namespace too: neither is stable.
func backtestSeries() []string {
	const buckets = "nginx_ingress_controller_request_duration_seconds_bucket"
	of := func(metric, instance, labels, values string) string {
		return metric + `{job="nginx",instance="` + instance + `",` + labels + "} " + values
	}
	return []string{
		of(counter, "a", stable+`,status="200"`, "5000+300x720"),
		of(counter, "a", stable+`,status="503"`, "0+1x720"),
		of(counter, "b", stable+`,status="200"`, "900+30x720"),
		of(counter, "a", canary+`,status="503"`, "0+40x720"),
		of(counter, "a", `namespace="bank",service="web",canary="",status="503"`, "7+900x720"),
		of(buckets, "a", stable+`,le="0.1"`, "5000+297x720"),
		of(buckets, "a", stable+`,le="0.5"`, "5000+300x720"),
		of(buckets, "a", stable+`,le="+Inf"`, "5000+300x720"),
	}
}

// The counters and the query of a condition come through Prometheus's own engine. Of stable's
// hour before the first rollout all is known.
func TestBacktest(t *testing.T) {
	begin := time.Unix(0, 0).Add(65 * time.Minute)
	const text = `
metrics:
- name: auto
- name: failures
  query: sum(rate(nginx_ingress_controller_requests{service="{{canary-service}}",canary="",status=~"5.."}[{{window}}]))
  condition: "< 0.06"
`
	prom := promprovider.Of(newPrometheus(t, backtestSeries()...), time.Minute, "namespace")
	judge := analysis.New(analysis.Providers{analysis.DefaultProvider: prom}, nil, analysis.Options{Source: analysis.IngressNginx})
	resolved, err := judge.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	past, err := resolved.Past(rollout.Subject{
		Namespace: "shop", Deployment: "web", Service: "web", CanaryService: "web-canary", ServicePort: "80", Ingress: "web", Weight: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := backtest.Run(t.Context(), past, backtest.Options{
		At: []time.Time{begin, begin.Add(time.Hour)}, Length: 50 * time.Minute, Weight: 0.5, Inject: 0.05, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	errs, p99, p50 := r.Comparisons[0], r.Comparisons[1], r.Comparisons[2]
	if math.Abs(errs.Requests-331.0/15) > 0.01 || math.Abs(errs.Bad-1.0/331) > 1e-6 {
		t.Errorf("%v requests in a second, %v of them bad", errs.Requests, errs.Bad)
	}
	if p99.Requests != 20 || p99.Counts[0] != "answers slower than 500ms" || p99.Bad != 0 || p50.Bad != 0.01 {
		t.Errorf("%v requests in a second, %v; %v of p50 are bad", p99.Requests, p99.Counts, p50.Bad)
	}
	for _, c := range r.Comparisons {
		if c.Rollouts != 2 || len(c.Healthy.Fired) > 0 || c.Injected.Found != 2 {
			t.Errorf("%s: %d rollouts, %+v, found %d", c.Metric, c.Rollouts, c.Healthy, c.Injected.Found)
		}
	}
	if c := r.Conditions[0]; c.NotTested != "" || c.Measurements != 200 || c.Broken != 200 { // 0.067 in a second
		t.Errorf("%+v", c)
	}
}
