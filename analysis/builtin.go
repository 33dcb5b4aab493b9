package analysis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// builtInMetric is all that Headgate must know of a metric that needs no query.
type builtInMetric interface {
	// name is what a condition begins with: "success-rate".
	name() string

	// checkBound refuses a condition that is surely a mistake: "p99 <= 500" would be
	// 500 seconds and pass always, "success-rate >= 99" a ratio of 99, which is
	// 9900%, and fail always.
	checkBound(c spec.Condition) error

	// query is the PromQL for the canary. It yields a number in the base unit, or
	// nothing or NaN where there was no request.
	query(series sourceSeries, s rollout.Subject) string

	// needsTraffic says that the metric counts requests: it is measured only while
	// requests can come to the canary, and judged only after minRequests of them.
	needsTraffic() bool

	// docs is its row in docs/analysis.md.
	docs() metricDocs
}

// metricDocs is what a user reads about a metric, in Markdown.
type metricDocs struct {
	meaning string
	bound   string // examples of a bound
}

// knownMetrics is the one list of built-in metrics. The parser, the error messages
// and the table in docs/analysis.md follow it.
var knownMetrics = []builtInMetric{
	successRate{},
	errorRate{},
	percentile{50},
	percentile{90},
	percentile{95},
	percentile{99},
	requestRate{},
	agentErrorRate{},
	podMetrics[restarts],
	podMetrics[cpu],
	podMetrics[memory],
	podMetrics[timeToFirstToken],
	podMetrics[tokensPerRequest],
}

func builtInNamed(name string) (builtInMetric, error) {
	for _, metric := range knownMetrics {
		if metric.name() == name {
			return metric, nil
		}
	}
	return nil, fmt.Errorf("unknown metric %q: the built-in metrics are %s; another metric needs a query: write for example %s",
		name, strings.Join(builtInNames(), ", "), `{metrics: [{name: queue-length, query: "max(queue_length)", condition: "< 100"}]}`)
}

func builtInNames() []string {
	var names []string
	for _, metric := range knownMetrics {
		names = append(names, metric.name())
	}
	return slices.Sorted(slices.Values(names))
}

// successRate and errorRate count responses of status 5xx as failed. A 404 is as
// often the client's fault as the canary's.
type successRate struct{}

func (successRate) name() string { return "success-rate" }

func (m successRate) checkBound(c spec.Condition) error {
	return checkRatio(m, c, "success-rate >= 99%")
}

func (successRate) query(series sourceSeries, s rollout.Subject) string {
	return "1 - " + canaryFailures(series, s)
}

func (successRate) needsTraffic() bool { return true }

func (successRate) docs() metricDocs {
	return metricDocs{meaning: "percentage of the canary's responses that are not 5xx", bound: "`99%` or `0.99`"}
}

type errorRate struct{}

func (errorRate) name() string { return "error-rate" }

func (m errorRate) checkBound(c spec.Condition) error {
	return checkRatio(m, c, "error-rate <= 1%")
}

func (errorRate) query(series sourceSeries, s rollout.Subject) string {
	return canaryFailures(series, s)
}

func (errorRate) needsTraffic() bool { return true }

func (errorRate) docs() metricDocs {
	return metricDocs{meaning: "percentage of the canary's responses that are 5xx", bound: "`1%` or `0.01`"}
}

// percentile is the time within which so many percent of the requests were
// answered: percentile{99} is p99.
type percentile struct{ percent int }

func (m percentile) name() string { return fmt.Sprintf("p%d", m.percent) }

func (m percentile) checkBound(c spec.Condition) error {
	if c.Unit() != "ms" && c.Unit() != "s" || c.Bound() < 0 {
		return fmt.Errorf("metric %q: want a time of 0 or more, in ms or s, not %q: write for example %[1]s <= 500ms", m.name(), c)
	}
	return nil
}

// quantile is the percentage as PromQL has it: 50 is 0.5, 99 is 0.99.
func (m percentile) quantile() float64 { return float64(m.percent) / 100 }

func (m percentile) query(series sourceSeries, s rollout.Subject) string {
	return canaryDuration(series, s, fmt.Sprint(m.quantile()))
}

func (percentile) needsTraffic() bool { return true }

func (m percentile) docs() metricDocs {
	return metricDocs{
		meaning: fmt.Sprintf("time within which %d%% of the canary's requests were answered", m.percent),
		bound:   "`500ms` or `0.5s`",
	}
}

// checkRatio accepts bounds from 0 to 1, which is 0% to 100%.
func checkRatio(m builtInMetric, c spec.Condition, example string) error {
	if c.Unit() != "" && c.Unit() != "%" || c.Bound() < 0 || c.Bound() > 1 {
		return fmt.Errorf("metric %q: want a bound between 0%% and 100%%, not %q: write for example %s", m.name(), c, example)
	}
	return nil
}
