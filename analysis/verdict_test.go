package analysis

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

func has(samples ...float64) reading { return reading{samples: samples} }

// inWindow is text with every limit judged by its window, as those conditions are that
// set no limit.
func inWindow(t *testing.T, text string) Analysis {
	t.Helper()
	a, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range a.Metrics {
		if m.compared == nil {
			continue
		}
		metric, err := builtInNamed(m.Name)
		if err != nil {
			t.Fatal(err)
		}
		a.Metrics[i] = Metric{Name: m.Name, Condition: m.compared.asked, builtIn: metric}
		if !strings.Contains(text, "minRequests") {
			a.MinRequests = DefaultMinRequests
		}
	}
	return a
}

func TestAssess(t *testing.T) {
	const (
		rate   = "success-rate >= 99%"
		perPod = `{metrics: [{name: errors, query: "sum by (pod) (errors)", condition: "< 1%"}]}`
		floor  = `{metrics: [{name: idle, query: "idle", condition: "> 20%"}]}`
	)
	down := reading{err: errors.New("dial: connect: connection refused")}
	odd := reading{err: provider.QueryFault("is refused by Prometheus: found duplicate series")}
	nan, inf := math.NaN(), math.Inf(1)

	tests := map[string]struct {
		text    string
		weight  int // 0 stands for 10, -1 for 0
		source  Source
		answers answers
		want    rollout.Measurement
	}{
		"the condition holds": {
			text: rate, answers: answers{canaryRequests: has(50), metrics: []reading{has(0.999)}},
			want: rollout.Measurement{Verdict: rollout.Pass, Message: "success-rate 99.9%, want >= 99%"},
		},
		"the condition is broken": {
			text: rate, answers: answers{canaryRequests: has(50), metrics: []reading{has(0.948)}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "success-rate 94.8%, want >= 99%"},
		},
		"a Pass tells every number": {
			text: "success-rate >= 99%, p99 <= 500ms", answers: answers{canaryRequests: has(50), metrics: []reading{has(1), has(0.12)}},
			want: rollout.Measurement{Verdict: rollout.Pass, Message: "success-rate 100%, want >= 99%; p99 120ms, want <= 500ms"},
		},
		"a Fail tells only what failed": {
			text: "success-rate >= 99%, p99 <= 500ms", answers: answers{canaryRequests: has(50), metrics: []reading{has(1), has(0.7)}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "p99 700ms, want <= 500ms"},
		},
		"no samples": {
			text: rate, answers: answers{canaryRequests: has(50), metrics: []reading{has()}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "success-rate: no data"},
		},
		"NaN": {
			text: rate, answers: answers{canaryRequests: has(50), metrics: []reading{has(nan)}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "success-rate: not a number"},
		},
		"infinity": {
			text: floor, answers: answers{metrics: []reading{has(inf)}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: not a number"},
		},
		"of several samples under an upper bound the largest decides": {
			text: perPod, answers: answers{metrics: []reading{has(0.001, 0.02, 0.03)}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "errors 3%, want < 1% (worst of 3)"},
		},
		"of several samples over a lower bound the smallest decides": {
			text: floor, answers: answers{metrics: []reading{has(0.5, 0.1, 0.3)}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "idle 10%, want > 20% (worst of 3)"},
		},
		"several samples that all hold": {
			text: floor, answers: answers{metrics: []reading{has(0.5, 0.3)}},
			want: rollout.Measurement{Verdict: rollout.Pass, Message: "idle 30%, want > 20% (worst of 2)"},
		},
		"a broken sample outweighs NaN beside it": {
			text: perPod, answers: answers{metrics: []reading{has(nan, 0.5)}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "errors 50%, want < 1% (worst of 2)"},
		},
		"NaN outweighs a sample that holds": {
			text: perPod, answers: answers{metrics: []reading{has(0, nan)}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "errors: not a number"},
		},
		"a warning makes a Pass inconclusive": {
			text: floor, answers: answers{metrics: []reading{{samples: []float64{0.9}, warnings: []string{"results truncated due to limit"}}}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: incomplete answer: results truncated due to limit"},
		},
		"a warning does not excuse a Fail": {
			text: floor, answers: answers{metrics: []reading{{samples: []float64{0.1}, warnings: []string{"partial"}}}},
			want: rollout.Measurement{Verdict: rollout.Fail, Message: "idle 10%, want > 20%"},
		},
		"a Prometheus that is down is reported once": {
			text: "success-rate >= 99%, p99 <= 500ms", answers: answers{canaryRequests: down, stableOnly: down, metrics: []reading{down, down}},
			want: rollout.Measurement{Verdict: rollout.Error, Message: "Prometheus does not answer: dial: connect: connection refused"},
		},
		"a refused query is named": {
			text: floor, answers: answers{metrics: []reading{odd}},
			want: rollout.Measurement{Verdict: rollout.Error, Message: "idle: query is refused by Prometheus: found duplicate series"},
		},
		"Fail outweighs Error": {
			text:    `{minRequests: 0, metrics: [{name: success-rate, condition: ">= 99%"}, {name: p99, condition: "<= 1s"}]}`,
			answers: answers{metrics: []reading{has(0.5), down}},
			want:    rollout.Measurement{Verdict: rollout.Fail, Message: "success-rate 50%, want >= 99%"},
		},
		"Error outweighs no data": {
			text:    `{minRequests: 0, metrics: [{name: success-rate, condition: ">= 99%"}, {name: p99, condition: "<= 1s"}]}`,
			answers: answers{metrics: []reading{has(), down}},
			want:    rollout.Measurement{Verdict: rollout.Error, Message: "Prometheus does not answer: dial: connect: connection refused"},
		},
		"a built-in metric of too few requests is not judged": {
			text: rate, answers: answers{canaryRequests: has(9.9), metrics: []reading{has(0)}},
			want: rollout.Measurement{Verdict: rollout.Inconclusive, Message: "too few requests: the canary received 9 in 1m30s, want >= 10"},
		},
		"no requests of stable either, behind ingress-nginx": {
			text: rate, source: IngressNginx, answers: answers{canaryRequests: has(), stableOnly: has(0), metrics: []reading{has()}},
			want: rollout.Measurement{
				Verdict: rollout.Inconclusive,
				Message: "too few requests: the canary received 0 in 1m30s, want >= 10; stable has none in the metrics either: " +
					"ingress-nginx counts requests for a wildcard host, or for a rule without a host, only with --metrics-per-host=false",
			},
		},
		"no requests of stable either, behind Traefik": {
			text: rate, source: Traefik, answers: answers{canaryRequests: has(), stableOnly: has(0), metrics: []reading{has()}},
			want: rollout.Measurement{
				Verdict: rollout.Inconclusive,
				Message: "too few requests: the canary received 0 in 1m30s, want >= 10; stable has none in the metrics either",
			},
		},
		"no requests of the canary alone": {
			text: rate, source: IngressNginx, answers: answers{canaryRequests: has(), stableOnly: has(40), metrics: []reading{has()}},
			want: rollout.Measurement{
				Verdict: rollout.Inconclusive,
				Message: "too few requests: the canary received 0 in 1m30s, want >= 10",
			},
		},
		"no requests by header alone say why": {
			text: rate, weight: -1, answers: answers{canaryRequests: has(), metrics: []reading{has()}},
			want: rollout.Measurement{
				Verdict: rollout.Inconclusive,
				Message: "too few requests: the canary received 0 in 1m30s, want >= 10" +
					"; at weight 0%, only requests that match its header or cookie reach it",
			},
		},
		"a user's own query fails also on few requests": {
			text:    `{minRequests: 10, metrics: [{name: idle, query: idle, condition: "> 20%"}]}`,
			answers: answers{canaryRequests: has(1), metrics: []reading{has(0.1)}},
			want:    rollout.Measurement{Verdict: rollout.Fail, Message: "idle 10%, want > 20%"},
		},
		"but does not pass on them": {
			text:    `{minRequests: 10, metrics: [{name: idle, query: idle, condition: "> 20%"}]}`,
			answers: answers{canaryRequests: has(1), metrics: []reading{has(0.9)}},
			want:    rollout.Measurement{Verdict: rollout.Inconclusive, Message: "too few requests: the canary received 1 in 1m30s, want >= 10"},
		},
		"requests that cannot be counted judge nothing": {
			text: rate, answers: answers{canaryRequests: down, metrics: []reading{has(0)}},
			want: rollout.Measurement{Verdict: rollout.Error, Message: "Prometheus does not answer: dial: connect: connection refused"},
		},
		"a router that ignores the canary": {
			text: floor, answers: answers{stableOnly: has(480), metrics: []reading{has(0.9)}},
			want: rollout.Measurement{
				Verdict: rollout.Error, Ignored: true,
				Message: "the router ignores the canary: stable received 480 requests and the canary none at weight 10%",
			},
		},
		"a router whose requests cannot be counted is not known to ignore it": {
			text: floor, answers: answers{stableOnly: down, metrics: []reading{has(0.9)}},
			want: rollout.Measurement{Verdict: rollout.Error, Message: "Prometheus does not answer: dial: connect: connection refused"},
		},
		"too few requests to tell chance from a router that ignores the canary": {
			text: floor, answers: answers{stableOnly: has(99), metrics: []reading{has(0.9)}},
			want: rollout.Measurement{Verdict: rollout.Pass, Message: "idle 90%, want > 20%"},
		},
		"a weight of 1% needs five hundred requests": {
			text: floor, weight: 1, answers: answers{stableOnly: has(499), metrics: []reading{has(0.9)}},
			want: rollout.Measurement{Verdict: rollout.Pass, Message: "idle 90%, want > 20%"},
		},
		"and has them": {
			text: floor, weight: 1, answers: answers{stableOnly: has(500), metrics: []reading{has(0.9)}},
			want: rollout.Measurement{
				Verdict: rollout.Error, Ignored: true,
				Message: "the router ignores the canary: stable received 500 requests and the canary none at weight 1%",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := inWindow(t, tt.text)
			s := subject()
			if tt.weight != 0 {
				s.Weight = max(tt.weight, 0)
			}
			if diff := cmp.Diff(tt.want, assessed(a, s, tt.source, tt.answers)); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingMeasuredIsNoPass(t *testing.T) {
	if got := assessed(Analysis{}, subject(), "", answers{}); got.Verdict != rollout.Inconclusive {
		t.Errorf("got %+v", got)
	}
}

func TestMessageFitsAnEvent(t *testing.T) {
	got := combine([]finding{{rollout.Error, strings.Repeat("é", 2000)}})
	if len(got.Message) > 1024 || !strings.HasSuffix(got.Message, "é…") {
		t.Errorf("%d bytes: %s", len(got.Message), got.Message)
	}
}

// Whatever Prometheus answers, a Pass means that there was an answer to every
// question, complete, and that every number in it satisfies its condition.
func TestPassOnlyIfEveryMetricPassed(t *testing.T) {
	number := rapid.OneOf(rapid.Float64Range(0.5, 1), rapid.Just(math.NaN()), rapid.Just(math.Inf(-1)), rapid.Just(1.0))
	anyReading := rapid.Custom(func(t *rapid.T) reading {
		r := reading{samples: rapid.SliceOfN(number, 0, 3).Draw(t, "samples")}
		if rapid.IntRange(0, 9).Draw(t, "trouble") == 0 {
			r.err = errors.New("down")
		}
		if rapid.IntRange(0, 9).Draw(t, "partial") == 0 {
			r.warnings = []string{"partial"}
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		minimum := rapid.SampledFrom([]int{0, 10}).Draw(t, "minimum")
		a := Analysis{MinRequests: minimum}
		r := answers{
			canaryRequests: rapid.OneOf(anyReading, rapid.Just(has(10)), rapid.Just(has(9))).Draw(t, "requests"),
			stableOnly:     rapid.OneOf(anyReading, rapid.Just(has()), rapid.Just(has(1000))).Draw(t, "ignored"),
		}
		pass := r.stableOnly.err == nil && total(r.stableOnly) < 100 &&
			(minimum == 0 || r.canaryRequests.err == nil && total(r.canaryRequests) >= 10)
		for range rapid.IntRange(1, 3).Draw(t, "metrics") {
			m := Metric{Name: "m", Condition: condition(t, ">= 0.6")}
			if rapid.Bool().Draw(t, "built in") {
				m.builtIn = successRate{}
			}
			one := anyReading.Draw(t, "reading")
			holds := one.err == nil && len(one.samples) > 0 && len(one.warnings) == 0
			for _, v := range one.samples {
				holds = holds && v >= 0.6 && v <= 1
			}
			pass = pass && holds
			a.Metrics, r.metrics = append(a.Metrics, m), append(r.metrics, one)
		}
		if got := assessed(a, subject(), IngressNginx, r); (got.Verdict == rollout.Pass) != pass || got.Message == "" {
			t.Fatalf("got %+v, want a Pass: %v", got, pass)
		}
	})
}

// assessed is the measurement of an analysis without comparisons.
func assessed(a Analysis, s rollout.Subject, src Source, got answers) rollout.Measurement {
	findings, ignored := assess(a, s, src, got, func(_ Metric, f finding) finding { return f })
	m := combine(findings)
	m.Ignored = ignored
	return m
}
