package evidence

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// known has an hour of stable behind it, at 1,000 requests per look and 0.1% errors.
func known(rule Rule) Evidence {
	var e Evidence
	history := make([]Counts, 720)
	for i := range history {
		history[i] = Counts{1000, 1}
	}
	e.History(rule, history)
	return e
}

func add(e *Evidence, rule Rule, times int, k Look) Outcome {
	for range times {
		e.Add(rule, k)
	}
	return e.Verdict(rule).Outcome
}

var (
	good  = Look{900, 1, 100, 0}
	bad   = Look{900, 1, 100, 5}
	gross = Look{900, 1, 100, 50}
	burst = Look{900, 180, 100, 20}
	none  = Look{900, 1, 0, 0}
)

func TestOutcomes(t *testing.T) {
	hour, warm := 720, 12
	for name, c := range map[string]struct {
		rule Rule
		add  func(e *Evidence, rule Rule) Outcome
		want Outcome
	}{
		"no look":           {add: func(e *Evidence, r Rule) Outcome { return add(e, r, 0, good) }, want: Undecided},
		"no requests":       {add: func(e *Evidence, r Rule) Outcome { return add(e, r, hour, none) }, want: Undecided},
		"no disaster":       {add: func(e *Evidence, r Rule) Outcome { return add(e, r, 3, good) }, want: Cleared},
		"within the margin": {add: func(e *Evidence, r Rule) Outcome { return add(e, r, hour, good) }, want: Pass},
		"worse":             {add: func(e *Evidence, r Rule) Outcome { return add(e, r, warm+3, bad) }, want: Fail},
		"worse while warming up": {
			add: func(e *Evidence, r Rule) Outcome { return add(e, r, warm, Look{900, 1, 100, 3}) }, want: Undecided,
		},
		"perhaps worse": {
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, warm, good)
				return add(e, r, 3, Look{900, 1, 100, 2})
			}, want: Undecided,
		},
		"worse, without a warm-up": {
			rule: Rule{WarmUp: NoWarmUp},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, 3, bad) }, want: Fail,
		},
		"a disaster while warming up": {add: func(e *Evidence, r Rule) Outcome { return add(e, r, 4, gross) }, want: Fail},
		"one bad look": {
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, hour, good)
				if got := add(e, r, 1, Look{900, 1, 100, 100}); got == Fail {
					return got
				}
				return add(e, r, warm, good)
			}, want: Pass,
		},
		"both tracks have a burst": {
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, warm, good)
				return add(e, r, warm, burst)
			}, want: Cleared,
		},
		"both have a burst, with a strict bound": {
			rule: Rule{Bound: 0.01, Strict: true},
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, warm, good)
				return add(e, r, warm, burst)
			}, want: StableUnhealthy,
		},
		"both had a burst, with a strict bound": {
			rule: Rule{Bound: 0.01, Strict: true},
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, warm, good)
				add(e, r, warm, burst)
				return add(e, r, hour, good)
			}, want: Pass,
		},
		"worse than stable that is over the bound": {
			rule: Rule{Bound: 0.01, Strict: true},
			add: func(e *Evidence, r Rule) Outcome {
				add(e, r, warm, good)
				return add(e, r, warm, Look{900, 180, 100, 60})
			}, want: Fail,
		},
		"over a strict bound like stable before it": {
			rule: Rule{Bound: 0.0005, Strict: true},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, 10*hour, Look{0, 0, 1000, 1}) }, want: Fail,
		},
		"over a bound, no worse than stable": {
			rule: Rule{Bound: 0.015},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, hour, Look{100, 2, 100, 2}) }, want: StableUnhealthy,
		},
		"over a bound, stable has too few requests to tell": {
			rule: Rule{Bound: 0.01},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, warm+6, Look{1, 0, 1000, 30}) }, want: Undecided,
		},
		"over a strict bound, stable has too few requests to tell": {
			rule: Rule{Bound: 0.01, Strict: true},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, warm+6, Look{1, 0, 1000, 30}) }, want: Fail,
		},
		"worse than stable and within the margin": {
			add: func(e *Evidence, r Rule) Outcome { return add(e, r, hour, Look{90_000, 900, 10_000, 119}) }, want: Cleared,
		},
		"over a bound and worse than stable": {
			rule: Rule{Bound: 0.01},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, hour, bad) }, want: Fail,
		},
		"worse than stable and within a bound": {
			rule: Rule{Bound: 0.1},
			add:  func(e *Evidence, r Rule) Outcome { return add(e, r, hour, bad) }, want: Pass,
		},
		"slow on both tracks": { // half of all requests are over the median
			add: func(e *Evidence, r Rule) Outcome {
				*e = Evidence{}
				return add(e, r, 50, Look{900, 450, 100, 50})
			}, want: Pass,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := known(c.rule)
			if got := c.add(&e, c.rule); got != c.want {
				t.Errorf("the outcome is %v, want %v\n%+v", got, c.want, e.Verdict(c.rule))
			}
		})
	}
}

