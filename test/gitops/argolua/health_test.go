package argolua

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestHealth has one row for each recorded Deployment. What the built-in health says of
// those without a rollout is compared in package gitops.
func TestHealth(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{ // status, and what the message has
		"not-opted-in":        {"Healthy", ""},
		"not-opted-in-update": {"Progressing", "Waiting for rollout to finish: "},
		"ready":               {"Healthy", ""},
		"pending":             {"Progressing", "A new template is held"},
		"progressing":         {"Progressing", "rollout "},
		"awaiting-promotion":  {"Suspended", "headgate.dev/command=promote"},
		"paused-by-command":   {"Suspended", "paused by command"},
		"no-ingress":          {"Suspended", "no Ingress"},
		"stable-down":         {"Degraded", "No pod of the stable version is available"},
		"rolled-back":         {"Degraded", "rolled back, stable serves all traffic"},
		"pending-after-that":  {"Progressing", "A new template is held"},
		"promoting":           {"Progressing", "rollout "},
		"promoted":            {"Healthy", ""},
		"paused-by-user":      {"Suspended", "Deployment is paused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectHealth(t, recorded(t, name), want[0], want[1])
		})
	}
}

func expectHealth(t *testing.T, obj map[string]any, status, words string) {
	t.Helper()
	got, err := run(t, script(t, "health"), obj)
	if err != nil {
		t.Fatal(err)
	}
	health, ok := got.(map[string]any)
	if !ok {
		t.Fatalf("returned %v", got)
	}
	message, _ := health["message"].(string)
	if health["status"] != status || !strings.Contains(message, words) || words == "" && message != "" {
		t.Errorf("%v: %q, want %s with %q", health["status"], message, status, words)
	}
}

// TestHealthOfIncompleteObjects: Argo CD asks at moments when nobody has written a status.
func TestHealthOfIncompleteObjects(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ object, status, words string }{
		"nothing but a name": {`{"metadata": {"name": "web"}}`, "Healthy", ""},
		"no status yet": {
			`{"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 1}}`, "Progressing", "observed deployment generation",
		},
		"no conditions": {held("2", "RolledBack", `{}`), "Degraded", "rolled back"},
		"deadline": {
			`{"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 1}, "status": {"observedGeneration": 1,
			"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}}`,
			"Degraded", `Deployment "web" exceeded its progress deadline`,
		},
		"too few updated": {
			`{"metadata": {"name": "web"}, "spec": {"replicas": 3}, "status": {"updatedReplicas": 2}}`,
			"Progressing", "2 out of 3 new replicas have been updated...",
		},
		"old ones left": {
			`{"metadata": {"name": "web"}, "spec": {"replicas": 3}, "status": {"replicas": 4, "updatedReplicas": 3}}`,
			"Progressing", "1 old replicas are pending termination...",
		},
		"too few available": {
			`{"metadata": {"name": "web"}, "spec": {"replicas": 3},
			"status": {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 1}}`,
			"Progressing", "1 of 3 updated replicas are available...",
		},
		"a promotion that stalls": {
			`{"metadata": {"name": "web", "annotations": {"headgate.dev/phase": "Promoting"}}, "spec": {"replicas": 1},
			"status": {"conditions": [{"type": "headgate.dev/Rollout", "reason": "PromotionStalled", "message": "rollout 2: it stalls"}]}}`,
			"Degraded", "rollout 2: it stalls",
		},
		"no stable pod": {
			held("2", "Progressing", `{"availableReplicas": 0}`), "Degraded", "No pod of the stable version is available",
		},
		"scaled to 0 while held": {
			`{"metadata": {"name": "web", "annotations": {"headgate.dev/rollout": "2", "headgate.dev/phase": "Progressing"}},
			"spec": {"paused": true, "replicas": 0}}`, "Progressing", "tried",
		},
		"a canary without a condition":           {held("2", "Progressing", `{"availableReplicas": 1}`), "Progressing", "tried"},
		"a condition of rollout 2 in rollout 21": {held("21", "Pending", failed("2")), "Progressing", "held"},
		"a condition of rollout 21 in rollout 2": {held("2", "Pending", failed("21")), "Progressing", "held"},
		"a condition of rollout 2 in rollout 2":  {held("2", "Pending", failed("2")), "Suspended", "rollout 2: failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var obj map[string]any
			if err := json.Unmarshal([]byte(row.object), &obj); err != nil {
				t.Fatal(err)
			}
			expectHealth(t, obj, row.status, row.words)
		})
	}
}

// held is a Deployment with one replica that is held for a rollout.
func held(rollout, phase, status string) string {
	return fmt.Sprintf(`{"metadata": {"name": "web", "annotations": {"headgate.dev/rollout": %q, "headgate.dev/phase": %q}},
		"spec": {"paused": true, "replicas": 1}, "status": %s}`, rollout, phase, status)
}

// failed is a status with a condition of a rollout.
func failed(rollout string) string {
	return `{"availableReplicas": 1, "conditions": [{"type": "headgate.dev/Rollout", "status": "False",
		"message": "rollout ` + rollout + `: failed"}]}`
}
