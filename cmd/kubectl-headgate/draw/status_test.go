package draw

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/status"
)

var now = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { return new(now.Add(-d)) }
func in(d time.Duration) *time.Time  { return new(now.Add(d)) }

// halfway is a rollout in the middle: two metrics that are counted, and one that is a number.
func halfway() status.Status {
	counted := func(requests, bad int64, low, high float64) *status.Counted {
		return &status.Counted{Requests: requests, Bad: bad, Share: float64(bad) / float64(requests), Range: status.Range{Low: low, High: high}}
	}
	return status.Status{
		At: now, Namespace: "shop", Name: "web", OptedIn: true, Strategy: "canary", Rollout: "7", Phase: status.Progressing,
		Reason: "Waiting", Message: "rollout 7: step 4 of 8, weight 25: waits until 10:32:10", Since: ago(2*time.Minute + 50*time.Second),
		Stable: status.Version{Images: []string{"registry.example.com/web:1.4.0"}, Revision: "6", Replicas: 2, Available: 2, Pods: []status.Pod{
			{Name: "web-7d4b9c6f5-2xkqp", Ready: true, State: "Running", Started: ago(49 * time.Hour)},
			{Name: "web-7d4b9c6f5-9mzrt", Ready: true, State: "Running", Restarts: 1, Started: ago(49 * time.Hour)},
		}},
		Canary: &status.Version{Images: []string{"registry.example.com/web:1.5.0"}, Replicas: 2, Available: 1, Pods: []status.Pod{
			{Name: "web-canary-6d4cf56db6-abcde", Ready: true, State: "Running", Started: ago(9 * time.Minute)},
			{Name: "web-canary-6d4cf56db6-fghij", State: "ImagePullBackOff"},
		}},
		Steps: []status.Step{
			{Number: 1, Text: "10%", Seen: status.Done}, {Number: 2, Text: "5m", Seen: status.Done}, {Number: 3, Text: "25%", Seen: status.Done},
			{Number: 4, Text: "5m", Seen: status.Now}, {Number: 5, Text: "50%", Seen: status.Ahead}, {Number: 6, Text: "pause", Seen: status.Ahead},
			{Number: 7, Text: "100%", Seen: status.Ahead}, {Number: 8, Text: "10m", Seen: status.Ahead},
		},
		Step:   &status.Present{Number: 4, Of: 8, Text: "5m", Since: now.Add(-170 * time.Second), Until: in(130 * time.Second)},
		Weight: &status.Weight{Planned: 25, Granted: 25, Written: new(25), Observed: new(24.7), Besides: "header X-Canary"},
		Analysis: &status.Analysis{Last: rollout.Fail, At: ago(4 * time.Second), Failures: 1, Metrics: []status.Metric{
			{Name: "success-rate", Wanted: ">= 99%", Verdict: rollout.Pass,
				Text:   "success-rate 99.8%, want >= 99%: canary 0.2% errors of 1,500, stable 0.18% of 4,500",
				Canary: counted(1500, 3, 0.0005, 0.006), Stable: counted(4500, 8, 0.001, 0.003), Evidence: 0.2, Needs: 100},
			{Name: "p99", Wanted: "<= 1.2 * stable", Verdict: rollout.Inconclusive, Text: "p99: too few requests at this weight: 40, want 70",
				Canary: counted(40, 1, 0.001, 0.1), Stable: counted(120, 2, 0.002, 0.05), Evidence: 4.8, Needs: 100},
			{Name: "queue-length", Wanted: "< 100", Verdict: rollout.Fail, Text: "queue-length 120, want < 100"},
			{Name: "memory", Wanted: "<= 512Mi"},
		}},
		Next: &status.Next{What: "the canary gets 50% of the traffic", At: in(130 * time.Second), Needs: "a Pass"},
		Deadlines: []status.Deadline{{Name: "headgate.dev/progress-deadline", At: now.Add(7 * time.Minute)},
			{Name: "headgate.dev/rollout-deadline", At: now.Add(6 * 24 * time.Hour)}},
		Actions: []status.Action{{Verb: "promote", Want: "go on to the next step now"}, {Verb: "promote-full", Want: "ship the version now"},
			{Verb: "pause", Want: "keep the weight"}, {Verb: "abort", Want: "give up"}},
		Events: []status.Event{
			{At: now.Add(-9 * time.Minute), Reason: "Began", Message: "rollout 7: the canary is made"},
			{At: now.Add(-3 * time.Minute), Reason: "WeightSet", Message: "rollout 7: the canary has 25% of the traffic"},
			{At: now.Add(-4 * time.Second), Reason: "MeasurementFailed", Message: "rollout 7: queue-length 120, want < 100", Warning: true},
		},
		Unread: []string{"Ingresses: you may not read or write ingresses here"},
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestStatus(t *testing.T) {
	past := map[string][]float64{"success-rate": {0.001, 0.004, 0.002, 0.002, 0.006, 0.002}, "p99": {0.02, 0.025}}
	for name, l := range map[string]Look{
		"pipe": {}, "wide": {Width: 130, Signs: true, Colour: true, Past: past}, "narrow": {Width: 60, Signs: true, Colour: true, Past: past},
		"tiny": {Width: 20, Signs: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := Status(halfway(), l)
			for line := range strings.Lines(text) {
				if width := lipgloss.Width(strings.TrimRight(line, "\n")); width > l.width() {
					t.Errorf("%d columns, want at most %d: %q", width, l.width(), line)
				}
			}
			if !l.Colour && escapes.MatchString(text) {
				t.Error("there are colours in a pipe")
			}
			golden.Assert(t, escapes.ReplaceAllString(text, ""), name+".golden")
		})
	}
}

// However small the terminal is, the picture fits, and what matters most is on it.
func TestFit(t *testing.T) {
	for height := 1; height <= 40; height++ {
		text := Fit(halfway(), Look{Width: 100, Height: height, Signs: true})
		lines := strings.Count(text, "\n")
		if lines > height {
			t.Errorf("%d lines, want at most %d:\n%s", lines, height, text)
		}
		if height > 1 && !strings.HasPrefix(text, "shop/web") {
			t.Errorf("at a height of %d the head is missing:\n%s", height, text)
		}
		for _, part := range []string{"Next", "queue-length 120", "ImagePullBackOff"} {
			if height >= 18 && !strings.Contains(text, part) {
				t.Errorf("at a height of %d there is no %q:\n%s", height, part, text)
			}
		}
	}
	if Fit(halfway(), Look{Width: 100}) != Status(halfway(), Look{Width: 100}) {
		t.Error("without a height something is left out")
	}
}

// Before a metric has numbers of its own, the last measurement says what was found.
func TestAMeasurementWithoutNumbers(t *testing.T) {
	s := halfway()
	s.Analysis = &status.Analysis{Last: rollout.Inconclusive, At: ago(time.Second), Text: "rollout 7: too few requests",
		Metrics: []status.Metric{{Name: "errors"}}}
	if got := Status(s, Look{}); !strings.Contains(got, "\n          too few requests\n") {
		t.Errorf("the text is not there:\n%s", got)
	}
	s.Analysis.Metrics[0].Verdict = rollout.Pass
	if got := Status(s, Look{}); strings.Contains(got, "too few requests") {
		t.Errorf("the numbers are there twice:\n%s", got)
	}
}