// No verdict rests on fewer than three looks, whatever they hold, and none on a canary
// without requests.
func TestFewLooksDecideNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t)
		e := known(rule)
		withCanary := 0
		for range 20 {
			k := drawLook(t)
			if k.CanaryRequests > 0 {
				withCanary++
			}
			e.Add(rule, k)
			switch got := e.Verdict(rule).Outcome; {
			case got == Fail && withCanary < 3, (got == Cleared || got == Pass) && withCanary < 2:
				t.Fatalf("%v after %d looks with requests of the canary", got, withCanary)
			}
		}
	})
}

func TestNewWeight(t *testing.T) {
	rule := Rule{}
	e := known(rule)
	add(&e, rule, 720, good)
	before := e.Verdict(rule)
	if before.Outcome != Pass || before.CanaryTraffic() != 0.1 {
		t.Fatalf("before: %+v", before)
	}
	e.NewWeight()
	after := e.Verdict(rule)
	if after.Outcome != Undecided || after.AtWeight != (Look{}) || after.CanaryTraffic() != 0 {
		t.Errorf("the new weight has what the old one had: %+v", after)
	}
	if after.Equal != before.Equal || after.Margin != before.Margin || after.Total != before.Total {
		t.Errorf("evidence against the canary is lost: %+v, want %+v", after, before)
	}
	if got := add(&e, rule, 1, good); got != Undecided {
		t.Errorf("after one look at the new weight, the outcome is %v", got)
	}
	add(&e, rule, 10, bad)
	e.NewWeight()
	if got := add(&e, rule, 720, good); got != Fail {
		t.Errorf("a failed canary has the outcome %v at another weight", got)
	}
}

func TestNumbersOfVerdict(t *testing.T) {
	rule := Rule{FalseAlarm: 0.02, Metrics: 3}
	e := known(rule)
	add(&e, rule, 2, bad)
	v := e.Verdict(rule)
	if v.Equal.Threshold != 150 || v.Margin.Threshold != 30 || v.Absolute.Threshold != 0 || v.Passing.Threshold != 20 {
		t.Errorf("thresholds: %+v", v)
	}
	if v.StableCounts() != (Counts{1800, 2}) || v.CanaryCounts() != (Counts{200, 10}) || v.CanaryCounts().Share() != 0.05 {
		t.Errorf("counts: %+v", v.Total)
	}
	if !v.WarmingUp || !v.ClumpKnown || v.Clump != 1 || math.Abs(v.Level-0.001) > 1e-4 {
		t.Errorf("warming up %v, clump %v (known %v), level %v", v.WarmingUp, v.Clump, v.ClumpKnown, v.Level)
	}
	add(&e, rule, 10, bad)
	if e.Verdict(rule).WarmingUp {
		t.Error("the warm-up takes more than 60 s")
	}
	if bound := (Rule{Bound: 0.01}); e.Verdict(bound).Absolute.Threshold != 100 {
		t.Errorf("threshold of a bound: %+v", e.Verdict(bound).Absolute)
	}
}

