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

// scrapeLag is how long a sample may take to arrive in Prometheus after its time.
const scrapeLag = time.Second

// maxLooks is how many looks one measurement takes, more than there are in five hours.
// Prometheus answers about at most 11,000 times.
const maxLooks = 4000

// counterProvider is a Provider of counters.
type counterProvider interface {
	// Range evaluates a query that Headgate wrote at from, from+step and so on until to.
	Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error)

	// CheckSelector says whether a template is a selector and nothing more.
	CheckSelector(template string) error

	// Selector fills in the variables of a template, and confines it to the namespace of s.
	Selector(template string, s rollout.Subject) (string, error)
}

// comparing is one measurement by comparison.
type comparing struct {
	counterProvider
	series  sourceSeries
	subject rollout.Subject
	record  *record
	grid    grid // of the looks that are not in the evidence yet
	metrics []Metric
	limits  []string // of the histogram, of all metrics
	asked   map[string][]provider.Series
	numbers []rollout.Compared
	shown   bool // every comparison so far has shown that the canary is well
}

// compare judges every comparison of a by what happened since the last measurement, and
// puts into measured what is to be stored and shown.
func (j *Judge) compare(
	ctx context.Context, a Analysis, s rollout.Subject, rec *record, settle func(Metric, finding) finding, measured *rollout.Measurement,
) []finding {
	c, err := j.beginComparing(s, rec)
	if err != nil {
		return []finding{unanswered("comparison", err)}
	}
	begun, findings := c.begin(ctx, comparisonsAmong(a.Metrics))
	if len(findings) > 0 {
		rec.restore(s)
		return findings
	}
	for _, b := range begun {
		found, err := c.judge(ctx, b, settle)
		if err != nil {
			rec.restore(s) // every metric looks at the same intervals, or none does
			return []finding{unanswered(b.metric.Name, err)}
		}
		findings = append(findings, found...)
	}
	rec.At = c.grid.to()
	measured.Compared, measured.Shown = c.numbers, c.shown
	return findings
}

func (j *Judge) beginComparing(s rollout.Subject, rec *record) (*comparing, error) {
	series, _ := j.options.Source.series() // own counters need none
	asked, err := j.providers.countersOf(s)
	if err != nil {
		return nil, explainSilence(DefaultProvider, err)
	}
	c := &comparing{
		counterProvider: asked, series: series, subject: s, record: rec, shown: true, asked: map[string][]provider.Series{},
	}
	c.grid = gridBetween(c.record.At, j.now().Add(-scrapeLag))
	c.grid.size = max(0, min(c.grid.size, maxLooks))
	return c, nil
}

// begun is a comparison and what is known of it.
type begun struct {
	metric  Metric
	known   *judged
	unknown string // why it is not known yet which answers are slow
}

// begin finds out what is known of each metric. What it finds is that nobody answers.
func (c *comparing) begin(ctx context.Context, metrics []Metric) ([]begun, []finding) {
	c.metrics = metrics
	var all []begun
	for _, m := range metrics {
		known, err := c.metric(ctx, m)
		switch {
		case isUnknown(err):
			all = append(all, begun{metric: m, unknown: err.Error()})
		case err != nil:
			return nil, []finding{unanswered(m.Name, err)}
		case known.Limit != sameLimit:
			all = append(all, begun{metric: m, known: known})
			if m.compared.needsLimit() {
				c.limits = append(c.limits, known.Limit)
			}
		}
	}
	slices.Sort(c.limits)
	c.limits = slices.Compact(c.limits)
	return all, nil
}

// judge adds to the evidence of a metric what happened since the last measurement.
func (c *comparing) judge(ctx context.Context, b begun, settle func(Metric, finding) finding) ([]finding, error) {
	m, known := b.metric, b.known
	if b.unknown != "" {
		c.shown = false
		return []finding{settle(m, finding{rollout.Inconclusive, m.key() + ": not yet known, " + b.unknown})}, nil
	}
	if err := c.look(ctx, m, known); err != nil {
		return nil, err
	}
	v := known.Evidence.Verdict(known.rule(m.compared.rule))
	c.shown = c.shown && v.Outcome == evidence.Pass
	c.numbers = append(c.numbers, numbersOf(m.key(), v))
	found := settle(m, c.find(m, known, v))
	if m.compared.own != nil { // what it counts need not be split as requests are
		return []finding{found}, nil
	}
	return append(findWrongShare(c.subject, v), found), nil
}

