package backtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout"
)

// 200 rollouts of services that are healthy fire at most at the rate that they may, and a
// fault of one point is found in all of them. Errors in clumps of ten take longer.
func TestHealthyServices(t *testing.T) {
	tests := map[string]struct {
		s                 service
		clumpLow, clumpUp float64
		slowest           time.Duration // of the medians
	}{
		"each error alone": {service{perSecond: 400, share: 0.002, time: 100 * time.Hour}, 1, 1.2, 2 * time.Minute},
		"errors in clumps": {service{perSecond: 400, share: 0.002, clump: 10, time: 100 * time.Hour}, 8, 12, 15 * time.Minute},
		"a controller begins": {
			service{perSecond: 400, share: 0.002, time: 100 * time.Hour, restarts: 10 * time.Minute}, 1, 1.3, 2 * time.Minute,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := tt.s.test(t, "errors").Comparisons[0]
			if c.Rollouts != 200 || len(c.Healthy.Fired) > 4 || c.Healthy.Passed < 196 {
				t.Errorf("%d rollouts, %d fired, %d passed", c.Rollouts, len(c.Healthy.Fired), c.Healthy.Passed)
			}
			if c.Clump < tt.clumpLow || c.Clump > tt.clumpUp {
				t.Errorf("clumps of %.2f, want %v to %v", c.Clump, tt.clumpLow, tt.clumpUp)
			}
			if i := c.Injected; i.Found < 190 || i.Median == 0 || i.Median > tt.slowest.Seconds() || i.Bad < 3 {
				t.Errorf("found %d, median %v s after %.1f bad answers", i.Found, i.Median, i.Bad)
			}
			if math.Abs(c.Bad-0.002) > 0.0003 || c.Requests < 396 || c.Requests > 400 {
				t.Errorf("%v of %v requests in a second are bad", c.Bad, c.Requests)
			}
		})
	}
}

// What a process counted before it was seen is not of any look.
func TestProcessThatJoins(t *testing.T) {
	s := service{perSecond: 100, share: 0.002, time: time.Hour, joins: 30 * time.Minute}
	r := s.test(t, "errors")
	if first, second := r.Traffic[0].Requests, r.Traffic[1].Requests; first != 100 || second != 200 {
		t.Errorf("%v and then %v requests in a second, want 100 and 200", first, second)
	}
}

func TestLatency(t *testing.T) {
	s := service{perSecond: 100, share: 0.002, slow: 0.004, time: 10 * time.Hour}
	r := s.test(t, "auto")
	if r.Together.Rollouts != 20 || r.Together.Injected.Found != 20 || len(r.Comparisons) != 3 {
		t.Fatalf("%+v", r.Together)
	}
	errs, p99, p50 := r.Comparisons[0], r.Comparisons[1], r.Comparisons[2]
	want := [][]string{{"errors"}, {"answers slower than 5s"}, {"answers slower than 500ms"}}
	if diff := cmp.Diff(want, [][]string{errs.Counts, p99.Counts, p50.Counts}); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if first := min(errs.Injected.Median, p99.Injected.Median, p50.Injected.Median); r.Together.Injected.Median > first {
		t.Errorf("together they take %v s, one alone %v", r.Together.Injected.Median, first)
	}
	if p50.Allowed < 0.0045 || p50.Allowed > 0.006 { // 1.2 * 0.4% + 0.05 points
		t.Errorf("%v are allowed", p50.Allowed)
	}
}

// p99 and p95 have the same limit: one of them judges for both, and holds no Pass back.
func TestSharedLimit(t *testing.T) {
	s := service{perSecond: 100, slow: 0.004, time: 2 * time.Hour}
	r := s.test(t, "p99, p95")
	if p95 := r.Comparisons[1]; p95.Rollouts != 0 || len(p95.Unknown) != 1 {
		t.Errorf("%+v", p95)
	}
	if r.Together.Rollouts != 4 || r.Together.Healthy.Passed != 4 {
		t.Errorf("%+v", r.Together)
	}
}

// The same seed chooses the same requests, however the past is asked.
func TestReportsRepeat(t *testing.T) {
	inOne := service{perSecond: 20, share: 0.01, time: 15 * time.Hour}
	inMany := inOne
	inMany.largest = 1500
	first, second := inOne.test(t, "errors"), inMany.test(t, "errors")
	if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(Comparison{})); diff != "" {
		t.Errorf("in small answers (-large +small):\n%s", diff)
	}
	if inMany.asked < 3*inOne.asked {
		t.Errorf("%d queries instead of %d", inMany.asked, inOne.asked)
	}
}

