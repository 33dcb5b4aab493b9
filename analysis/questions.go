package analysis

import (
	"cmp"
	"fmt"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// questions are those of one measurement; nil is not asked.
type questions struct {
	metrics        []*question // in the order of Analysis.Metrics
	canaryRequests *question   // how many requests the canary received
	stableOnly     *question   // how many stable received, 0 too, while the canary received none
}

// question is one question and what makes a reading of the answer.
type question struct {
	provider.Question
	metric Metric
}

// builtInQuestion is a query that Headgate wrote.
func builtInQuestion(query string) *question {
	return &question{Question: provider.Question{Query: query, BuiltIn: true}}
}

// questionsFor writes the questions that measuring a on s takes.
func questionsFor(a Analysis, s rollout.Subject, o Options) (questions, error) {
	series, known := o.Source.series()
	var q questions
	for _, m := range a.Metrics {
		if m.isComparison() {
			q.metrics = append(q.metrics, nil)
			continue
		}
		asked := &question{Question: m.question(), metric: m}
		if m.builtIn != nil {
			query, err := m.builtInQuery(series, within(s, m))
			if err != nil {
				return questions{}, fmt.Errorf("metric %q: %w", m.Name, err)
			}
			asked = builtInQuestion(query)
		}
		q.metrics = append(q.metrics, asked)
	}
	if a.MinRequests > 0 {
		if !known {
			return questions{}, fmt.Errorf("minRequests: %w", errNoSource())
		}
		q.canaryRequests = builtInQuestion(canaryRequests(series, s))
	}
	if known && s.Weight > 0 {
		q.stableOnly = builtInQuestion(stableOnlyRequests(series, s))
	}
	return q, nil
}

// builtInQuery is the PromQL for m. series is nil where no source is configured.
func (m Metric) builtInQuery(series sourceSeries, s rollout.Subject) (string, error) {
	pods, ofPods := m.builtIn.(podMetric)
	switch _, agent := m.builtIn.(agentErrorRate); {
	case !ofPods && !agent && series == nil:
		return "", errNoSource()
	case !ofPods && !agent:
		return m.builtIn.query(series, s), nil
	}
	if err := checkPods(s); err != nil {
		return "", err
	}
	if m.Condition.Unit() == spec.TimesStable {
		return pods.againstStable(s), nil
	}
	return m.builtIn.query(series, s), nil
}

// within is s for m, which may have a window of its own.
func within(s rollout.Subject, m Metric) rollout.Subject {
	s.Window = cmp.Or(m.settings.interval, s.Window)
	return s
}
