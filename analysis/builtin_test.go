package analysis

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
)

// podsReady stands for a built-in metric that counts no requests.
type podsReady struct{ successRate }

func (podsReady) name() string { return "pods-ready" }

func (podsReady) query(sourceSeries, rollout.Subject) string { return "pods_ready" }

func (podsReady) needsTraffic() bool { return false }

// withMetric adds a built-in metric for the time of a test.
func withMetric(t *testing.T, metric builtInMetric) {
	t.Helper()
	before := knownMetrics
	t.Cleanup(func() { knownMetrics = before })
	knownMetrics = append(slices.Clone(before), metric)
}

func TestABuiltInMetricMayNeedNoTraffic(t *testing.T) {
	withMetric(t, podsReady{})
	prom, asked := server(t, map[string]string{"pods_ready": vector("0.5")})
	s := subject()
	s.Weight = 0
	resolved, err := New(prom, nil, Options{Source: Traefik}).Resolve(t.Context(), "shop", "pods-ready >= 99%, success-rate >= 100%")
	if err != nil {
		t.Fatal(err)
	}
	if resolved.Plan().NeedsTraffic {
		t.Error("the plan waits for traffic, which one of its two metrics does not need")
	}
	want := rollout.Measurement{Verdict: rollout.Fail, Message: "pods-ready 50%, want >= 99%"}
	if diff := cmp.Diff(want, resolved.Measure(t.Context(), s)); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pods_ready"}, asked()); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}
