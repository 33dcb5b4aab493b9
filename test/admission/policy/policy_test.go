package policy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/headgate/headgate/test/admission/policy"
	"github.com/headgate/headgate/test/chart"
)

const (
	dir     = "../../../charts/headgate"
	manager = "system:serviceaccount:headgate-system:headgate"
)

func load(ctx context.Context, t *testing.T, version string, set map[string]string) *policy.Policies {
	t.Helper()
	p, err := policy.Load(ctx, dir, chart.Release{Name: "headgate", Namespace: "headgate-system", KubeVersion: version, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	policyMode  = map[string]string{"admission.mode": "policy"}
	webhookMode = map[string]string{}
)

// The oldest clusters that the chart accepts must understand every expression.
func TestExpressionsCompileOnTheOldestCluster(t *testing.T) {
	load(t.Context(), t, "1.31.0", webhookMode)
	load(t.Context(), t, "1.36.0", policyMode)
}

func TestPolicyModeNeedsANewCluster(t *testing.T) {
	_, err := chart.Render(t.Context(), dir, chart.Release{Name: "headgate", Namespace: "h", KubeVersion: "1.35.4", Set: policyMode})
	const want = "admission.mode: policy needs Kubernetes 1.36 or newer"
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "1.35.4") {
		t.Errorf("error = %v, want one with %q", err, want)
	}
}
