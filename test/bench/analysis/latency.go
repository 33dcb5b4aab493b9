package analysis

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/headgate/headgate/analysis/evidence"
)

// A request takes a time that is lognormal: 80 ms in the middle, 408 ms for 1 in 100.
const (
	middleSeconds = 0.080
	spread        = 0.7
	slowBurst     = 3.0 // times, on both tracks, for 60 s
)

// The bounds of a histogram that Headgate looks at are those of Traefik nearest to stable's
// p50 and p99. The others compare the exact p99 with 500 ms, as Flagger does by default: it is
// above if more than 1 in 100 requests take longer.
var bounds = []float64{0.1, 0.3, 0.5}

// over is the share of requests that take longer than a bound.
func over(bound, times float64) float64 {
	return 1 - distuv.UnitNormal.CDF(math.Log(bound/(middleSeconds*times))/spread)
}

// slow is a service and how many times slower its canary is.
type slow struct {
	Service
	times float64
}

// latencies makes the looks for each bound.
type latencies struct {
	*stream
	times float64
}

func (l *latencies) next(weight float64) []evidence.Look {
	times := 1.0
	if l.Kind == Burst && (within(l.look, l.burst, inMinute) || within(l.look, l.before, inMinute)) {
		times = slowBurst
	}
	looks := make([]evidence.Look, len(bounds))
	for i, count := range l.track(1-weight, times) {
		looks[i].StableRequests, looks[i].StableErrors = count.Requests, count.Errors
	}
	for i, count := range l.track(weight, times*l.times) {
		looks[i].CanaryRequests, looks[i].CanaryErrors = count.Requests, count.Errors
	}
	l.look++
	return looks
}

// track returns the requests over each bound. Those over a higher one are over a lower one.
func (l *latencies) track(share, times float64) []evidence.Counts {
	requests := l.poisson(lookSeconds * l.Traffic * share)
	counts := make([]evidence.Counts, len(bounds))
	left, above := requests, 1.0
	for i, bound := range bounds {
		p := over(bound, times)
		left = l.binomial(left, p/above)
		counts[i], above = evidence.Counts{Requests: requests, Errors: left}, p
	}
	return counts
}

// latencyRules are Headgate with two bounds, and the others with their one.
func latencyRules(history [][]evidence.Counts) []func(looks []evidence.Look) bool {
	rule := evidence.Rule{Metrics: 2}
	tests := make([]evidence.Evidence, 2)
	for i := range tests {
		tests[i].History(rule, history[i])
	}
	argo, flagger := argoRollouts.begin(nil), flagger.begin(nil)
	return []func([]evidence.Look) bool{
		func(looks []evidence.Look) bool {
			failed := false
			for i := range tests {
				tests[i].Add(rule, looks[i])
				failed = failed || tests[i].Verdict(rule).Outcome == evidence.Fail
			}
			return failed
		},
		func(looks []evidence.Look) bool { return argo.add(looks[2]) },
		func(looks []evidence.Look) bool { return flagger.add(looks[2]) },
	}
}

func (s slow) watch(runs int, seed uint64) []Result {
	names := []string{standard.Name, argoRollouts.Name, flagger.Name}
	outcomes := make([][]outcome, len(names))
	for i := range outcomes {
		outcomes[i] = make([]outcome, runs)
	}
	parallel(runs, func(run int) {
		l := &latencies{s.stream(seed, uint64(run)), s.times}
		history := make([][]evidence.Counts, len(bounds))
		for l.look = -inHour; l.look < 0; {
			for i, k := range l.next(0) {
				history[i] = append(history[i], evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors})
			}
		}
		rules := latencyRules(history)
		for look := 1; look <= inHour; look++ {
			looks := l.next(usual)
			for i, rule := range rules {
				if o := &outcomes[i][run]; o.looks == 0 && rule(looks) {
					o.looks = look
				}
			}
		}
	})
	results := make([]Result, len(names))
	for i, name := range names {
		results[i] = summarise(name, outcomes[i])
	}
	return results
}

func latencyTables(o Options) []Table {
	healthy := newTable("latency-healthy", "Versions that are as fast as stable, rolled back per 1,000: Headgate with two bounds, "+
		"Argo Rollouts and Flagger with p99 <= 500 ms (stable's p99 is 408 ms)")
	slower := newTable("latency", "Slower versions: seconds until they are rolled back, median / 95%, by the same three")
	traffics := []float64{10, 100, 1000}
	for _, t := range []*Table{healthy, slower} {
		t.Head = []string{"how slow"}
		for _, traffic := range traffics {
			t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
		}
	}
	for _, c := range []struct {
		name   string
		kind   Kind
		times  float64
		runs   int
		table  *Table
		format func([]Result) string
	}{
		{"as stable", Plain, 1, o.Runs / 2, healthy, perThousand},
		{"as stable; both 3 times as slow for 60 s", Burst, 1, o.Runs / 2, healthy, perThousand},
		{"1.05 times", Plain, 1.05, o.badRuns(), slower, seconds},
		{"1.1 times", Plain, 1.1, o.badRuns(), slower, seconds},
		{"1.25 times", Plain, 1.25, o.badRuns(), slower, seconds},
		{"1.5 times", Plain, 1.5, o.badRuns(), slower, seconds},
		{"2 times", Plain, 2, o.badRuns(), slower, seconds},
	} {
		row := []string{c.name}
		for _, traffic := range traffics {
			s := slow{Service{Kind: c.kind, Traffic: traffic}, c.times}
			row = append(row, c.table.cell(s.Service, s.watch(max(1, c.runs), o.Seed), c.format))
		}
		c.table.Rows = append(c.table.Rows, row)
	}
	return []Table{*healthy, *slower}
}
