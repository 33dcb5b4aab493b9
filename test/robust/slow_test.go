package robust

import (
	"fmt"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
)

// TestSlowAPIServer: everything that the API server says to the managers comes late, from the
// first weight on. However late that is, a bad version is rolled back and nobody loses the
// Lease. A good version is promoted; with 5 s for each answer that takes minutes, so the test
// does not wait for it.
func TestSlowAPIServer(t *testing.T) {
	const patience = 3 * time.Minute
	good, bad := newApp(t, "50%, 2s, 100%, 1s"), newApp(t, "50%, 2s, 100%, 1s")
	weights := watchWeights(t, bad)
	defer api.slow(0)
	first, ended := leader(t), restarts(t)
	for i, delay := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		version := fmt.Sprint("v", i+2)
		good.Ship(version, nil)
		bad.Ship(version, map[string]string{"ERROR_RATE": "0.3"})
		good.AwaitWeight(time.Minute, 50)
		bad.AwaitWeight(time.Minute, 50)
		began := time.Now()
		api.slow(delay)
		await(t, bad.Deployed(), patience, reason.AnalysisFailed)
		t.Logf("at %s the bad version was rolled back after %s", delay, time.Since(began).Round(time.Second))
		if delay == 5*time.Second {
			if at := good.Weight(); at < 50 {
				t.Errorf("the good version has weight %d, it had 50", at)
			}
			api.slow(0)
		}
		await(t, good.Deployed(), patience, reason.Promoted)
		t.Logf("at %s the good version was promoted after %s", delay, time.Since(began).Round(time.Second))
		api.slow(0)
		if now := leader(t); now != first || restarts(t) != ended {
			t.Fatalf("at %s the leader was %s and is %s; %d managers ended", delay, first, now, restarts(t)-ended)
		}
	}
	weights.are(t, 0, 50, -1, 0, 50, -1, 0, 50, -1)
	good.Over()
	bad.Over()
	awaitManagers(t)
}