// missesRange is how often a range that is shown misses the true value.
const missesRange = 0.05

func numbersOf(name string, v evidence.Verdict) rollout.Compared {
	canary, stable := v.CanaryCounts(), v.StableCounts()
	return rollout.Compared{
		Metric: name, CanaryShare: canary.Share(), StableShare: stable.Share(),
		CanaryRange:   rollout.Range(evidence.ShareInterval(canary, missesRange)),
		StableRange:   rollout.Range(evidence.ShareInterval(stable, missesRange)),
		RatioRange:    rollout.Range(evidence.RatioInterval([]evidence.Look{v.Total}, missesRange)),
		AgainstEqual:  rollout.Evidence{Is: v.Equal.Evidence, Needs: v.Equal.Threshold},
		AgainstMargin: rollout.Evidence{Is: v.Margin.Evidence, Needs: v.Margin.Threshold},
	}
}

// look adds the looks that are not in the evidence yet.
func (c *comparing) look(ctx context.Context, m Metric, known *judged) error {
	if c.grid.size <= 0 {
		return nil
	}
	if err := c.beginAlone(ctx, m, known); err != nil {
		return err
	}
	answer, err := c.ask(ctx, m, c.grid, c.limits)
	if err != nil {
		return err
	}
	known.add(known.rule(m.compared.rule), m.compared.looks(answer, c.grid, c.series, known.Limit))
	return nil
}

// find is what follows from verdict v of m.
func (c *comparing) find(m Metric, known *judged, v evidence.Verdict) finding {
	found := m.compared.describe(m.Name, known.Limit, v)
	if v.AtWeight.CanaryRequests == 0 && found.verdict == rollout.Inconclusive {
		found.text += c.whyNone(v)
	}
	if known.Alone != nil && found.verdict != rollout.Fail {
		found = m.compared.describeAlone(m.Name, known)
	}
	if found.verdict == rollout.Pass && m.tooFew(v) {
		found = finding{rollout.Inconclusive, fmt.Sprintf("%s; too few requests at this weight: %d, want >= %d", found.text,
			v.AtWeight.CanaryRequests, m.settings.minRequests)}
	}
	return found
}

// tooFew says that the canary received too few requests at this weight for a Pass of m.
func (m Metric) tooFew(v evidence.Verdict) bool {
	return v.AtWeight.CanaryRequests < int64(m.settings.minRequests)
}

// whyNone is what may keep requests from the canary, or from the metrics.
func (c *comparing) whyNone(v evidence.Verdict) string {
	text := ""
	if c.subject.Weight == 0 {
		text = "; " + onlyMatching
	}
	if v.AtWeight.StableRequests == 0 {
		text += "; " + noneInMetrics(c.series)
	}
	return text
}

// ask returns how the counters of m stood at each time of g, for the bounds limits of a
// histogram. No limits: all bounds. Metrics with the same counters share one query: errors
// and success-rate, p99 and p50.
func (c *comparing) ask(ctx context.Context, m Metric, g grid, limits []string) ([]provider.Series, error) {
	query, err := m.compared.query(c.counterProvider, c.series, c.subject, limits)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprint(query, g.from, g.size)
	if answer, ok := c.asked[key]; ok {
		return answer, nil
	}
	answer, err := c.Range(ctx, query, g.from, g.to(), g.step)
	if err != nil {
		return nil, explainSilence(DefaultProvider, err)
	}
	c.asked[key] = answer
	return answer, nil
}

// past is ask about the hour before the looks that are not in the evidence yet.
func (c *comparing) past(ctx context.Context, m Metric, limits []string) ([]provider.Series, grid, error) {
	before := gridBetween(c.grid.from.Add(-history), c.grid.from)
	answer, err := c.ask(ctx, m, before, limits)
	return answer, before, err
}

// beginAlone is for a canary that has all the traffic from now on.
func (c *comparing) beginAlone(ctx context.Context, m Metric, known *judged) error {
	if c.subject.Weight < 100 || known.Alone != nil {
		return nil
	}
	answer, before, err := c.past(ctx, m, c.limits)
	if err != nil {
		return err
	}
	known.Alone = newAlone(known.rule(m.compared.rule), stableOf(m.compared.looks(answer, before, c.series, known.Limit)))
	return nil
}

