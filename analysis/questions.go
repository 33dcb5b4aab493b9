package analysis

import (
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// questions are the queries of one measurement; "" is not asked.
type questions struct {
	metrics        []string // in the order of Analysis.Metrics
	canaryRequests string   // how many requests the canary received
	stableOnly     string   // how many stable received, 0 too, while the canary received none
}

// questionsFor writes the queries that measuring a on s takes.
func questionsFor(a Analysis, s rollout.Subject, o Options) (questions, error) {
	series, known := o.Source.series()
	var q questions
	for _, m := range a.Metrics {
		query, err := m.promQL(s, o)
		if err != nil {
			return questions{}, fmt.Errorf("metric %q: %w", m.Name, err)
		}
		q.metrics = append(q.metrics, query)
	}
	if a.MinRequests > 0 {
		if !known {
			return questions{}, fmt.Errorf("minRequests: %w", errNoSource())
		}
		q.canaryRequests = canaryRequests(series, s)
	}
	if known && s.Weight > 0 {
		q.stableOnly = stableOnlyRequests(series, s)
	}
	return q, nil
}

// promQL is the query that yields m for s.
func (m Metric) promQL(s rollout.Subject, o Options) (string, error) {
	if m.builtIn != nil {
		series, known := o.Source.series()
		if !known {
			return "", errNoSource()
		}
		return m.builtIn.query(series, s), nil
	}
	query, err := fillIn(m.Query, s)
	if err != nil || o.NamespaceLabel == "" {
		return query, err
	}
	return confine(query, o.NamespaceLabel, s.Namespace)
}
