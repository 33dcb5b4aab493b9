package analysis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

func pastOf(t *testing.T, p Provider, text string) *Past {
	t.Helper()
	j := New(Providers{DefaultProvider: p}, nil, Options{Source: Traefik})
	resolved, err := j.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	s := subject()
	s.Weight, s.CanaryReplicaSet = 10, "" // there is no canary
	past, err := resolved.Past(s)
	if err != nil {
		t.Fatal(err)
	}
	return past
}

func begin(t *testing.T, p *Past, at time.Time, length time.Duration) []Replay {
	t.Helper()
	counters, err := p.Counters(t.Context(), at, at.Add(length))
	if err != nil {
		t.Fatal(err)
	}
	replays, err := counters.Begin(at, length)
	if err != nil {
		t.Fatal(err)
	}
	return replays
}

// A back-test that is given the looks of a real canary fails it at the same look as the
// measurements of its rollout do.
func TestReplayJudgesAsARolloutIsJudged(t *testing.T) {
	f := &traffic{stable: 90, canary: 10, stableShare: 0.001, badShare: 0.03}
	last, after := watch(t, f, "errors", 10*time.Minute)
	if last.Verdict != rollout.Fail {
		t.Fatalf("the rollout is not rolled back: %+v", last)
	}
	const length = 10 * time.Minute
	p := pastOf(t, f, "errors")
	r := begin(t, p, noon, length)[0]
	answer, err := p.ask(t.Context(), "requests", noon, noon.Add(length), lookInterval)
	if err != nil {
		t.Fatal(err)
	}
	looks := comparison{}.looks(answer, gridBetween(noon, noon.Add(length)), p.series, "")
	for i, k := range looks {
		if stable := (evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors}); r.Stable[i] != stable {
			t.Fatalf("look %d has %+v, want %+v", i, r.Stable[i], stable)
		}
		if r.Add(k) == rollout.Fail {
			if at := time.Duration(i+1)*lookInterval + scrapeLag; at != after {
				t.Errorf("it fails after %v, the rollout after %v", at, after)
			}
			return
		}
	}
	t.Error("it does not fail")
}

func TestCopiesOfAReplayAreIndependent(t *testing.T) {
	r := begin(t, pastOf(t, &traffic{stable: 90, stableShare: 0.001}, "errors"), noon, time.Minute)[0]
	other := r
	for range 100 {
		other.Add(look(450, 0, 50, 50))
	}
	if got := r.Add(look(450, 0, 50, 0)); got == rollout.Fail {
		t.Error("what one copy is told fails the other")
	}
}

// p99 and p50 have the only bound of the histogram: one judges for both. allowed is of the
// margin 20% + 0.05%.
func TestReplaysOfLatency(t *testing.T) {
	replays := begin(t, pastOf(t, &traffic{stable: 90, slowStable: 0.01}, "latency"), noon, 10*time.Minute)
	p99, p50 := replays[0], replays[1]
	if p99.Counts != "answers slower than 300ms" || p99.Shared || !p50.Shared || p50.Unknown == "" {
		t.Errorf("%q, %v, %v, %q", p99.Counts, p99.Shared, p50.Shared, p50.Unknown)
	}
	if p99.FalseAlarm != evidence.DefaultFalseAlarm/2 || p99.Allowed < 0.011 || p99.Allowed > 0.0145 {
		t.Errorf("false alarms %v, allowed %v", p99.FalseAlarm, p99.Allowed)
	}
}

// A metric may be compared with stable and have a limit besides.
func TestComparisonsHaveNamesOfTheirOwn(t *testing.T) {
	p := pastOf(t, &traffic{stable: 90, slowStable: 0.01}, "p99, p99 <= 300ms, p99 > 1ms")
	if diff := cmp.Diff([]string{"p99", "p99 <= 300ms"}, p.Comparisons()); diff != "" {
		t.Errorf("comparisons (-want +got):\n%s", diff)
	}
	for i, r := range begin(t, p, noon, time.Minute) {
		if r.Metric != p.Comparisons()[i] || r.Shared {
			t.Errorf("%d: %s, shared: %v", i, r.Metric, r.Shared)
		}
	}
}

