package e2e

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// plugin runs "kubectl headgate" in the namespace of s, and returns how it ended.
func (s *service) plugin(args ...string) (code int, out string) {
	s.Helper()
	cmd := shared.Kubectl(s.within(2*time.Minute), append([]string{"headgate", "-n", s.Namespace}, args...)...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	_ = cmd.Run() // the exit code tells
	if cmd.ProcessState == nil {
		s.Fatalf("%s did not run", cmd)
	}
	return cmd.ProcessState.ExitCode(), text.String()
}

func (s *service) pluginEnds(want int, part string, args ...string) {
	s.Helper()
	if code, out := s.plugin(args...); code != want || !strings.Contains(out, part) {
		s.Errorf("kubectl headgate %v: exit code %d, want %d and %q:\n%s", args, code, want, part, out)
	}
}

// TestPlugin goes through a good and a bad version with kubectl headgate alone.
func TestPlugin(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%, 1s", spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.pluginEnds(0, "Idle", "list")
	s.pluginEnds(0, "nothing would keep a rollout from beginning", "doctor", "web")
	s.pluginEnds(0, "promotion by adoption", "plan", "web")

	s.ship("v2", nil)
	s.pluginEnds(4, "weight 50", "status", "web", "--wait")
	code, out := s.plugin("status", "web", "-o", "json")
	var seen status.Status
	if err := json.Unmarshal([]byte(out), &seen); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if seen.Step == nil || seen.Step.Number != 2 || seen.Weight.Written == nil || *seen.Weight.Written != 50 ||
		seen.Canary == nil || len(seen.Canary.Pods) != 2 || len(seen.Stable.Pods) != 4 || len(seen.Events) == 0 || len(seen.Unread) > 0 {
		t.Errorf("the status is\n%s", out)
	}
	if !slices.Contains(seen.Stable.Images, "headgate.dev/lab/app:v1") || !slices.Contains(seen.Canary.Images, "headgate.dev/lab/app:v2") {
		t.Errorf("stable is %v, the canary is %v", seen.Stable.Images, seen.Canary.Images)
	}
	s.pluginEnds(1, "nothing is paused by command", "resume", "web")
	s.pluginEnds(0, "promote would be given to rollout", "promote", "web", "--dry-run")
	s.pluginEnds(0, "It waits for a person", "explain", "web")
	s.pluginEnds(0, "", "promote", "web")
	s.pluginEnds(0, "Idle", "status", "web", "--wait", "--timeout", "1m")
	s.gone(30 * time.Second)
	s.pluginEnds(0, "Promoted", "history", "web")

	s.Annotations[spec.AnnotationSteps] = "50%, 10s, 100%, 1s"
	s.ship("v3", map[string]string{"ERROR_RATE": "0.5"})
	s.pluginEnds(2, "RolledBack", "status", "web", "--wait", "--timeout", "1m")
	s.pluginEnds(0, "MeasurementFailed", "events", "web")
	s.over()
	s.pluginEnds(0, "would put the template of", "cleanup", "--dry-run")
	s.pluginEnds(0, "web: done", "cleanup", "--timeout", "1m")
	s.pluginEnds(0, "Idle", "status", "web")
}
