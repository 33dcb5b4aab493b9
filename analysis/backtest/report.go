package backtest

import (
	"math"
	"slices"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout"
)

// Report says what a judge did in simulated rollouts. Shares are from 0 to 1, durations in
// seconds.
type Report struct {
	From     time.Time `json:"from"` // when the first rollout began
	To       time.Time `json:"to"`   // when the last one ended
	Rollouts int       `json:"rollouts"`
	Length   float64   `json:"lengthSeconds"`
	Weight   float64   `json:"weight"`
	Inject   float64   `json:"inject"`
	Seed     uint64    `json:"seed"`

	Comparisons []*Comparison `json:"comparisons,omitempty"`

	// Together are the rollouts that all comparisons judge: the first that fails rolls back.
	// It has no rollouts where there is one comparison or none.
	Together *Comparison `json:"together,omitempty"`

	Conditions []*Condition `json:"conditions,omitempty"`
	Traffic    []Traffic    `json:"traffic,omitempty"`
}

// Traffic is how many requests stable had in a second, on average, in the rollout that
// began at a time.
type Traffic struct {
	At       time.Time `json:"at"`
	Requests float64   `json:"requestsPerSecond"`
}

// Comparison is what one comparison did.
type Comparison struct {
	Metric     string         `json:"metric"`
	Counts     []string       `json:"counts,omitempty"`     // what it counted; the limit may differ between rollouts
	FalseAlarm float64        `json:"falseAlarm,omitempty"` // the share of false alarms that the user accepts of it
	Allowed    float64        `json:"allowed,omitempty"`    // the share of bad answers that a canary may have, on average
	Rollouts   int            `json:"rollouts"`             // in which it judged
	NoRequests int            `json:"noRequests"`           // rollouts in which stable had no requests
	Unknown    map[string]int `json:"unknown,omitempty"`    // how many rollouts it could not judge, by reason

	Requests float64 `json:"requestsPerSecond"` // of stable
	Bad      float64 `json:"badShare"`          // of stable's requests
	Clump    float64 `json:"clump"`             // how many bad answers came together, on average

	Healthy  Healthy  `json:"healthy"`
	Injected Injected `json:"injected"`

	trials    []trial
	clumps    float64
	allowed   float64
	all, bads int64
}

// Healthy is what happened to canaries that were part of stable.
type Healthy struct {
	Fired   []time.Time `json:"rolledBack,omitempty"` // when the rollouts began that were rolled back
	Low     float64     `json:"low"`                  // of the 95% confidence interval of the share that is rolled back
	High    float64     `json:"high"`
	Passed  int         `json:"passed"`                       // rollouts that were a Pass at their end
	Unknown int         `json:"notYetKnown"`                  // rollouts that were neither a Pass nor a Fail at their end
	Median  float64     `json:"medianSecondsUntilPass"`       // 0: fewer than half of all had a Pass
	Slow    float64     `json:"percentile95SecondsUntilPass"` // 0: fewer than 95% had one
}

// Injected is what happened to canaries with bad answers injected from the beginning.
type Injected struct {
	Found  int     `json:"found"`               // rollouts that were rolled back
	Median float64 `json:"medianSeconds"`       // 0: fewer than half of all were
	Slow   float64 `json:"percentile95Seconds"` // 0: fewer than 95% were
	Bad    float64 `json:"bad"`                 // bad answers of the canary until then or until the end, on average

	// ByTime is the share that was rolled back until the end of each minute.
	ByTime []float64 `json:"foundByMinute"`
}

// Condition is what one condition said of stable.
type Condition struct {
	Metric    string `json:"metric"`
	Text      string `json:"condition"`
	NotTested string `json:"notTested,omitempty"` // why

	Interval     float64 `json:"intervalSeconds"`
	Limits       string  `json:"limits"` // how many Fail are tolerated
	Rollouts     int     `json:"rollouts"`
	Measurements int     `json:"measurements"`
	Broken       int     `json:"broken"`   // measurements that broke the condition
	NoNumber     int     `json:"noNumber"` // measurements without a number, or with too few requests

	// Fired is when the rollouts began that were rolled back.
	Fired []time.Time `json:"rolledBack,omitempty"`

	// How many rollouts would be with failureLimit 0, 1 and so on, and with
	// consecutiveFailureLimit 0, 1 and so on.
	ByLimit []int `json:"rolledBackByFailureLimit"`
	InARow  []int `json:"rolledBackByConsecutiveFailureLimit"`
}

// rows is how many values ByLimit and InARow have.
const rows = 5

func newReport(past *analysis.Past, o Options) Report {
	r := Report{Rollouts: len(o.At), Length: o.Length.Seconds(), Weight: o.Weight, Inject: o.Inject, Seed: o.Seed,
		Together: &Comparison{Metric: "all together"}}
	if len(o.At) > 0 {
		r.From, r.To = o.At[0], o.At[len(o.At)-1].Add(o.Length)
	}
	for _, name := range past.Comparisons() {
		r.Comparisons = append(r.Comparisons, &Comparison{Metric: name})
	}
	for _, m := range past.Conditions() {
		r.Conditions = append(r.Conditions, &Condition{
			Metric: m.Name, Text: m.Text(), Interval: past.Interval(m).Seconds(), Limits: past.Limits(m),
			ByLimit: make([]int, rows), InARow: make([]int, rows),
		})
	}
	return r
}

