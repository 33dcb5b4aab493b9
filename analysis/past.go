package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// maxTimes is about how many times one range query of a back-test asks. Prometheus answers
// about at most 11,000.
const maxTimes = 10_000

// Past is an analysis and the past of stable, as Prometheus knows it. A back-test judges
// the past by the rules that judge a rollout. It is for one goroutine.
type Past struct {
	judge    *Judge
	analysis Analysis
	subject  rollout.Subject
	series   sourceSeries
	asked    counterProvider
	maxTimes int // of one query; less than the constant where answers were too large
}

// Past returns the past of stable in s. Of the canary s needs only the names: they are in
// the queries.
func (r *Resolved) Past(s rollout.Subject) (*Past, error) {
	asked, err := r.judge.providers.countersOf(s)
	if err != nil {
		return nil, explainSilence(DefaultProvider, err)
	}
	series, _ := r.judge.options.Source.series() // own counters need none
	if s.CanaryReplicaSet == "" {
		s.CanaryReplicaSet = s.CanaryDeployment + "-0" // a hash has no 0, so no pod of stable is left out
	}
	return &Past{judge: r.judge, analysis: r.analysis, subject: s, series: series, asked: asked, maxTimes: maxTimes}, nil
}

// Comparisons are the names of the metrics that are compared with stable, in order.
func (p *Past) Comparisons() []string {
	var names []string
	for _, m := range comparisonsAmong(p.analysis.Metrics) {
		names = append(names, m.key())
	}
	return names
}

// ask returns the answer about from, from+step and so on until to, from as many queries as
// it takes. They are of one expression, so their answers join without a seam.
func (p *Past) ask(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	steps := int(to.Sub(from) / step)
	if steps < p.maxTimes {
		answer, err := p.asked.Range(ctx, query, from, to, step)
		if !errors.Is(err, provider.ErrTooLarge) || steps < 2 {
			return answer, err
		}
		p.maxTimes = steps
	}
	middle := from.Add(time.Duration(steps/2) * step)
	first, err := p.ask(ctx, query, from, middle, step)
	if err != nil {
		return nil, err
	}
	second, err := p.ask(ctx, query, middle.Add(step), to, step)
	return joinSeries(first, second), err
}

// joinSeries appends the points of later to the series with the same labels.
func joinSeries(series, later []provider.Series) []provider.Series {
	at := map[string]int{}
	for i, s := range series {
		at[fmt.Sprint(s.Labels)] = i // fmt sorts the keys of a map
	}
	for _, s := range later {
		if i, known := at[fmt.Sprint(s.Labels)]; known {
			series[i].Points = append(series[i].Points, s.Points...)
		} else {
			series = append(series, s)
		}
	}
	return series
}

// Counters are what stable has counted from an hour before one time until another.
type Counters struct {
	past    *Past
	answers map[string][]provider.Series // by metric
}

// Counters asks for the counters that rollouts between from and to need.
func (p *Past) Counters(ctx context.Context, from, to time.Time) (*Counters, error) {
	c := &Counters{past: p, answers: map[string][]provider.Series{}}
	asked := map[string][]provider.Series{} // by query
	g := gridBetween(gridBetween(from, from).from.Add(-history), to.Add(lookInterval))
	for _, m := range comparisonsAmong(p.analysis.Metrics) {
		query, err := m.compared.query(p.asked, p.series, p.subject, nil)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", m.key(), err)
		}
		if asked[query] == nil {
			if asked[query], err = p.ask(ctx, query, g.from, g.to(), g.step); err != nil {
				return nil, errors.New(unanswered(m.key(), explainSilence(DefaultProvider, err)).text)
			}
		}
		c.answers[m.key()] = asked[query]
	}
	return c, nil
}

