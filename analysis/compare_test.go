package analysis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// traffic is what a Prometheus saw of an ingress controller: counters that have grown
// since long before noon, at so many requests in a second.
type traffic struct {
	stable, canary         float64 // requests in a second
	stableShare, badShare  float64 // of errors
	chosen                 map[string][]float64
	silent                 bool // nobody answers
	hidesTimes             bool // nobody answers about the times of answers
	seed                   uint64
	slowStable, slowCanary float64 // share of answers slower than 0.3 s
	stableEnds             bool    // stable has no request after noon
	asked                  []string
}

func (*traffic) Check(provider.Question) error { return nil }

func (*traffic) Ask(context.Context, provider.Question, rollout.Subject) (provider.Answer, error) {
	return provider.Answer{}, nil
}

func (*traffic) CheckSelector(string) error { return nil }

func (*traffic) Selector(template string, _ rollout.Subject) (string, error) { return template, nil }

// count is how many requests there were up to at, and how many of them were chosen by
// chance: the same at each asking.
func (f *traffic) count(track string, perSecond, share float64, at time.Time) (total, chosen float64) {
	key := fmt.Sprint(track, share)
	if f.chosen[key] == nil {
		rng, sum := rand.New(rand.NewPCG(f.seed, uint64(len(track)))), 0.0
		for range int(3 * history / time.Second) {
			for range int(perSecond) {
				if rng.Float64() < share {
					sum++
				}
			}
			f.chosen[key] = append(f.chosen[key], sum)
		}
	}
	second := int(at.Sub(noon.Add(-2*history)) / time.Second)
	return perSecond * float64(second+1), f.chosen[key][second]
}

func (f *traffic) Range(_ context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	if f.chosen == nil {
		f.chosen = map[string][]float64{}
	}
	f.asked = append(f.asked, query)
	if f.silent || f.hidesTimes && strings.Contains(query, "_bucket") {
		return nil, errors.New("connection refused")
	}
	if strings.Contains(query, "_bucket") {
		return append(f.series("stable", f.stable, f.slowStable, from, to, step, "le", "+Inf", "0.3"),
			f.series("canary", f.canary, f.slowCanary, from, to, step, "le", "+Inf", "0.3")...), nil
	}
	return append(f.series("stable", f.stable, f.stableShare, from, to, step, "code", "200", "503"),
		f.series("canary", f.canary, f.badShare, from, to, step, "code", "200", "503")...), nil
}

func (f *traffic) series(
	track string, perSecond, share float64, from, to time.Time, step time.Duration, label, good, bad string,
) []provider.Series {
	all := provider.Series{Labels: map[string]string{"instance": "a", trackLabel: track, label: good}}
	chosen := provider.Series{Labels: map[string]string{"instance": "a", trackLabel: track, label: bad}}
	for at := from; !at.After(to); at = at.Add(step) {
		n, x := f.count(track, perSecond, share, at)
		if track == "stable" && f.stableEnds && at.After(noon) {
			n, x = f.count(track, perSecond, share, noon)
		}
		if track == "canary" && at.Before(noon) {
			continue
		}
		if label == "le" {
			x = n - x
		} else {
			n -= x
		}
		all.Points = append(all.Points, provider.Point{At: at, Value: n})
		chosen.Points = append(chosen.Points, provider.Point{At: at, Value: x})
	}
	return []provider.Series{all, chosen}
}

// watch measures every 5 s for so long, and returns the last measurement.
func watch(t *testing.T, f *traffic, text string, d time.Duration) (last rollout.Measurement, after time.Duration) {
	t.Helper()
	now := noon
	j := New(Providers{DefaultProvider: f}, nil, Options{Source: Traefik, Now: func() time.Time { return now }})
	r, err := j.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	s := subject()
	s.Weight, s.Since = 10, noon
	for now = noon.Add(6 * time.Second); now.Before(noon.Add(d)); now = now.Add(lookInterval) {
		last = r.Measure(t.Context(), s)
		if s.Evidence = last.Evidence; last.Verdict == rollout.Fail {
			break
		}
	}
	return last, now.Sub(noon)
}

