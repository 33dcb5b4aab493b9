package analysis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// Conditions are the metrics with a condition. A back-test measures them in stable.
func (p *Past) Conditions() []Metric {
	return slices.DeleteFunc(slices.Clone(p.analysis.Metrics), Metric.isComparison)
}

// Plan is the plan of the analysis.
func (p *Past) Plan() rollout.AnalysisPlan { return p.analysis.Plan }

// Text is the condition as the user wrote it.
func (m Metric) Text() string {
	if m.Asked.cel != nil {
		return m.Asked.cel.String()
	}
	return m.Condition.String()
}

// Measure evaluates the condition of m as if stable was the canary, at the end of each
// interval from from to to.
//
// It sees all requests of stable. A canary has fewer, so its numbers move more. And a query
// that compares the canary with stable compares stable with itself.
func (p *Past) Measure(ctx context.Context, m Metric, from, to time.Time) ([]rollout.Verdict, error) {
	interval := p.analysis.Plan.Interval
	count := int(to.Sub(from) / interval)
	if count < 1 {
		return nil, nil
	}
	first, last := from.Add(interval), from.Add(time.Duration(count)*interval)
	query, asked, err := p.queryFor(m)
	if err != nil {
		return nil, err
	}
	answer, err := asked.ask(ctx, query, first, last, interval)
	if err != nil {
		return nil, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	enough, err := p.enoughRequests(ctx, m, first, last, count)
	if err != nil {
		return nil, err
	}
	verdicts := make([]rollout.Verdict, count)
	for i, numbers := range numbersAt(answer, first, interval, count) {
		verdicts[i] = rollout.Inconclusive
		if enough == nil || enough[i] {
			verdicts[i] = m.evaluate(reading{samples: numbers}).verdict
		}
	}
	return verdicts, nil
}

// queryFor returns the PromQL of m with stable in the canary's place, and who is asked.
func (p *Past) queryFor(m Metric) (string, *Past, error) {
	s := p.asCanary()
	if m.builtIn != nil {
		if p.series == nil {
			return "", nil, fmt.Errorf("metric %q: %w", m.Name, errNoSource())
		}
		return m.builtIn.query(stableAsCanary{p.series}, s), p, nil
	}
	named, err := p.judge.providers.named(m.providerName())
	if err != nil {
		return "", nil, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	if c, is := named.(confined); is {
		if err := c.refuses(s); err != nil {
			return "", nil, fmt.Errorf("metric %q: provider %s %w", m.Name, m.providerName(), err)
		}
	}
	counters, err := countersIn(named)
	if err != nil || m.Asked.Query == "" {
		return "", nil, fmt.Errorf("metric %q: the provider %s says nothing about the past: only a Prometheus does", m.Name, m.providerName())
	}
	query, err := counters.Selector(m.Asked.Query, s)
	if err != nil {
		return "", nil, fmt.Errorf("metric %q: query %w", m.Name, err)
	}
	other := *p
	other.asked = counters
	return query, &other, nil
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
	answer, err := p.ask(ctx, canaryRequests(stableAsCanary{p.series}, p.asCanary()), first, last, p.analysis.Plan.Interval)
	if err != nil {
		return nil, fmt.Errorf("minRequests: %w", err)
	}
	enough := make([]bool, count)
	for i, numbers := range numbersAt(answer, first, p.analysis.Plan.Interval, count) {
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