// historyInterval is the time between two looks at the past while stable has too few
// requests in it. It is a long answer.
const historyInterval = 30 * time.Second

// asksForHistory says whether the past is to be looked at again.
func (c *comparing) asksForHistory() bool {
	return !c.grid.from.Truncate(historyInterval).Equal(c.grid.to().Truncate(historyInterval))
}

func isUnknown(err error) bool {
	_, is := errors.AsType[unknown](err)
	return is
}

// stableOf are the counts of stable in the looks that have any.
func stableOf(looks []evidence.Look) []evidence.Counts {
	var counts []evidence.Counts
	for _, k := range looks {
		if k.StableRequests > 0 {
			counts = append(counts, evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors})
		}
	}
	return counts
}

// sameLimit is the limit of a metric for which the histogram has no other bound than
// that of another metric, which judges for both.
const sameLimit = "="

// metric returns what is known of m. What stable did in the hour before the first look
// says which answers are slow, how many errors are usual, and whether they come in
// clumps.
func (c *comparing) metric(ctx context.Context, m Metric) (*judged, error) {
	if known := c.record.Metrics[m.key()]; known != nil && known.Comparison == m.compared.fingerprint() {
		return known, nil
	}
	if why := c.record.Waits[m.key()]; why != "" && !c.asksForHistory() {
		return nil, unknown(why)
	}
	answer, before, err := c.past(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	known, err := m.compared.begin(answer, before, c.series, c.taken(m))
	if err != nil {
		if isUnknown(err) {
			c.record.Waits[m.key()] = err.Error()
		}
		return nil, err
	}
	delete(c.record.Waits, m.key())
	c.record.Metrics[m.key()] = known
	return known, nil
}

// taken are the limits of other metrics that are compared with stable.
func (c *comparing) taken(m Metric) map[string]bool {
	taken := map[string]bool{}
	for _, other := range c.metrics {
		if known := c.record.Metrics[other.key()]; known != nil && other.compared.times > 0 && other.key() != m.key() {
			taken[known.Limit] = true
		}
	}
	return taken
}

// begin returns what the hour before a rollout says. taken are limits that other metrics
// have.
func (c comparison) begin(answer []provider.Series, before grid, series sourceSeries, taken map[string]bool) (*judged, error) {
	fresh := &judged{Comparison: c.fingerprint()}
	if c.needsLimit() {
		var err error
		if fresh.Limit, err = c.chooseLimit(answer, before); err != nil {
			return nil, err
		}
		if c.times > 0 && taken[fresh.Limit] {
			fresh.Limit = sameLimit
		}
	}
	looks := c.looks(answer, before, series, fresh.Limit)
	fresh.Every = looksPerScrape(looks)
	fresh.Evidence.History(fresh.rule(c.rule), stableOf(looks))
	return fresh, nil
}

// The share of the canary does not fit the weight where it is below half of it or above
// twice, and chance cannot be the cause: it is more than wrongShareDeviations standard
// deviations away.
//
// Example: weight 10, 1,000 requests: 100 are expected, with a standard deviation of 9.5.
// 49 do not fit, and neither do 201.
const wrongShareDeviations = 5

// findWrongShare says that the canary receives another share of the traffic than the
// weight says: sessions are pinned, or another Ingress sends traffic around the split.
func findWrongShare(s rollout.Subject, v evidence.Verdict) []finding {
	weight := float64(s.Weight) / 100
	requests := float64(v.AtWeight.StableRequests + v.AtWeight.CanaryRequests)
	if s.Matched || s.Weight <= 0 || requests == 0 {
		return nil
	}
	share := v.CanaryTraffic()
	away := (share - weight) * (share - weight) * requests
	fits := share >= weight/2 && (share <= 2*weight || share <= (1+weight)/2)
	if s.Weight == 100 {
		fits, away = share >= 0.9, requests
	}
	if fits || away < wrongShareDeviations*wrongShareDeviations*max(weight*(1-weight), 0.01) {
		return nil
	}
	return []finding{{rollout.Inconclusive, fmt.Sprintf("the canary receives %s of the traffic at weight %d%%: "+
		"look for sessions that a cookie pins, and for another Ingress or client that uses the Services", percent(share), s.Weight)}}
}