func TestErrorsAreCompared(t *testing.T) {
	tests := map[string]struct {
		f    traffic
		want rollout.Verdict
		says string
	}{
		"healthy":      {traffic{stable: 90, canary: 10, stableShare: .01, badShare: .01}, rollout.Pass, "errors: canary "},
		"both are bad": {traffic{stable: 90, canary: 10, stableShare: .3, badShare: .3}, rollout.Pass, "nothing speaks against it"},
		"the canary is worse": {
			traffic{stable: 90, canary: 10, stableShare: .001, badShare: .1}, rollout.Fail, "worse than 1.2 * stable + 0.05 points",
		},
		"no request":             {traffic{stable: 90}, rollout.Inconclusive, "no request at this weight"},
		"no request at all":      {traffic{}, rollout.Inconclusive, "no request at this weight; stable has none in the metrics either"},
		"too few":                {traffic{stable: 90, canary: 1}, rollout.Inconclusive, "the canary receives 1.1% of the traffic at weight 10%"},
		"nobody answers":         {traffic{silent: true}, rollout.Error, "Prometheus does not answer: connection refused"},
		"all the traffic is its": {traffic{stable: 10, canary: 90}, rollout.Inconclusive, "the canary receives 90% of the traffic at weight 10%"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, after := watch(t, &tt.f, "errors: margin 20% + 0.05%", 2*time.Minute)
			if m.Verdict != tt.want || !strings.Contains(m.Message, tt.says) {
				t.Errorf("after %s %s: %s; want %s: %s", after, m.Verdict, m.Message, tt.want, tt.says)
			}
		})
	}
}

func TestLatencyIsCompared(t *testing.T) {
	for name, tt := range map[string]struct {
		canary float64
		want   rollout.Verdict
		says   string
	}{
		"as fast":  {.005, rollout.Pass, "p99: canary"},
		"a slower": {.2, rollout.Fail, "answers slower than 300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &traffic{stable: 90, canary: 10, slowStable: .005, slowCanary: tt.canary}
			m, after := watch(t, f, "p99 <= 1.2 * stable", 3*time.Minute)
			if m.Verdict != tt.want || !strings.Contains(m.Message, tt.says) {
				t.Errorf("after %s %s: %s; want %s: %s", after, m.Verdict, m.Message, tt.want, tt.says)
			}
		})
	}
}