func TestAllowed(t *testing.T) {
	rule := evidence.Rule{Ratio: 1.2, Points: 0.0005}
	bound := evidence.Rule{Ratio: 1.2, Points: 0.0005, Bound: 0.02}
	strict := bound
	strict.Strict = true
	for name, tt := range map[string]struct {
		rule   evidence.Rule
		errors int64
		want   float64
	}{
		"the margin":                {rule, 10, 0.0125},
		"the bound":                 {bound, 10, 0.02},
		"stable is over the bound":  {bound, 30, 0.0365},
		"but the bound is a strict": {strict, 30, 0.02},
	} {
		got := allowed(tt.rule, []evidence.Counts{{Requests: 400, Errors: tt.errors}, {Requests: 600}})
		if got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// asked is a Prometheus that keeps the queries and has one number at each time.
type asked struct {
	traffic
	queries []string
	number  func(query string, at time.Time) float64
}

func (a *asked) Range(_ context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	a.queries = append(a.queries, query)
	var s provider.Series
	for at := from; !at.After(to); at = at.Add(step) {
		s.Points = append(s.Points, provider.Point{At: at, Value: a.number(query, at)})
	}
	return []provider.Series{s}, nil
}

// A built-in condition is about stable, and a canary at weight 10 has a tenth of its
// requests: 99 are too few for minRequests 10.
func TestConditionsAreMeasuredInStable(t *testing.T) {
	a := &asked{number: func(query string, at time.Time) float64 {
		switch {
		case !strings.HasPrefix(query, "histogram_quantile"):
			return map[int]float64{0: 99, 30: 100}[at.Second()]
		case at.Equal(noon.Add(90 * time.Second)):
			return 0.0005
		}
		return 0.3
	}}
	p := pastOf(t, a, "p99 > 1ms")
	got, err := p.Measure(t.Context(), p.Conditions()[0], noon, noon.Add(2*time.Minute+time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := Measured{
		Verdicts:   []rollout.Verdict{rollout.Pass, rollout.Inconclusive, rollout.Fail, rollout.Inconclusive},
		RolledBack: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
	for _, query := range a.queries {
		if strings.Contains(query, "-canary@") || !strings.Contains(query, `service="shop-shop-example-com-web-http@kubernetesingressnginx"`) {
			t.Errorf("asked %s", query)
		}
	}
}

func TestConditionsOfWhichNobodyKnowsThePast(t *testing.T) {
	const metrics = `
metrics:
- {name: smoke, provider: web, path: /ready, cel: status == 200}
- {name: load, query: 'load{rollout="{{rollout}}"}', condition: "< 1"}
- {name: cpu, condition: "<= 1.3 * stable"}`
	j := New(Providers{DefaultProvider: filled{}, "web": onlyNow{}}, nil, Options{})
	resolved, err := j.Resolve(t.Context(), "shop", metrics)
	if err != nil {
		t.Fatal(err)
	}
	p, err := resolved.Past(rollout.Subject{Namespace: "shop", Deployment: "web"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the provider web says nothing about the past: only a Prometheus does",
		"its query uses {{rollout}}, which has no value in this rollout",
		"it compares with stable, and here both are stable",
	}
	for i, m := range p.Conditions() {
		if _, err := p.Measure(t.Context(), m, noon, noon.Add(time.Hour)); err == nil || err.Error() != want[i] {
			t.Errorf("%v, want %s", err, want[i])
		}
	}
}

// The limits of a metric, its delay and its count are those of a rollout. The numbers are of
// every minute; the others of the analysis are measured every 30 s.
func TestConditionsHaveTheLimitsOfARollout(t *testing.T) {
	const f, p = rollout.Fail, rollout.Pass
	tests := map[string]struct {
		settings, limits string
		numbers          []float64
		verdicts         []rollout.Verdict
		rolledBack       bool
	}{
		"three in a row":   {"", "consecutiveFailureLimit 2", []float64{0, 9, 9, 9}, []rollout.Verdict{p, f, f, f}, true},
		"two in a row":     {"", "consecutiveFailureLimit 2", []float64{9, 9, 0, 9}, []rollout.Verdict{f, f, p, f}, false},
		"a limit in all":   {"failureLimit: 1", "failureLimit 1", []float64{9, 0, 9, 0}, []rollout.Verdict{f, p, f, p}, true},
		"before its delay": {"failureLimit: 0, initialDelay: 2m", "failureLimit 0", []float64{9, 0, 0, 0}, []rollout.Verdict{p, p, p}, false},
		"after its count":  {"failureLimit: 0, count: 2", "failureLimit 0", []float64{0, 0, 9, 9}, []rollout.Verdict{p, p}, false},
		"both limits": {
			"failureLimit: 3, consecutiveFailureLimit: 0", "failureLimit 3 and consecutiveFailureLimit 0",
			[]float64{9}, []rollout.Verdict{f}, true,
		},
		"that of all, once": {"", "failureLimit 3", []float64{9, 0}, []rollout.Verdict{f, p}, false},
		"that of all":       {"", "failureLimit 3", []float64{9, 9}, []rollout.Verdict{f, f}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := `{metrics: [{name: other, query: x, condition: "< 1"}, {name: load, query: load, condition: "< 5", interval: 1m, ` +
				tt.settings + `}]}`
			if strings.HasPrefix(name, "that of all") {
				text = "{failureLimit: 3, " + text[1:]
			}
			past := pastOf(t, &asked{number: func(_ string, at time.Time) float64 { return tt.numbers[int(at.Sub(noon)/time.Minute)-1] }}, text)
			load := past.Conditions()[1]
			got, err := past.Measure(t.Context(), load, noon, noon.Add(time.Duration(len(tt.numbers))*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Measured{tt.verdicts, tt.rolledBack}, got); diff != "" {
				t.Errorf("measured (-want +got):\n%s", diff)
			}
			if got := past.Limits(load); got != tt.limits || past.Interval(load) != time.Minute {
				t.Errorf("limits %q, interval %v", got, past.Interval(load))
			}
		})
	}
}

func TestConditionsHaveTheirOwnWindow(t *testing.T) {
	a := &asked{number: func(string, time.Time) float64 { return 0 }}
	p := pastOf(t, a, `{minRequests: 0, metrics: [{name: errors}, {name: p99, condition: "> 1ms", interval: 2m}]}`)
	if _, err := p.Measure(t.Context(), p.Conditions()[0], noon, noon.Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if query := a.queries[0]; !strings.Contains(query, "[2m]") {
		t.Errorf("asked %s", query)
	}
}

func TestPassesTakeTheRequestsThatTheUserWants(t *testing.T) {
	p := pastOf(t, &traffic{stable: 90, stableShare: 0.001}, "{metrics: [{name: errors, minRequests: 1000}]}")
	r := begin(t, p, noon, time.Minute)[0]
	for i := range 20 {
		want := rollout.Inconclusive
		if i == 19 {
			want = rollout.Pass
		}
		if got := r.Add(look(450, 0, 50, 0)); got != want {
			t.Fatalf("after %d requests: %s, want %s", 50*(i+1), got, want)
		}
	}
}

// Runs of agents are counted in the pods. All of them are stable's.
func TestPodsOfStableInThePast(t *testing.T) {
	a := &asked{number: func(string, time.Time) float64 { return 0 }}
	begin(t, pastOf(t, a, "agent-error-rate <= 5%"), noon, time.Minute)
	if query := a.queries[0]; !strings.Contains(query, `pod!~"web-canary-0-.+"`) {
		t.Errorf("asked %s", query)
	}
}

// filled is a Prometheus that fills in variables as the real one does.
type filled struct{ *traffic }

func (filled) Check(provider.Question) error { return nil }

func (filled) Selector(template string, s rollout.Subject) (string, error) {
	return provider.FillIn(template, s, provider.Verbatim)
}

// onlyNow is a provider that knows no past.
type onlyNow struct{}

func (onlyNow) Check(provider.Question) error { return nil }

func (onlyNow) Ask(context.Context, provider.Question, rollout.Subject) (provider.Answer, error) {
	return provider.Answer{}, nil
}
