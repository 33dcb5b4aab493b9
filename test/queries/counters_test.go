package queries

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis"
	promprovider "github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

const (
	target  = `job="nginx",instance="a"` // a pod of ingress-nginx
	counter = "nginx_ingress_controller_requests"
	canary  = `namespace="shop",service="web",canary="shop-web-canary-80"`
	stable  = `namespace="shop",service="web",canary=""`
)

func measure(t *testing.T, p prometheus, text string) rollout.Measurement {
	t.Helper()
	providers := analysis.Providers{analysis.DefaultProvider: promprovider.Of(p, 10*time.Second, "")}
	resolved, err := analysis.New(providers, nil, analysis.Options{Source: analysis.IngressNginx}).Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Measure(t.Context(), rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary",
		Service: "web", CanaryService: "web-canary", ServicePort: "80", Ingress: "web",
		Weight: 10, Window: window,
	})
}

// received is what a measurement says of the number of the canary's requests.
func received(t *testing.T, p prometheus) string {
	t.Helper()
	var number string
	got := measure(t, p, `{minRequests: 1000, metrics: [{name: error-rate, condition: "< 1%"}]}`)
	if _, err := fmt.Sscanf(got.Message, "too few requests: the canary received %s in", &number); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return number
}

// What one counter of requests adds, and what increase() alone would add.
func TestOneCounter(t *testing.T) {
	tests := map[string]struct {
		up, values     string
		want, increase string
	}{
		"born in the window, seen once":   {"1x40", "_x40 1", "1", "nothing"},
		"born in the window, then still":  {"1x40", "_x37 1x3", "1", "0"},
		"born in the window, then rising": {"1x40", "_x38 1 1 4", "4", "3.75"},
		"older than the window, still":    {"1x40", "7x40", "0", "0"},
		"older than the window, rising":   {"1x40", "100+10x40", "60", "60"},
		"older, and reset in the window":  {"1x40", "100x36 3x3", "3", "3.6"},
		"gone with the route, then born again": {
			"1x40", "50x20 stale _x16 5x1", "5", "0",
		},
		"not scraped once, at the beginning of the window": {
			"1x33 0 1x5", "500x33 stale 500x5", "0", "0",
		},
		"not scraped for long, because Prometheus was down": {
			"1x5 _x31 1x3", "500x5 _x31 500x3", "0", "0",
		},
		"in a Prometheus that has lost its data": {"_x36 1x4", "_x36 500x4", "0", "0"},
		"of a target that is new":                {"_x37 1x3", "_x37 2x3", "0", "0"},
		"in a window with one scrape": {
			"1x10 _x23 1 _x3 1", "_x38 12", "0", "nothing",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			series := counter + "{" + target + "," + canary + "}"
			p := newPrometheus(t, "up{"+target+"} "+tt.up, series+" "+tt.values)
			if diff := cmp.Diff(tt.want, received(t, p)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.increase, p.one(t, fmt.Sprintf("sum(increase(%s[90s]))", series))); diff != "" {
				t.Errorf("increase() (-want +got):\n%s", diff)
			}
		})
	}
}

// The first error of a version is a series of its own beside the older one of its
// successes: 60 in the window, and 1 or 3 errors.
func TestFirstErrors(t *testing.T) {
	requests := counter + "{" + target + "," + canary + `,status="%s",path="%s"} %s`
	successes := fmt.Sprintf(requests, "200", "/", "100+10x40")
	tests := map[string]struct {
		series []string
		want   string
	}{
		"none": {[]string{successes}, "error-rate 0%, want >= 100%"},
		"one":  {[]string{successes, fmt.Sprintf(requests, "503", "/", "_x40 1")}, "error-rate 1.639%, want >= 100%"},
		"three, two on another path": {
			[]string{successes, fmt.Sprintf(requests, "503", "/", "_x40 1"), fmt.Sprintf(requests, "500", "/pay", "_x38 2x2")},
			"error-rate 4.762%, want >= 100%",
		},
		"nothing but errors": {[]string{fmt.Sprintf(requests, "503", "/", "_x40 1")}, "error-rate 100%, want >= 100%"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, append(tt.series, "up{"+target+"} 1x40")...)
			got := measure(t, p, `{minRequests: 1, metrics: [{name: error-rate, condition: ">= 100%"}]}`)
			if diff := cmp.Diff(tt.want, got.Message); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}

// The one slow request of a new series is in p99, under the labels that a scrape
// without honor_labels leaves.
func TestFirstSlowRequest(t *testing.T) {
	buckets := "nginx_ingress_controller_request_duration_seconds_bucket{" + target +
		`,exported_namespace="shop",exported_service="web",canary="shop-web-canary-80",le="%s"} %s`
	p := newPrometheus(t, "up{"+target+"} 1x40",
		fmt.Sprintf(buckets, "1", "_x40 0"), fmt.Sprintf(buckets, "2", "_x40 1"), fmt.Sprintf(buckets, "+Inf", "_x40 1"))
	got := measure(t, p, `{minRequests: 0, metrics: [{name: p99, condition: "> 2s"}]}`)
	if diff := cmp.Diff(rollout.Measurement{Verdict: rollout.Fail, Message: "p99 1.99s, want > 2s"}, got); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
}

// Behind an Ingress with a wildcard host ingress-nginx has series of neither version.
func TestNeitherVersionHasRequests(t *testing.T) {
	none := "too few requests: the canary received 0 in 1m30s, want >= 10"
	hint := none + "; stable has none in the metrics either: ingress-nginx counts requests for a wildcard host, " +
		"or for a rule without a host, only with --metrics-per-host=false"
	tests := map[string]struct {
		series []string
		want   string
	}{
		"no series":            {nil, hint},
		"stable has requests":  {[]string{counter + "{" + target + "," + stable + "} 100+1x40"}, none},
		"stable, of the past":  {[]string{counter + "{" + target + "," + stable + "} 100x40"}, hint},
		"a canary of the past": {[]string{counter + "{" + target + "," + canary + "} 100x40"}, hint},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := measure(t, newPrometheus(t, append(tt.series, "up{"+target+"} 1x40")...), "success-rate >= 100%")
			if diff := cmp.Diff(rollout.Measurement{Verdict: rollout.Inconclusive, Message: tt.want}, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}