// A manager that has lost the evidence, or that measures rarely, comes to the same
// evidence as one that measured all the time: bit for bit.
func TestEvidenceIsTheSameHoweverOftenItIsAsked(t *testing.T) {
	f := &traffic{stable: 90, canary: 10, stableShare: .01, badShare: .02, slowStable: .005, slowCanary: .01}
	now := noon
	j := New(Providers{DefaultProvider: f}, nil, Options{Source: Traefik, Now: func() time.Time { return now }})
	r, err := j.Resolve(t.Context(), "shop", "auto")
	if err != nil {
		t.Fatal(err)
	}
	measure := func(every time.Duration, loses bool) string {
		s := subject()
		s.Weight, s.Since = 10, noon.Add(time.Second)
		kept := ""
		for now = noon.Add(7 * time.Second); !now.After(noon.Add(97 * time.Second)); now = now.Add(every) {
			s.Evidence = r.Measure(t.Context(), s).Evidence
			if now.Sub(noon) < 30*time.Second {
				kept = s.Evidence
			}
			if loses && now.Sub(noon) > 60*time.Second {
				s.Evidence, loses = kept, false
			}
		}
		return s.Evidence
	}
	want := measure(5*time.Second, false)
	for name, got := range map[string]string{
		"measured once":                    measure(90*time.Second, false),
		"every 15 s":                       measure(15*time.Second, false),
		"a restart forgets half a minute":  measure(5*time.Second, true),
		"a restart, and measured each 10s": measure(10*time.Second, true),
	} {
		if got != want || got == "" {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Where one comparison has no answer, none takes its looks: all see the same intervals.
func TestEvidenceWithoutAnAnswer(t *testing.T) {
	f := &traffic{stable: 90, canary: 10, stableShare: .01, badShare: .02}
	s := subject()
	s.Weight, s.Since = 10, noon.Add(time.Second)
	m, before := measured(t, f, "auto", s, noon.Add(17*time.Second))
	s.Evidence, f.hidesTimes = m.Evidence, true
	m, after := measured(t, f, "auto", s, noon.Add(27*time.Second))
	if m.Verdict != rollout.Error || !after.At.Equal(before.At) ||
		after.Metrics[errorsName].Evidence != before.Metrics[errorsName].Evidence {
		t.Errorf("%s: %s; looked until %s, before until %s", m.Verdict, m.Message, after.At, before.At)
	}
}

// The same intervals count at each weight, and no interval in which the weight changed.
func TestWeightChangeIsLeftOut(t *testing.T) {
	f := &traffic{stable: 85, canary: 15}
	now := noon.Add(31 * time.Second)
	j := New(Providers{DefaultProvider: f}, nil, Options{Source: Traefik, Now: func() time.Time { return now }})
	r, _ := j.Resolve(t.Context(), "shop", "errors")
	s := subject()
	s.Weight, s.Since = 10, noon
	s.Evidence = r.Measure(t.Context(), s).Evidence
	now, s.Since, s.Weight = now.Add(20*time.Second), noon.Add(38*time.Second), 25
	got := r.Measure(t.Context(), s)
	// 30 s at weight 10 and 10 s at weight 25, with 15 requests of the canary in each second.
	if want := "errors: canary 0% errors of 600, stable 0% of 3,400"; !strings.HasPrefix(got.Message, want) {
		t.Errorf("%s, want %s", got.Message, want)
	}
	if rec := decodeRecord(got.Evidence); !rec.At.Equal(noon.Add(50*time.Second)) || !rec.Since.Equal(s.Since) {
		t.Errorf("the record is about %s since %s", rec.At, rec.Since)
	}
}

func TestParseLine(t *testing.T) {
	tests := map[string]string{
		"auto":                       "errors 1.2+0.0005 0.01/3, p99 1.2*0.99 1.2+0.0005 0.01/3, p50 1*0.5 1.2+0.0005 0.01/3",
		"errors: margin 50% + 0.1%":  "errors 1.5+0.001 0.01/1",
		"errors: margin 10%":         "errors 1.1+0 0.01/1",
		"errors: false-alarm 0.5%":   "errors 1.2+0.0005 0.005/1",
		"error-rate <= 2 * stable":   "errors 2+0 0.01/1",
		"p99 <= 1.5 * stable":        "p99 1.5*0.99 1.2+0.0005 0.01/1",
		"errors: at-most 1%":         "errors 1.2+0.0005 0.01/1 at most 0.01",
		"errors: at-most 1% strict":  "errors 1.2+0.0005 0.01/1 at most 0.01 strict",
		"errors <= 1.2*stable+0.05%": "errors 1.2+0.0005 0.01/1",
		"errors: margin 20% + 0.05%, p99 <= 1.2 * stable, success-rate >= 99%": "errors 1.2+0.0005 0.01/3, " +
			"p99 1.2*0.99 1.2+0.0005 0.01/3, success-rate 1.2+0.0005 0.01/3 at most 0.01",
		"errors: warm-up 30s":       "errors 1.2+0.0005 0.01/1 warm-up 30s",
		"errors: warm-up 1m30s":     "errors 1.2+0.0005 0.01/1 warm-up 1m30s",
		"errors: warm-up 0s":        "errors 1.2+0.0005 0.01/1 warm-up -1ns",
		"error-rate < 0.1%: strict": "error-rate 1.2+0.0005 0.01/1 at most 0.001 strict",
		"p50 <= 1s":                 "p50 0*0.5 1.2+0.0005 0.01/1 at most 0.5 1s",
		"p99 <= 500ms, p99":         "p99 0*0.99 1.2+0.0005 0.01/2 at most 0.01 0.5s, p99 1.2*0.99 1.2+0.0005 0.01/2",
		`{metrics: [{name: success-rate, condition: ">= 99.9%", strict: true, falseAlarm: 0.1%}]}`: "success-rate " +
			"1.2+0.0005 0.001/1 at most 0.001 strict",
		`{metrics: [{name: errors, atMost: 1%, strict: true}]}`: "errors 1.2+0.0005 0.01/1 at most 0.01 strict",
		`{metrics: [{name: errors, margin: 30% + 1%, falseAlarm: 2%}, {name: p50, condition: "<= 1.1 * stable"}]}`: "errors 1.3+0.01 0.02/2, " +
			"p50 1.1*0.5 1.2+0.0005 0.01/2",
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			a, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range a.Metrics {
				if m.compared == nil {
					got = append(got, fmt.Sprintf("%s %s", m.Name, m.Condition))
					continue
				}
				got = append(got, strings.Replace(fmt.Sprintf("%s %s", m.Name, m.compared.fingerprint()), "0*0 ", "", 1))
			}
			if got := strings.Join(got, ", "); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestParseLineErrors(t *testing.T) {
	for text, want := range map[string]string{
		"errors: margin":                                     `metric "errors": unknown option "margin"`,
		"errors: margin 20% + 0.05":                          `metric "errors": unknown option "+ 0.05"`,
		"errors: margin 1% margin 2%":                        "margin is there twice",
		"errors: false-alarm 50%":                            "the rate of false alarms is 0.5",
		"p99 <= 0.9 * stable":                                "0.9 * stable is better than stable",
		"p99 <= 1.2 * stable + 1%":                           "a percentage is for errors",
		"success-rate >= 1 * stable":                         `condition ">= 1 * stable"`,
		"auto, errors":                                       `metric "errors" is there twice`,
		"auto, p99 <= 1.2 * stable":                          `metric "p99" is there twice`,
		`{metrics: [{name: queue, query: up, margin: 20%}]}`: "margin, falseAlarm, atMost, strict and warmUp belong to",
		`{metrics: [{name: errors, query: up, condition: "<= 1.2 * stable"}]}`: "a query cannot be compared with stable",
		`{metrics: [{name: queue-length, condition: "<= 1.2 * stable"}]}`:      "cannot be compared with stable",
		`{metrics: [{name: success-rate, margin: 20%, condition: ">= 99%"}]}`:  "a condition has its limit in itself",
		"p99 <= 1s: at-most 1%":                                "a condition has its limit in itself",
		"p99 <= 1.2 * stable: strict":                          "a condition has its limit in itself",
		"p99 <= 1s, p99 <= 1s":                                 `metric "p99 <= 1s" is there twice`,
		"success-rate > 100%: strict":                          "options belong to a limit",
		"errors: strict":                                       "strict belongs to a limit",
		"errors: warm-up 1h":                                   `unknown option "warm-up 1h"`,
		"success-rate >= 99%: every hour":                      `unknown option "every hour"`,
		`{metrics: [{name: errors, margin: "20% and a bit"}]}`: "unknown option",
		`{metrics: [{name: errors, falseAlarm: "1"}]}`:         "unknown option",
		`{interval: 5s, metrics: [{name: p99, margin: 20% + 0.05%, cel: "true"}]}`: "margin, falseAlarm, atMost, strict and warmUp belong to",
		`{metrics: [{name: tasks, total: 'a{t="{{track}}"}'}]}`:                    "want total, and good or bad",
		`{metrics: [{name: tasks, good: 'a{t="{{track}}"}'}]}`:                     "want total, and good or bad",
		`{metrics: [{name: tasks, total: a, good: b, bad: c}]}`:                    "want total, and good or bad",
		`{metrics: [{name: tasks, total: a, good: b, condition: "> 1"}]}`:          "total belongs to good or bad",
		`{metrics: [{name: errors, total: a, good: b}]}`:                           "that of a built-in comparison",
		`{metrics: [{name: tasks, total: a, good: b, margin: "1"}]}`:               "unknown option",
		`{endWaits: true, metrics: [{name: p99, condition: "> 500ms"}]}`:           "endWaits is for comparisons",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		})
	}
}

// measured is the record after one measurement of text at now.
func measured(t *testing.T, f *traffic, text string, s rollout.Subject, now time.Time) (rollout.Measurement, record) {
	t.Helper()
	j := New(Providers{DefaultProvider: f}, nil, Options{Source: Traefik, Now: func() time.Time { return now }})
	r, err := j.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Measure(t.Context(), s)
	return m, decodeRecord(m.Evidence)
}

func TestWhatTheRecordKeeps(t *testing.T) {
	f := &traffic{stable: 90, canary: 10, stableShare: .01, badShare: .01, slowStable: .005, slowCanary: .005}
	s := subject()
	s.Weight, s.Since = 10, noon
	m, first := measured(t, f, "auto", s, noon.Add(61*time.Second))
	if m.Verdict != rollout.Pass {
		t.Fatalf("%s: %s", m.Verdict, m.Message)
	}
	if v := first.Metrics[errorsName].Evidence.Verdict(evidence.Rule{}); !v.ClumpKnown {
		t.Error("the hour before the rollout does not tell whether errors come in clumps")
	}
	if p99, p50 := first.Metrics["p99"].Limit, first.Metrics["p50"].Limit; p99 != "0.3" || p50 != sameLimit {
		t.Errorf("the limits are %q and %q: the histogram has one bound", p99, p50)
	}
	if len(m.Compared) != 2 || m.Compared[0].CanaryShare == 0 || m.Compared[0].AgainstEqual.Needs < 100 {
		t.Errorf("the numbers of the comparisons are %+v", m.Compared)
	}
	if m.Shown {
		t.Error("a minute cannot show that the canary is within the margin")
	}
	s.Evidence = m.Evidence
	if m, _ := measured(t, f, "auto", s, noon.Add(50*time.Minute)); m.Verdict != rollout.Pass || !m.Shown {
		t.Errorf("50 minutes do not show that the canary is well: %s", m.Message)
	}

	s.Weight, s.Since = 20, noon.Add(62*time.Second)
	if m, _ := measured(t, f, "auto", s, noon.Add(66*time.Second)); m.Verdict != rollout.Inconclusive {
		t.Errorf("a Pass of the weight before counts: %s", m.Message)
	}

	s.Weight, s.Since = 10, noon
	m, changed := measured(t, f, "errors: margin 50%", s, noon.Add(71*time.Second))
	if canary := changed.Metrics[errorsName].Evidence.Verdict(evidence.Rule{Ratio: 1.5}).CanaryCounts(); canary.Requests != 100 {
		t.Errorf("evidence for another margin counts: %s", m.Message)
	}

	quiet := &traffic{}
	s.Evidence = ""
	_, early := measured(t, quiet, "errors", s, noon.Add(6*time.Second))
	_, late := measured(t, quiet, "errors", s, noon.Add(61*time.Second))
	if early.Metrics[errorsName].Evidence != late.Metrics[errorsName].Evidence {
		t.Error("looks at nothing change the evidence")
	}
}

// A canary with all the traffic has no stable beside it: only a disaster, by what stable
// did before, fails it. Blue-green switches to this weight at once.
func TestCanaryWithAllTheTraffic(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		bad  float64
		want rollout.Verdict
		says string
	}{
		"as good as stable was": {"errors", .01, rollout.Pass, "and it has all the traffic: less than 10."},
		"a little worse":        {"errors", .04, rollout.Pass, "and it has all the traffic: less than 10."},
		"a disaster":            {"errors", .5, rollout.Fail, "more than 10."},
		"over a strict limit":   {"errors: at-most 2% strict", .04, rollout.Fail, "more than 2%"},
		"over the user's limit": {"success-rate >= 98%", .04, rollout.Fail, "success-rate 95.8%, want >= 98%: canary 4.2% errors of 3,500, " +
			"and it has all the traffic: more than 2%"},
		"a limit that stable did not keep": {"success-rate >= 99.5%", .04, rollout.Pass, "less than 10."},
		"as slow as stable was":            {"p50", .4, rollout.Pass, "less than 69.8"},
		"much slower":                      {"p50", .99, rollout.Fail, "more than 69.8"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &traffic{stable: 100, canary: 100, stableShare: .01, badShare: tt.bad, slowStable: .4, slowCanary: tt.bad, stableEnds: true}
			now := noon
			j := New(Providers{DefaultProvider: f}, nil, Options{Source: Traefik, Now: func() time.Time { return now }})
			r, err := j.Resolve(t.Context(), "shop", tt.text)
			if err != nil {
				t.Fatal(err)
			}
			s := subject()
			s.Weight, s.Since = 100, noon
			var m rollout.Measurement
			for now = noon.Add(6 * time.Second); now.Before(noon.Add(40 * time.Second)); now = now.Add(lookInterval) {
				m = r.Measure(t.Context(), s)
				s.Evidence = m.Evidence
			}
			if m.Verdict != tt.want || !strings.Contains(m.Message, tt.says) {
				t.Errorf("%s: %s; want %s: %s", m.Verdict, m.Message, tt.want, tt.says)
			}
		})
	}
}

// The namespaces that the operator has confined Prometheus to hold for comparisons too.
func TestComparisonsOfAConfinedProvider(t *testing.T) {
	for namespace, want := range map[string]rollout.Verdict{"shop": rollout.Pass, "bank": rollout.Error} {
		f := &traffic{stable: 90, canary: 10}
		providers := Providers{DefaultProvider: InNamespaces(f, []string{namespace})}
		j := New(providers, nil, Options{Source: Traefik, Now: func() time.Time { return noon.Add(time.Minute) }})
		r, err := j.Resolve(t.Context(), "shop", "errors")
		if err != nil {
			t.Fatal(err)
		}
		s := subject()
		s.Weight, s.Since = 10, noon
		if m := r.Measure(t.Context(), s); m.Verdict != want {
			t.Errorf("for namespace %s: %s: %s, want %s", namespace, m.Verdict, m.Message, want)
		}
	}
}

// A limit of its own counts where stable is within it. Where stable is over it too, that
// is said, and only a comparison can fail the canary.
func TestAtMost(t *testing.T) {
	checkWatched(t, map[string]watched{
		"within": {
			"errors: at-most 2%", traffic{stable: 90, canary: 10, stableShare: .002, badShare: .005}, rollout.Pass, "not more than 2%",
		},
		"over": {
			"errors: at-most 2%", traffic{stable: 90, canary: 10, stableShare: .002, badShare: .3}, rollout.Fail,
			"more than 2%, and worse than stable",
		},
		"strict": {
			"errors: at-most 2% strict", traffic{stable: 90, canary: 10, stableShare: .002, badShare: .3}, rollout.Fail, "more than 2%; a",
		},
		"stable is over it too": {
			"errors: at-most 2%", traffic{stable: 90, canary: 10, stableShare: .3, badShare: .3}, rollout.StableUnhealthy,
			"stable is unhealthy as well",
		},
	})
}

// watched is an analysis, the traffic that it judges, and what the last measurement says.
type watched struct {
	text string
	f    traffic
	want rollout.Verdict
	says string
}

// checkWatched watches each for three minutes.
func checkWatched(t *testing.T, all map[string]watched) {
	for name, tt := range all {
		t.Run(name, func(t *testing.T) {
			m, after := watch(t, &tt.f, tt.text, 3*time.Minute)
			if m.Verdict != tt.want || !strings.Contains(m.Message, tt.says) {
				t.Errorf("after %s %s: %s; want %s: %s", after, m.Verdict, m.Message, tt.want, tt.says)
			}
		})
	}
}

// A condition on a built-in metric that sets a limit is judged by counting, beside stable.
func TestLimits(t *testing.T) {
	checkWatched(t, map[string]watched{
		"within": {
			"success-rate >= 99%", traffic{stable: 90, canary: 10, stableShare: .001, badShare: .001}, rollout.Pass,
			"success-rate 100%, want >= 99%: canary 0% errors of",
		},
		"over": {
			"success-rate >= 99%", traffic{stable: 90, canary: 10, stableShare: .001, badShare: .05}, rollout.Fail,
			"more than 1%, and worse than stable; a healthy version would show this less than once in 100 rollouts",
		},
		"a burst that hits both": {
			"error-rate < 1%", traffic{stable: 90, canary: 10, stableShare: .2, badShare: .2}, rollout.StableUnhealthy,
			"stable is unhealthy as well",
		},
		"slow": {
			"p99 <= 300ms", traffic{stable: 90, canary: 10, slowStable: .001, slowCanary: .2}, rollout.Fail,
			"p99, want <= 300ms: canary 2",
		},
		"fast, and stable had no request before": {
			"p99 <= 300ms", traffic{stable: 0, canary: 10, slowCanary: .001}, rollout.Inconclusive, "the canary receives 100% of the traffic",
		},
		"a limit beyond the histogram": {
			"p99 <= 6s", traffic{stable: 90, canary: 10}, rollout.Inconclusive, "p99 <= 6s: not yet known, the histogram",
		},
		"a limit beside a comparison": {
			"p99 <= 300ms, p99", traffic{stable: 90, canary: 10, slowStable: .001, slowCanary: .001}, rollout.Pass, "; p99: canary",
		},
	})
}

// Comparisons of the same counters share their queries.
func TestSharedQueries(t *testing.T) {
	for text, want := range map[string]int{
		"errors": 1, "auto": 2, "auto, success-rate >= 99%, p99 <= 300ms, p50 <= 300ms": 2, "latency": 1,
	} {
		f := &traffic{stable: 90, canary: 10}
		watch(t, f, text, 20*time.Second)
		before := len(f.asked)
		watch(t, f, text, 16*time.Second) // at 6, 11 and 16 s: the past once, and then the looks
		if got := float64(len(f.asked)-before-want) / 2; got != float64(want) {
			t.Errorf("%s: %g queries for each measurement, want %d: %s", text, got, want, f.asked[before:])
		}
	}
}

// While stable has too few requests the past, a long answer, is looked at every 30 s.
func TestThePastIsAskedRarely(t *testing.T) {
	f := &traffic{}
	m, _ := watch(t, f, "p99", 2*time.Minute)
	if len(f.asked) < 4 || len(f.asked) > 5 || !strings.Contains(m.Message, "stable has too few requests in the metrics") {
		t.Errorf("%d queries in two minutes: %s", len(f.asked), m.Message)
	}
}