// note adds one rollout.
func (c *Comparison) note(t trial, r analysis.Replay) {
	switch {
	case r.Unknown != "":
		if c.Unknown == nil {
			c.Unknown = map[string]int{}
		}
		c.Unknown[r.Unknown]++
		return
	case t.requests == 0:
		c.NoRequests++
		return
	}
	c.Rollouts++
	c.FalseAlarm = r.FalseAlarm
	c.all += t.requests
	c.bads += t.bad
	c.clumps += r.Clump
	c.allowed += r.Allowed
	if r.Counts != "" && !slices.Contains(c.Counts, r.Counts) {
		c.Counts = append(c.Counts, r.Counts)
	}
	c.trials = append(c.trials, t)
}

// finish makes numbers of the rollouts.
func (c *Comparison) finish(length time.Duration) {
	if c.Rollouts == 0 {
		return
	}
	c.Requests = perSecond(c.all, length) / float64(c.Rollouts)
	c.Bad = float64(c.bads) / float64(c.all)
	c.Clump = c.clumps / float64(c.Rollouts)
	c.Allowed = c.allowed / float64(c.Rollouts)
	var passed, found []int
	for _, t := range c.trials {
		passed, found = append(passed, t.healthy.firstPass), append(found, t.broken.failed)
		c.Injected.Bad += float64(t.broken.bad) / float64(c.Rollouts)
		switch {
		case t.healthy.failed > 0:
			c.Healthy.Fired = append(c.Healthy.Fired, t.at)
		case t.healthy.last == rollout.Pass:
			c.Healthy.Passed++
		default:
			c.Healthy.Unknown++
		}
		if t.broken.failed > 0 {
			c.Injected.Found++
		}
	}
	c.Healthy.Low, c.Healthy.High = wilson(len(c.Healthy.Fired), c.Rollouts)
	c.Healthy.Median, c.Healthy.Slow = quantile(passed, 0.5), quantile(passed, 0.95)
	c.Injected.Median, c.Injected.Slow = quantile(found, 0.5), quantile(found, 0.95)
	for minute := time.Minute; minute <= length; minute += time.Minute {
		c.Injected.ByTime = append(c.Injected.ByTime, shareUntil(found, int(minute/analysis.Look)))
	}
}

func perSecond(requests int64, length time.Duration) float64 {
	return float64(requests) / length.Seconds()
}

// shareUntil is the share of looks that are not never, which is 0, and at most end.
func shareUntil(looks []int, end int) float64 {
	count := 0
	for _, look := range looks {
		if look > 0 && look <= end {
			count++
		}
	}
	return float64(count) / float64(len(looks))
}

// quantile returns the seconds after which the share q of all had come. 0: fewer had.
//
// Example: of the looks 3, 5, 0 (never) the median is 5 looks, which is 25 s, and there is no
// 95%.
func quantile(looks []int, q float64) float64 {
	sorted := slices.Clone(looks)
	for i, look := range sorted {
		if look == 0 {
			sorted[i] = math.MaxInt
		}
	}
	slices.Sort(sorted)
	at := sorted[int(math.Ceil(q*float64(len(sorted))))-1]
	if at == math.MaxInt {
		return 0
	}
	return float64(at) * analysis.Look.Seconds()
}

// wilson is the 95% confidence interval of a share, by Wilson's score.
//
// Example: 0 of 720 are 0 to 0.53%, 7 of 720 are 0.47% to 1.99%.
func wilson(count, of int) (low, high float64) {
	const z = 1.959964
	n := float64(of)
	p := float64(count) / n
	middle := p + z*z/(2*n)
	away := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	whole := 1 + z*z/n
	low, high = (middle-away)/whole, (middle+away)/whole
	if count == 0 {
		low = 0 // and not what rounding leaves
	}
	if count == of {
		high = 1
	}
	return low, high
}

// note adds the measurements of one rollout.
func (c *Condition) note(at time.Time, m analysis.Measured) {
	broken, row, longest, none := 0, 0, 0, 0
	for _, v := range m.Verdicts {
		switch v {
		case rollout.Fail:
			broken++
			row++
			longest = max(longest, row)
		case rollout.Pass:
			row = 0
		case rollout.Inconclusive, rollout.StableUnhealthy, rollout.Error: // they neither count nor end a row
			none++
		}
	}
	c.Measurements += len(m.Verdicts)
	c.Broken += broken
	c.NoNumber += none
	if none < len(m.Verdicts) {
		c.Rollouts++
	}
	if m.RolledBack {
		c.Fired = append(c.Fired, at)
	}
	for i := range rows {
		if broken > i {
			c.ByLimit[i]++
		}
		if longest > i {
			c.InARow[i]++
		}
	}
}
