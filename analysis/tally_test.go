package analysis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// dial is a provider whose number is set by hand. "?" stands for no data.
type dial struct {
	canned
	number string
	asked  int
}

func (d *dial) Ask(context.Context, provider.Question, rollout.Subject) (provider.Answer, error) {
	d.asked++
	numbers := map[string][]float64{"bad": {2}, "good": {0}, "?": nil}
	return provider.Answer{Numbers: numbers[d.number]}, nil
}

// run measures once every 30 s, with the numbers of a line: "good bad ? bad". It returns
// the first letters of the verdicts (P, F, I), and the last measurement.
func (d *dial) run(t *testing.T, text, numbers string, weights ...int) (string, rollout.Measurement) {
	t.Helper()
	now := noon
	fixed := canned{answer: provider.Answer{Numbers: []float64{1}}}
	j := New(Providers{"dial": d, "fixed": fixed}, nil, Options{Now: func() time.Time { return now }})
	r, err := j.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	s, verdicts := subject(), ""
	s.Since = noon
	var m rollout.Measurement
	for i, number := range strings.Fields(numbers) {
		now = now.Add(r.Plan().Interval)
		if len(weights) > i && i > 0 && weights[i] != weights[i-1] {
			s.Since = now.Add(-r.Plan().Interval)
		}
		d.number = number
		m = r.Measure(t.Context(), s)
		if m.Evidence != "" {
			s.Evidence = m.Evidence
		}
		verdicts += string(m.Verdict[0])
	}
	return verdicts, m
}

const dialMetric = `{name: queue, provider: dial, query: x, condition: "< 1"`

func TestLimitsOfOneMetric(t *testing.T) {
	for name, tt := range map[string]struct {
		settings, numbers, verdicts, says string
	}{
		"three in a row by default": {"", "bad bad bad", "IIF", "queue 2, want < 1: 3 times in a row"},
		"a Pass ends a row":         {"", "bad bad good bad bad", "IIPII", "queue 2, want < 1: 2 in a row, 2 are tolerated"},
		"no data ends no row":       {"", "bad ? bad ? bad", "IIIIF", "3 times in a row"},
		"none is tolerated":         {"failureLimit: 0", "good bad", "PF", "queue 2, want < 1"},
		"two in the rollout": {
			"failureLimit: 2", "bad good bad good bad", "IPIPF", "queue 2, want < 1: 3 failures",
		},
		"either limit": {
			"failureLimit: 3, consecutiveFailureLimit: 1", "bad good bad bad", "IPIF", "2 times in a row",
		},
		"inconclusive, and a rollback": {"inconclusiveLimit: 2", "? ? ?", "IIF", "queue: no data: 3 times in a row"},
		"inconclusive, and a Pass": {
			"inconclusiveLimit: 1, onInconclusive: pass", "? ? bad", "IPI", "1 in a row",
		},
		"inconclusive, and no end": {
			"inconclusiveLimit: 1, onInconclusive: hold", "? ? ?", "III", "and onInconclusive: hold",
		},
		"a dry run":                       {"failureLimit: 0, dryRun: true", "good bad", "PP", "queue 2, want < 1 (dry run, would be Fail)"},
		"twice at a weight":               {"count: 2", "good good bad bad bad", "PPPPP", "queue 0, want < 1"},
		"no data, and then once":          {"count: 1", "? good bad", "IPP", "queue 0, want < 1"},
		"one that is tolerated, and then": {"count: 1", "bad good bad", "IPP", "queue 0, want < 1"},
		"not at the start":                {"initialDelay: 70s", "bad bad good", "IIP", "queue 0, want < 1"},
		"every second time":               {"interval: 60s", "bad good bad bad", "IPPI", "1 in a row"},
		"before the delay":                {"initialDelay: 70s", "bad", "I", "queue: not measured in the first 1m10s"},
		"before an interval":              {"interval: 60s", "bad", "I", "queue: not measured at this weight yet"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &dial{}
			text := "{interval: 30s, metrics: [" + strings.TrimSuffix(dialMetric+", "+tt.settings, ", ") +
				`}, {name: quick, provider: fixed, query: x, condition: "== 1"}]}`
			got, m := d.run(t, text, tt.numbers)
			if got != tt.verdicts || !strings.Contains(m.Message, tt.says) {
				t.Errorf("%s: %s\nwant %s: %s", got, m.Message, tt.verdicts, tt.says)
			}
			if fails := strings.Contains(tt.says, "dry run"); fails != (m.WouldFail != "") {
				t.Errorf("it would fail: %q", m.WouldFail)
			}
		})
	}
}

