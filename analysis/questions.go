package analysis

import (
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// questions are the queries of one measurement; "" is not asked.
type questions struct {
	metrics  []string // in the order of Analysis.Metrics
	requests string   // how many the canary received
	ignored  string   // how many stable received while the canary got none
}

// questionsFor writes the queries that measuring a on s takes.
func questionsFor(a Analysis, s rollout.Subject, o Options) (questions, error) {
	router, known := sources[o.Source]
	var q questions
	for _, m := range a.Metrics {
		query, err := m.question(s, o)
		if err != nil {
			return questions{}, fmt.Errorf("metric %q: %w", m.Name, err)
		}
		q.metrics = append(q.metrics, query)
	}
	if a.MinRequests > 0 {
		if !known {
			return questions{}, fmt.Errorf("minRequests: %w", errNoSource)
		}
		q.requests = router.canaryRequests(s)
	}
	if known && s.Weight > 0 {
		q.ignored = router.ignoredRequests(s)
	}
	return q, nil
}

var errNoSource = fmt.Errorf("no metrics source is configured: set HEADGATE_METRICS_SOURCE to %s or %s", IngressNginx, Traefik)

func (m Metric) question(s rollout.Subject, o Options) (string, error) {
	if m.builtIn() {
		router, known := sources[o.Source]
		if !known {
			return "", errNoSource
		}
		return router.metric(m.Name, s), nil
	}
	query, err := render(m.Query, s)
	if err != nil || o.NamespaceLabel == "" {
		return query, err
	}
	return confine(query, o.NamespaceLabel, s.Namespace)
}
