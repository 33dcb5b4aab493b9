package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Conditions are the metrics with a condition. A back-test measures them in stable.
func (p *Past) Conditions() []Metric {
	return slices.DeleteFunc(slices.Clone(p.analysis.Metrics), Metric.isComparison)
}

// Interval is the time between two measurements of m.
func (p *Past) Interval(m Metric) time.Duration {
	return cmp.Or(m.settings.interval, p.analysis.Plan.Interval)
}

// Limits says how many Fail of m are tolerated, in the words of the YAML form.
func (p *Past) Limits(m Metric) string {
	var limits []string
	if m.settings.failures != nil {
		limits = append(limits, fmt.Sprintf("failureLimit %d", *m.settings.failures))
	}
	if m.settings.consecutive != nil {
		limits = append(limits, fmt.Sprintf("consecutiveFailureLimit %d", *m.settings.consecutive))
	}
	if len(limits) == 0 {
		return fmt.Sprintf("failureLimit %d", p.analysis.Plan.FailureLimit)
	}
	return strings.Join(limits, " and ")
}

// Text is the condition as the user wrote it.
func (m Metric) Text() string {
	if m.Asked.cel != nil {
		return m.Asked.cel.String()
	}
	return m.Condition.String()
}

// Measured is what one condition said in one rollout of the past.
type Measured struct {
	// Verdicts are those of its measurements, in order, before any limit.
	Verdicts []rollout.Verdict

	// RolledBack says that more of them failed than the limits tolerate.
	RolledBack bool
}

// Measure evaluates the condition of m as if stable was the canary of a rollout that began
// at from.
//
// It sees all requests of stable. A canary has fewer, so its numbers move more. And a query
// that compares the canary with stable compares stable with itself.
func (p *Past) Measure(ctx context.Context, m Metric, from, to time.Time) (Measured, error) {
	interval := p.Interval(m)
	count := int(to.Sub(from) / interval)
	if count < 1 {
		return Measured{}, nil
	}
	first, last := from.Add(interval), from.Add(time.Duration(count)*interval)
	query, asked, err := p.queryFor(m)
	if err != nil {
		return Measured{}, err
	}
	answer, err := asked.ask(ctx, query, first, last, interval)
	if err != nil {
		return Measured{}, errors.New(unanswered(m.Name, explainSilence(m.providerName(), err)).text)
	}
	enough, err := p.enoughRequests(ctx, m, first, last, count)
	if err != nil {
		return Measured{}, err
	}
	return p.judgeNumbers(m, from, numbersAt(answer, first, interval, count), enough), nil
}

// judgeNumbers evaluates the condition of m at the end of each interval. enough is nil, or
// says whether there were enough requests.
func (p *Past) judgeNumbers(m Metric, from time.Time, numbers [][]float64, enough []bool) Measured {
	var measured Measured
	interval, failed := p.Interval(m), 0
	// What a metric said counts again with each measurement of others until it is asked again.
	again := max(1, int(interval/p.analysis.Plan.Interval))
	rec := record{Begun: from, Since: from, Tallies: map[string]*tally{}}
	for i := range numbers {
		now := from.Add(time.Duration(i+1) * interval)
		found := rec.standing(m)
		switch {
		case !rec.due(m, now):
		case enough != nil && !enough[i]:
			found = finding{verdict: rollout.Inconclusive}
			measured.Verdicts = append(measured.Verdicts, found.verdict)
		default:
			found = m.evaluate(reading{samples: numbers[i]})
			measured.Verdicts = append(measured.Verdicts, found.verdict)
			found = rec.count(m, found, now)
		}
		if found.verdict == rollout.Fail {
			failed += again
		}
	}
	measured.RolledBack = failed > p.analysis.Plan.FailureLimit
	return measured
}

// queryFor returns the PromQL of m with stable in the canary's place, and who is asked.
func (p *Past) queryFor(m Metric) (string, *Past, error) {
	s := within(p.asCanary(), m)
	if m.builtIn != nil {
		return p.builtInQueryFor(m, s)
	}
	named, err := p.judge.providers.named(m.providerName())
	if err != nil {
		return "", nil, err
	}
	if c, is := named.(confined); is {
		if err := c.refuses(s); err != nil {
			return "", nil, fmt.Errorf("the provider %s %w", m.providerName(), err)
		}
	}
	counters, err := countersIn(named)
	if err != nil || m.Asked.Query == "" {
		return "", nil, fmt.Errorf("the provider %s says nothing about the past: only a Prometheus does", m.providerName())
	}
	query, err := counters.Selector(m.Asked.Query, s)
	if err != nil {
		return "", nil, fmt.Errorf("its query %w", err)
	}
	other := *p
	other.asked = counters
	return query, &other, nil
}

func (p *Past) builtInQueryFor(m Metric, s rollout.Subject) (string, *Past, error) {
	if m.Condition.Unit() == spec.TimesStable {
		return "", nil, errors.New("it compares with stable, and here both are stable")
	}
	var series sourceSeries
	if p.series != nil {
		series = stableAsCanary{p.series}
	}
	query, err := m.builtInQuery(series, s)
	return query, p, err
}

// asCanary is the subject of p with stable in the canary's place. The pods of stable have
// no names that tell their ReplicaSet for a whole month, so {{canary-pods}} are all whose
// name begins with that of the Deployment.
func (p *Past) asCanary() rollout.Subject {
	s := p.subject
	s.CanaryDeployment, s.CanaryReplicaSet = s.Deployment, s.Deployment
	s.CanaryService, s.CanaryIngress, s.CanaryTrack = s.Service, s.Ingress, s.StableTrack
	s.Window = p.analysis.Plan.Interval
	return s
}

// stableAsCanary is a source whose canary is stable.
type stableAsCanary struct{ sourceSeries }

func (s stableAsCanary) canaryMatchers(subject rollout.Subject, prefix string) string {
	return s.stableMatchers(subject, prefix)
}

// enoughRequests says for each measurement whether a canary had received minRequests at
// its weight. nil: m needs none.
//
// Example: stable received 300 requests. At weight 10 a canary had received 30.
func (p *Past) enoughRequests(ctx context.Context, m Metric, first, last time.Time, count int) ([]bool, error) {
	if p.analysis.MinRequests == 0 || !m.needsTraffic() {
		return nil, nil
	}
	if p.series == nil {
		return nil, fmt.Errorf("minRequests: %w", errNoSource())
	}
	query := canaryRequests(stableAsCanary{p.series}, p.asCanary())
	answer, err := p.ask(ctx, query, first, last, p.Interval(m))
	if err != nil {
		return nil, fmt.Errorf("minRequests: %w", err)
	}
	enough := make([]bool, count)
	for i, numbers := range numbersAt(answer, first, p.Interval(m), count) {
		received := total(reading{samples: numbers}) * float64(p.subject.Weight) / 100
		enough[i] = received >= float64(p.analysis.MinRequests)
	}
	return enough, nil
}

// numbersAt are the values of all series at first, first+step and so on.
func numbersAt(series []provider.Series, first time.Time, step time.Duration, count int) [][]float64 {
	numbers := make([][]float64, count)
	for _, s := range series {
		for _, point := range s.Points {
			// Prometheus rounds times to milliseconds, so the nearest time is meant.
			if i := int(point.At.Sub(first).Round(step) / step); i >= 0 && i < count {
				numbers[i] = append(numbers[i], point.Value)
			}
		}
	}
	return numbers
}