// What counts on a row is stored; what can be asked again is not.
func TestWhatATallyKeeps(t *testing.T) {
	for numbers, want := range map[string]bool{"good": false, "good good": false, "bad": true, "bad good": true, "?": false} {
		_, m := (&dial{}).run(t, "{metrics: ["+dialMetric+"}]}", numbers)
		if m.Kept != want {
			t.Errorf("after %s it is stored: %v", numbers, m.Kept)
		}
	}
}

// A row of Fail goes on at the next weight, and what stands is of one weight.
func TestTallyAtTheNextWeight(t *testing.T) {
	if got, m := (&dial{}).run(t, "{metrics: ["+dialMetric+"}]}", "bad bad bad", 10, 20, 50); got != "IIF" {
		t.Errorf("%s: %s", got, m.Message)
	}
	d := &dial{}
	if got, m := d.run(t, "{metrics: ["+dialMetric+", count: 1}]}", "good good bad", 10, 10, 20); got != "PPI" || d.asked != 2 {
		t.Errorf("%s after %d questions: %s", got, d.asked, m.Message)
	}
}

func TestSettingsErrors(t *testing.T) {
	for settings, want := range map[string]string{
		`name: up, query: up, condition: "> 0", interval: often`:                         `metric "up": interval "often" is not a duration`,
		`name: up, query: up, condition: "> 0", initialDelay: -1m`:                       `initialDelay "-1m" is not a duration`,
		`name: up, query: up, condition: "> 0", count: -1`:                               "count is -1, want 0 or more",
		`name: up, query: up, condition: "> 0", onInconclusive: hold`:                    "onInconclusive belongs to a limit",
		`name: up, query: up, condition: "> 0", inconclusiveLimit: 1, onInconclusive: x`: `onInconclusive is "x", want abort, hold or pass`,
		`name: errors, interval: 1m, failureLimit: 2`: `metric "errors": ` +
			"failureLimit and interval cannot be set",
	} {
		if _, err := Parse("{metrics: [{" + settings + "}]}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%v\nwant %s", settings, err, want)
		}
	}
}

// Comparisons are looked at every 5 s beside a query that is asked every 30 s.
func TestIntervalOfAMixture(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"auto, p50 > 1ms": 5 * time.Second,
		`{metrics: [{name: auto}, {name: up, query: up, condition: "> 0"}]}`:                                5 * time.Second,
		`{interval: 1m, metrics: [{name: auto}, {name: up, query: up, condition: "> 0"}]}`:                  time.Minute,
		`{metrics: [{name: up, query: up, condition: "> 0"}]}`:                                              30 * time.Second,
		`{interval: 1m, metrics: [{name: a, query: up, cel: "result > 0.0", interval: 20s}, {name: auto}]}`: 20 * time.Second,
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if a.Plan.Interval != want {
			t.Errorf("%s: %s, want %s", text, a.Plan.Interval, want)
		}
	}
}

// Limits and minimums hold for what is counted answer by answer, too.
func TestSettingsOfAComparison(t *testing.T) {
	healthy := func() *traffic { return &traffic{stable: 90, canary: 10} }
	m, _ := watch(t, healthy(), `{metrics: [{name: errors, minRequests: 5000}]}`, time.Minute)
	if m.Verdict != rollout.Inconclusive || !strings.Contains(m.Message, "too few requests at this weight: 550, want >= 5000") {
		t.Errorf("%s: %s", m.Verdict, m.Message)
	}
	m, _ = watch(t, &traffic{stable: 90}, `{metrics: [{name: errors, inconclusiveLimit: 3}]}`, time.Minute)
	if m.Verdict != rollout.Fail || !strings.Contains(m.Message, "4 times in a row") {
		t.Errorf("%s: %s", m.Verdict, m.Message)
	}
	bad := &traffic{stable: 90, canary: 10, badShare: .5}
	m, _ = watch(t, bad, `{metrics: [{name: errors, dryRun: true}]}`, time.Minute)
	if m.Verdict != rollout.Pass || !strings.Contains(m.WouldFail, "errors: canary") {
		t.Errorf("%s: %s; would fail: %q", m.Verdict, m.Message, m.WouldFail)
	}
}