// Replay is one comparison in a rollout of the past. A copy is independent of its
// original.
type Replay struct {
	Metric string

	// Unknown is why the comparison cannot judge. "": it can.
	Unknown string

	// Shared says that another comparison has the same limit and judges for both.
	Shared bool

	// Counts is what it counts, in plural, such as "errors" or "answers slower than 1.2s".
	Counts string

	// FalseAlarm is its share of the rate of false alarms that the user accepts.
	FalseAlarm float64

	// Allowed is the share of bad answers that a canary may have beside this stable, by the margin
	// or by the bound.
	Allowed float64

	// Stable is what stable did in each look of the rollout. A look without requests is no
	// look: scrapes are rarer than looks, or requests are.
	Stable []evidence.Counts

	// Clump is how many of the bad answers in Stable come together. The judge has its own
	// estimate, from the time before.
	Clump float64

	metric Metric
	judged judged
}

// Begin returns the comparisons as they stand when a rollout begins at a time, knowing
// what stable did in the hour before, as in a rollout of today. It must lie within c.
func (c *Counters) Begin(at time.Time, length time.Duration) ([]Replay, error) {
	var replays []Replay
	taken := map[string]bool{}
	begins := gridBetween(at, at).from
	for _, m := range comparisonsAmong(c.past.analysis.Metrics) {
		during := gridBetween(begins, begins.Add(length))
		r, err := m.replay(c.answers[m.key()], during, c.past.series, taken)
		if err != nil {
			return nil, err
		}
		taken[r.judged.Limit] = taken[r.judged.Limit] || m.compared.times > 0
		replays = append(replays, r)
	}
	return replays, nil
}

// Look is the time between two looks of a Replay.
const Look = lookInterval

func (m Metric) replay(answer []provider.Series, during grid, series sourceSeries, taken map[string]bool) (Replay, error) {
	r := Replay{
		Metric: m.key(), FalseAlarm: m.compared.rule.FalseAlarm / float64(max(m.compared.rule.Metrics, 1)), metric: m,
	}
	before := gridBetween(during.from.Add(-history), during.from)
	begun, err := m.compared.begin(cut(answer, before), before, series, taken)
	switch {
	case isUnknown(err):
		r.Unknown = err.Error()
		return r, nil
	case err != nil:
		return r, fmt.Errorf("metric %q: %w", m.key(), err)
	case begun.Limit == sameLimit:
		r.Shared, r.Unknown = true, "the histogram has no other bound than that of another metric, which judges for both"
		return r, nil
	}
	r.judged, r.Counts = *begun, m.compared.what(begun.Limit)
	looks := m.compared.looks(cut(answer, during), during, series, begun.Limit)
	for _, k := range looks {
		r.Stable = append(r.Stable, evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors})
	}
	rule := begun.rule(m.compared.rule)
	var own evidence.Evidence
	own.History(rule, stableOf(looks))
	r.Clump = own.Verdict(rule).Clump
	r.Allowed = allowed(rule, r.Stable)
	return r, nil
}

// allowed is the share of bad answers that a canary may have beside stable.
func allowed(rule evidence.Rule, stable []evidence.Counts) float64 {
	var sum evidence.Counts
	for _, c := range stable {
		sum.Requests += c.Requests
		sum.Errors += c.Errors
	}
	return rule.Allowed(sum.Share())
}

// cut is the part of series that lies in g.
func cut(series []provider.Series, g grid) []provider.Series {
	part := make([]provider.Series, len(series))
	for i, s := range series {
		first, _ := slices.BinarySearchFunc(s.Points, g.from, func(p provider.Point, t time.Time) int { return p.At.Compare(t) })
		end, _ := slices.BinarySearchFunc(s.Points, g.to().Add(1), func(p provider.Point, t time.Time) int { return p.At.Compare(t) })
		part[i] = provider.Series{Labels: s.Labels, Points: s.Points[first:end]}
	}
	return part
}

// Add judges the next look, and returns the verdict so far.
func (r *Replay) Add(k evidence.Look) rollout.Verdict {
	rule := r.judged.rule(r.metric.compared.rule)
	r.judged.add(rule, []evidence.Look{k})
	v := r.judged.Evidence.Verdict(rule)
	verdict := r.metric.compared.verdictOf(v)
	if verdict == rollout.Pass && r.metric.tooFew(v) {
		return rollout.Inconclusive
	}
	return verdict
}
