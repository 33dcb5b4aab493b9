package analysis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/rollout"
)

// What an annotation that does not say otherwise gets.
const (
	DefaultInterval = 30 * time.Second

	// DefaultMinRequests is how many requests the canary must have received in
	// the window before a built-in metric is judged. With ten, one failed
	// request is a success rate of 90%; with fewer it says nothing at all.
	DefaultMinRequests = 10
)

// MinInterval is the shortest interval that is accepted: Prometheus rarely
// scrapes more often.
const MinInterval = time.Second

// maxMetrics bounds what one annotation can ask of Prometheus per interval.
const maxMetrics = 20

const (
	referencePrefix = "configmap/"
	lineExample     = "success-rate >= 99%, p99 <= 500ms"
)

// Analysis is a parsed annotation: either a reference to a ConfigMap or
// metrics, never both. The zero value measures nothing.
type Analysis struct {
	ConfigMap string // its name; everything else is then zero

	Plan rollout.AnalysisPlan

	// MinRequests is how many requests the canary must receive in the window
	// before a built-in metric is judged or the whole can be a Pass. 0: no
	// minimum; the requests are then not counted.
	MinRequests int

	Metrics []Metric // at least one
}

// Metric is one number and the condition that it must satisfy. It is either built
// in or has a query of the user's.
type Metric struct {
	Name      string
	Query     string // the user's PromQL template; "" for a built-in metric
	Condition Condition

	builtIn builtInMetric // nil for a query of the user's
}

// Check says whether text is a valid analysis, as Parse would. Empty text is
// valid: no analysis. It reads nothing: of configmap/NAME only the name is
// checked. Errors do not name the annotation; the caller does.
func Check(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	_, err := Parse(text)
	return err
}

// Parse reads one of the three forms: conditions on built-in metrics separated
// by commas or line breaks, YAML, or configmap/NAME. They cannot be confused:
// YAML needs a colon and conditions have none. Every error quotes the part that
// is wrong and shows a valid example.
func Parse(text string) (Analysis, error) {
	text = strings.TrimSpace(text)
	if name, ok := strings.CutPrefix(text, referencePrefix); ok {
		return parseReference(name)
	}
	if strings.Contains(text, ":") {
		return parseYAML(text)
	}
	return parseConditions(text)
}

func parseReference(name string) (Analysis, error) {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return Analysis{}, fmt.Errorf("%q is not the name of a ConfigMap: write for example configmap/web-analysis", name)
	}
	return Analysis{ConfigMap: name}, nil
}

func parseConditions(text string) (Analysis, error) {
	var metrics []Metric
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		at := strings.IndexAny(part, "<>=!")
		if at < 0 {
			return Analysis{}, fmt.Errorf("%q has no condition: write for example %s", part, lineExample)
		}
		m, err := newMetric(strings.TrimSpace(part[:at]), "", part[at:])
		if err != nil {
			return Analysis{}, err
		}
		metrics = append(metrics, m)
	}
	return newAnalysis(rollout.AnalysisPlan{Interval: DefaultInterval}, metrics, nil)
}

// newAnalysis adds to plan what follows from metrics. minRequests is nil where the
// user did not write it.
func newAnalysis(plan rollout.AnalysisPlan, metrics []Metric, minRequests *int) (Analysis, error) {
	if len(metrics) == 0 {
		return Analysis{}, fmt.Errorf("no metric is named: write for example %s", lineExample)
	}
	if len(metrics) > maxMetrics {
		return Analysis{}, fmt.Errorf("%d metrics are named, at most %d are measured: join several into one query",
			len(metrics), maxMetrics)
	}
	plan.NeedsTraffic = !slices.ContainsFunc(metrics, Metric.ignoresTraffic)
	a := Analysis{Plan: plan, Metrics: metrics}
	switch {
	case minRequests != nil:
		a.MinRequests = *minRequests
	case slices.ContainsFunc(metrics, Metric.needsTraffic):
		a.MinRequests = DefaultMinRequests
	}
	return a, nil
}

func newMetric(name, query, condition string) (Metric, error) {
	c, err := ParseCondition(condition)
	if err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", name, err)
	}
	m := Metric{Name: name, Query: query, Condition: c}
	if query != "" {
		return m, checkQuery(name, query)
	}
	if m.builtIn, err = builtInNamed(name); err != nil {
		return Metric{}, err
	}
	return m, m.builtIn.checkBound(c)
}

// needsTraffic says that m counts requests. Of the user's queries nobody knows, so
// they are taken not to.
func (m Metric) needsTraffic() bool { return m.builtIn != nil && m.builtIn.needsTraffic() }

func (m Metric) ignoresTraffic() bool { return !m.needsTraffic() }

// withoutTraffic is what can be measured of a while no request can come to the
// canary: every metric that does not count requests, whatever minimum of requests
// it waits for under traffic.
func (a Analysis) withoutTraffic() Analysis {
	a.MinRequests = 0
	a.Metrics = slices.DeleteFunc(slices.Clone(a.Metrics), Metric.needsTraffic)
	return a
}
