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

// Metric is one number and the condition that it must satisfy.
type Metric struct {
	Name      string
	Query     string // PromQL template; "" means the built-in metric Name
	Condition Condition
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
	a := Analysis{Plan: rollout.AnalysisPlan{Interval: DefaultInterval, NeedsTraffic: true}, MinRequests: DefaultMinRequests}
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
		a.Metrics = append(a.Metrics, m)
	}
	return a, a.checkCount()
}

func (a Analysis) checkCount() error {
	if len(a.Metrics) == 0 {
		return fmt.Errorf("no metric is named: write for example %s", lineExample)
	}
	if len(a.Metrics) > maxMetrics {
		return fmt.Errorf("%d metrics are named, at most %d are measured: join several into one query", len(a.Metrics), maxMetrics)
	}
	return nil
}

func newMetric(name, query, condition string) (Metric, error) {
	c, err := ParseCondition(condition)
	if err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", name, err)
	}
	m := Metric{Name: name, Query: query, Condition: c}
	if m.builtIn() {
		return m, checkBuiltIn(name, c)
	}
	return m, checkQuery(name, query)
}

func (m Metric) builtIn() bool { return m.Query == "" }

// own says that m is a query of the user's.
func (m Metric) own() bool { return !m.builtIn() }

// withoutTraffic is what can be measured of a while no request can come to the
// canary: the user's own queries, whatever minimum of requests they wait for
// under traffic.
func (a Analysis) withoutTraffic() Analysis {
	a.MinRequests = 0
	a.Metrics = slices.DeleteFunc(slices.Clone(a.Metrics), Metric.builtIn)
	return a
}
