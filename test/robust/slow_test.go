package robust

import (
	"fmt"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
)

// TestSlowAPIServer: everything that the API server says to the managers comes late, from the
// first weight on. However late that is, a bad version is rolled back and nobody loses the
// Lease. How far a good version comes meanwhile is a question of time: with 1 s for each
// answer and each event its promotion takes a minute.
func TestSlowAPIServer(t *testing.T) {
	const (
		patience  = 3 * time.Minute
		noIngress = -1 // it is promoted
	)
	good, bad := newApp(t, "50%, 2s, 100%, 1s"), newApp(t, "50%, 2s, 100%, 1s")
	goodWeights, badWeights := watchWeights(t, good), watchWeights(t, bad)
	defer api.slow(0)
	first, ended := leader(t), restarts(t)
	for i, c := range []struct {
		delay time.Duration
		until int // the good version has this weight
	}{{100 * time.Millisecond, noIngress}, {time.Second, 100}, {5 * time.Second, 50}} {
		version := fmt.Sprint("v", i+2)
		good.Ship(version, nil)
		bad.Ship(version, map[string]string{"ERROR_RATE": "0.3"})
		good.AwaitWeight(time.Minute, 50)
		bad.AwaitWeight(time.Minute, 50)
		began := time.Now()
		api.slow(c.delay)
		await(t, bad.Deployed(), patience, reason.AnalysisFailed)
		t.Logf("at %s the bad version was rolled back after %s", c.delay, time.Since(began).Round(time.Second))
		if c.until != 50 { // else it had it
			good.AwaitWeight(patience, c.until)
			t.Logf("at %s the good version had weight %d after %s", c.delay, c.until, time.Since(began).Round(time.Second))
		}
		api.slow(0)
		await(t, good.Deployed(), patience, reason.Promoted)
		if now := leader(t); now != first || restarts(t) != ended {
			t.Fatalf("at %s the leader was %s and is %s; %d managers ended", c.delay, first, now, restarts(t)-ended)
		}
	}
	goodWeights.are(t, 0, 50, 100, -1, 0, 50, 100, -1, 0, 50, 100, -1)
	badWeights.are(t, 0, 50, -1, 0, 50, -1, 0, 50, -1)
	good.Over()
	bad.Over()
	awaitManagers(t)
}