func TestCanaryWithoutEnoughRequests(t *testing.T) {
	s := service{perSecond: 0.4, share: 0.01, slow: 0.01, time: 10 * time.Hour}
	c := s.test(t, "errors").Comparisons[0]
	if c.Injected.Found > 2 || c.Injected.Median != 0 || c.Healthy.Unknown == 0 {
		t.Errorf("%+v %+v", c.Healthy, c.Injected)
	}
}

// The queue has the minute of the hour: in the first half of it no number is over 31, in the
// second half those of 28 minutes are. Each has two measurements.
func TestConditions(t *testing.T) {
	s := service{perSecond: 10, time: 2 * time.Hour}
	c := s.test(t, `{metrics: [{name: queue, query: queue, condition: "< 32"}]}`).Conditions[0]
	want := &Condition{
		Metric: "queue", Text: "< 32", Interval: 30, Limits: "consecutiveFailureLimit 2", Rollouts: 4, Measurements: 240, Broken: 2 * 28 * 2,
		Fired: []time.Time{noon.Add(30 * time.Minute), noon.Add(90 * time.Minute)}, ByLimit: []int{2, 2, 2, 2, 2}, InARow: []int{2, 2, 2, 2, 2},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
}

func TestNoteOfACondition(t *testing.T) {
	c := Condition{ByLimit: make([]int, rows), InARow: make([]int, rows)}
	const f, p, n = rollout.Fail, rollout.Pass, rollout.Inconclusive
	c.note(noon, analysis.Measured{Verdicts: []rollout.Verdict{f, f, p, f, n, f, f, p}, RolledBack: true})
	c.note(noon.Add(time.Hour), analysis.Measured{Verdicts: []rollout.Verdict{p, f, p}})
	c.note(noon.Add(2*time.Hour), analysis.Measured{Verdicts: []rollout.Verdict{n, n}})
	want := Condition{
		Rollouts: 2, Measurements: 13, Broken: 6, NoNumber: 3, Fired: []time.Time{noon},
		ByLimit: []int{2, 1, 1, 1, 1}, InARow: []int{2, 1, 1, 0, 0},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		s    service
		text string
		want string
	}{
		"Prometheus is silent": {service{silent: true, time: time.Hour}, "errors", "Prometheus does not answer: connection refused"},
		"no requests":          {service{time: time.Hour}, "auto", "nothing can be tested: stable has no requests in Prometheus "},
		"too few requests": { // 72 in an hour
			service{perSecond: 0.02, slow: 0.01, time: time.Hour}, "p99",
			"nothing can be tested: p99: stable has too few requests in the metrics to tell which answers are slow",
		},
		"nor to a query": {
			service{silent: true, time: time.Hour}, `{metrics: [{name: queue, query: queue, condition: "> 0"}]}`,
			"nothing can be tested: queue > 0: not tested: Prometheus does not answer: connection refused",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.s.run(t, tt.text); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestHourly(t *testing.T) {
	got := Hourly(noon, noon.Add(150*time.Minute), time.Hour, 30*time.Minute)
	if diff := cmp.Diff([]time.Time{noon, noon.Add(time.Hour), noon.Add(2 * time.Hour)}, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

// All comparisons judge one rollout: the first that fails rolls back, and the last Pass counts.
func TestJoin(t *testing.T) {
	const f, p, n = rollout.Fail, rollout.Pass, rollout.Inconclusive
	tests := map[string]struct{ a, b, want course }{
		"both pass":         {course{firstPass: 3, last: p}, course{firstPass: 5, last: p}, course{firstPass: 5, last: p}},
		"one has no Pass":   {course{firstPass: 3, last: p}, course{last: n}, course{last: n}},
		"the other has not": {course{last: n}, course{firstPass: 3, last: p}, course{last: n}},
		"one fails":         {course{firstPass: 3, last: p}, course{failed: 7, last: f}, course{failed: 7, last: f}},
		"the earlier fails": {course{failed: 4, last: f}, course{failed: 7, last: f}, course{failed: 4, last: f}},
		"a Fail is worse":   {course{failed: 4, last: f}, course{last: n}, course{failed: 4, last: f}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var both trial
			both.join(trial{healthy: tt.a})
			both.join(trial{healthy: tt.b})
			if both.healthy != tt.want {
				t.Errorf("%+v, want %+v", both.healthy, tt.want)
			}
		})
	}
}
