package robust

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/test/underload"
)

func condition(dep *appsv1.Deployment) (reason.Reason, string) { return underload.Condition(dep) }

// TestSlowAPIServer: everything that the API server says comes late. A good version is
// promoted and a bad one rolled back, however late; nobody loses the Lease.
func TestSlowAPIServer(t *testing.T) {
	for _, delay := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			first, ended := leader(t), restarts(t)
			api.slow(delay)
			defer api.slow(0)
			began := time.Now()
			good, bad := newApp(t, "50%, 1s, 100%, 1s"), newApp(t, "50%, 1s, 100%, 1s")
			weights := watchWeights(t, bad)
			good.Ship("v2", nil)
			bad.Ship("v2", map[string]string{"ERROR_RATE": "0.3"})
			await(t, bad.Deployed(), 3*time.Minute, reason.AnalysisFailed)
			t.Logf("the bad version was rolled back after %s", time.Since(began).Round(time.Second))
			await(t, good.Deployed(), 3*time.Minute, reason.Promoted)
			t.Logf("the good version was promoted after %s", time.Since(began).Round(time.Second))
			if now := leader(t); now != first || restarts(t) != ended {
				t.Errorf("the leader was %s and is %s; %d managers ended", first, now, restarts(t)-ended)
			}
			weights.are(t, 0, 50, -1)
			good.Over()
			bad.Over()
		})
	}
	awaitManagers(t)
}