// Many metrics share the rate of false alarms: each needs more evidence.
func TestMoreMetricsNeedMoreEvidence(t *testing.T) {
	looks := func(metrics int) int {
		rule := Rule{Metrics: metrics, WarmUp: NoWarmUp}
		e := known(rule)
		for looks := 1; ; looks++ {
			if add(&e, rule, 1, Look{900, 1, 100, 1}) == Fail {
				return looks
			}
		}
	}
	if one, ten := looks(1), looks(10); ten <= one {
		t.Errorf("one metric fails after %d looks, one of ten after %d", one, ten)
	}
}

func TestInvalidLooksAreLeftOut(t *testing.T) {
	var e Evidence
	for _, k := range []Look{{-1, 0, 1, 0}, {1, 2, 1, 0}, {1, 0, 1, 2}, {1, 0, 1, -1}} {
		e.Add(Rule{}, k)
	}
	e.History(Rule{}, []Counts{{1, 2}, {-1, 0}, {1, -1}})
	if e != (Evidence{}) {
		t.Errorf("evidence is %+v", e)
	}
}

// The warm-up takes a minute from the first request on, whatever the traffic.
func TestWarmUp(t *testing.T) {
	rule := Rule{}
	e := known(rule)
	for _, c := range []struct {
		look  Look
		times int
		want  bool
	}{{none, 100, true}, {good, 1, true}, {none, 10, true}, {none, 1, false}} {
		if add(&e, rule, c.times, c.look); e.Verdict(rule).WarmingUp != c.want {
			t.Errorf("after %d times %v: warming up %v, want %v", c.times, c.look, !c.want, c.want)
		}
	}
}

// Where the limit is 1 or more, no canary is beyond it, and none can be bet on.
func TestNobodyIsBeyondAll(t *testing.T) {
	if logs := (line{1.2, 0}).beyond(nil, Look{900, 800, 100, 100}, 0.9); logs != nil {
		t.Errorf("the factors are %v", logs)
	}
}

// Longer intervals hold more requests each. What is expected over time stays.
func TestIntervals(t *testing.T) {
	short, long := Rule{}.withDefaults(), Rule{Interval: 15 * time.Second}.withDefaults()
	if short.warmUpLooks() != 12 || long.warmUpLooks() != 4 {
		t.Errorf("the warm-up takes %d and %d looks, want 12 and 4", short.warmUpLooks(), long.warmUpLooks())
	}
	if math.Abs(math.Pow(short.keep(), 3)-long.keep()) > 1e-12 {
		t.Errorf("three short looks keep %v, a long one %v", math.Pow(short.keep(), 3), long.keep())
	}
	if short.spent() != 1./240 || long.spent() != 1./80 {
		t.Errorf("the reserve spends %v and %v", short.spent(), long.spent())
	}
}

func TestClumpsAreFound(t *testing.T) {
	var e Evidence
	e.History(Rule{}, slices.Repeat([]Counts{{1000, 1}}, 10))
	if v := e.Verdict(Rule{}); v.Clump != unknownClump || v.ClumpKnown {
		t.Errorf("after 10 looks: %v, known %v", v.Clump, v.ClumpKnown)
	}
	var young Evidence
	young.History(Rule{}, []Counts{{1000, 10}, {1000, 0}, {1000, 10}, {1000, 0}})
	if v := young.Verdict(Rule{}); !(v.Clump > unknownClump) || v.ClumpKnown {
		t.Errorf("after the first clumps of 10 errors: %v, known %v", v.Clump, v.ClumpKnown)
	}
	e.History(Rule{}, slices.Repeat([]Counts{{1000, 10}, {1000, 0}}, 300))
	if v := e.Verdict(Rule{}); !(v.Clump > 8 && v.Clump < 12) {
		t.Errorf("10 errors in every second look are clumps of %v", v.Clump)
	}
}

// The largest values are left out, 1 in 100, as if all of them were kept and sorted.
func TestOutliersAreLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		values := make([]float64, rapid.IntRange(1, 1099).Draw(t, "pairs"))
		for i := range values {
			values[i] = 100 * random.ExpFloat64()
		}
		var c clumps
		for _, v := range values {
			c.note(v)
		}
		slices.Sort(values)
		kept := values[:len(values)-len(values)/100]
		const prior = 20.0
		sum := prior
		for _, v := range kept {
			sum += v
		}
		want := max(1, sum/(prior+float64(len(kept))))
		if got := c.mean(prior); math.Abs(got-want) > 1e-4*want {
			t.Fatalf("the mean is %v, want %v", got, want)
		}
	})
}

func TestGrossLine(t *testing.T) {
	for _, c := range []struct {
		rule  Rule
		level float64
		want  float64
	}{
		{Rule{}, 0.01, 0.10},
		{Rule{}, 0.5, 0.75},
		{Rule{}, 0.99, 1.2*0.99 + 0.05}, // the margin is higher
		{Rule{Bound: 0.01}, 0.01, 0.11},
		{Rule{Ratio: 10, Points: 0.2}, 0.001, 0.21},
	} {
		if got := c.rule.withDefaults().gross(c.level).at(c.level); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v at %v: the gross line is %v, want %v", c.rule, c.level, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, rule := range map[string]Rule{
		"ratio":        {Ratio: 0.5},
		"points":       {Ratio: 1, Points: -1},
		"bound":        {Bound: 1},
		"false alarms": {FalseAlarm: math.NaN()},
		"metrics":      {Metrics: -1},
		"two looks":    {Interval: -1},
		"one look":     {Cap: 1},
	} {
		if err := rule.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: the error is %v, want one about %s", rule, err, name)
		}
	}
	for _, rule := range []Rule{{}, {Ratio: 1}, {Bound: 0.01, Strict: true}, {WarmUp: NoWarmUp}} {
		if err := rule.Check(); err != nil {
			t.Errorf("%+v: %v", rule, err)
		}
	}
}

// The shares are those of a binomial distribution and of an exact recursion.
func TestFalseAlarmsOfLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		got  float64
		want float64 // rounded to its digits
		unit float64
	}{
		{"1%, more than 0", FailureLimitAlarm(120, 0, 0.01), 0.70, 0.01},
		{"1%, more than 1", FailureLimitAlarm(120, 1, 0.01), 0.34, 0.01},
		{"1%, more than 3", FailureLimitAlarm(120, 3, 0.01), 0.033, 0.001},
		{"1%, more than 5", FailureLimitAlarm(120, 5, 0.01), 0.0014, 0.0001},
		{"1%, 2 in a row", ConsecutiveLimitAlarm(120, 2, 0.01), 0.012, 0.001},
		{"1%, 3 in a row", ConsecutiveLimitAlarm(120, 3, 0.01), 0.00012, 0.00001},
		{"5%, more than 3", FailureLimitAlarm(120, 3, 0.05), 0.86, 0.01},
		{"5%, 3 in a row", ConsecutiveLimitAlarm(120, 3, 0.05), 0.014, 0.001},
		{"5%, 5 in a row", ConsecutiveLimitAlarm(120, 5, 0.05), 0.00003, 0.00001},
		{"any reading", FailureLimitAlarm(120, -2, 0.01), 1, 1e-12},
		{"all readings", ConsecutiveLimitAlarm(3, 3, 0.5), 0.125, 1e-12},
	} {
		if math.Abs(c.got-c.want) > c.unit/2*1.001 {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestPairsCountWhatDiffers(t *testing.T) {
	var p Pairs
	p.Add(true, false)
	p.Add(false, true)
	p.Add(false, false)
	p.Add(true, true)
	if p != (Pairs{Worse: 1, Better: 1}) {
		t.Errorf("%+v", p)
	}
}

func TestIntervalsWithoutErrors(t *testing.T) {
	if got := ShareInterval(Counts{}, .05); got != (Interval{0, 1}) {
		t.Errorf("without requests, the share is in %v", got)
	}
	got := RatioInterval([]Look{{900, 9, 100, 0}}, .05)
	if got.Low != 0 || !(got.High > 1 && got.High < 100) {
		t.Errorf("without errors of the canary, the ratio is in %v", got)
	}
	if got := RatioInterval([]Look{{900, 0, 100, 9}}, .05); !(got.Low > 1) || !math.IsInf(got.High, 1) {
		t.Errorf("without errors of stable, the ratio is in %v", got)
	}
	if got := DifferenceBound(Rule{}, Counts{9000, 9}, []Look{good}, .01); got != 0 {
		t.Errorf("a good canary is %v worse", got)
	}
}
