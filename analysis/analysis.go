package analysis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// The defaults of fields that an annotation does not set.
const (
	DefaultInterval = 30 * time.Second

	// DefaultMinRequests is how many requests the canary must have received in
	// the window before a built-in metric is judged. One failed request is a success
	// rate of 90% among 10, but of 50% among 2.
	DefaultMinRequests = 10
)

// MinInterval is the shortest interval that is accepted. Prometheus rarely scrapes
// more often than once in a second.
const MinInterval = time.Second

// maxMetrics bounds how many queries one annotation causes in an interval.
const maxMetrics = 20

const (
	configMapPrefix = "configmap/" // a ConfigMap in the namespace of the Deployment
	recipePrefix    = "recipe/"    // one in the operator's namespace
	lineExample     = "success-rate >= 99%, p99 <= 500ms"
)

// Analysis is a parsed annotation: either a reference to a ConfigMap or
// metrics, never both. The zero value measures nothing.
type Analysis struct {
	ConfigMap  string            // its name; every field after Parameters is then zero
	OfOperator bool              // it is in the operator's namespace
	Parameters map[string]string // values for the parameters of the recipe in it

	Plan rollout.AnalysisPlan

	// MinRequests is how many requests the canary must receive in the window. With
	// fewer, no metric that counts requests is judged, and the measurement cannot
	// be a Pass. 0: there is no minimum, and requests are not counted.
	MinRequests int

	Metrics []Metric // at least one
}

// Metric is one number and the condition that it must satisfy. It is built in, or it
// has a query that the user wrote.
type Metric struct {
	Name      string
	Asked     Asked          // the zero value for a built-in metric
	Condition spec.Condition // the zero value for a metric with a CEL expression

	builtIn  builtInMetric // nil for a question of the user's and for a comparison
	compared *comparison   // nil: the metric has a condition, which its number must satisfy
	settings settings
}

// Check returns the error of Parse, or nil for an empty text, which means that there
// is no analysis. It reads no ConfigMap: of configmap/NAME it checks the name and the form of
// the parameters only. It knows no provider either: Providers.Check checks what they are asked.
// Errors do not name the annotation; the caller does.
func Check(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	_, err := Parse(text)
	return err
}

// Parse reads one of three forms: a line of conditions and comparisons, see parseLine;
// YAML; or configmap/NAME or recipe/NAME, see parseReference. Every error quotes the part that
// is wrong and shows a valid example.
func Parse(text string) (Analysis, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		return Analysis{}, fmt.Errorf("the analysis has %d bytes, want at most %d: let a recording rule of Prometheus "+
			"have the long queries, and write for example %s", len(text), maxText, yamlExample)
	}
	for _, prefix := range []string{configMapPrefix, recipePrefix} {
		if name, ok := strings.CutPrefix(text, prefix); ok {
			return parseReference(prefix, name)
		}
	}
	if isLine(text) {
		return parseLine(text)
	}
	return parseYAML(text)
}

// forAll are settings of an analysis that hold for each metric without its own. The zero
// value: the user wrote none.
type forAll struct {
	interval     time.Duration
	failureLimit *int
	minRequests  *int
	inconclusive int // where something else than a rollback follows
	then         outcome
}

// newAnalysis adds to plan what follows from metrics.
func newAnalysis(plan rollout.AnalysisPlan, metrics []Metric, all forAll) (Analysis, error) {
	if len(metrics) == 0 {
		return Analysis{}, fmt.Errorf("no metric is named: write for example %s", lineExample)
	}
	if len(metrics) > maxMetrics {
		return Analysis{}, fmt.Errorf("%d metrics are named, want at most %d: join several into one query",
			len(metrics), maxMetrics)
	}
	if name := comparedTwice(metrics); name != "" {
		return Analysis{}, fmt.Errorf("metric %q is there twice: write it once (auto is errors, p99 and p50)", name)
	}
	shareFalseAlarm(metrics)
	all.complete(metrics)
	plan.Interval = shareInterval(metrics)
	plan.NeedsTraffic = !slices.ContainsFunc(metrics, Metric.ignoresTraffic)
	a := Analysis{Plan: plan, Metrics: metrics}
	switch {
	case all.minRequests != nil:
		a.MinRequests = *all.minRequests
	case slices.ContainsFunc(metrics, func(m Metric) bool { return !m.isComparison() && m.needsTraffic() }):
		a.MinRequests = DefaultMinRequests
	}
	return a, nil
}

// complete gives metrics the settings that they do not have themselves. A number about which
// nothing is known fails after three in a row: one of 120 readings that breaks its limit by
// chance once in 100 would roll back 70% of the healthy versions, and three in a row 0.01%.
func (all forAll) complete(metrics []Metric) {
	for i := range metrics {
		m := &metrics[i]
		s := &m.settings
		usual := DefaultInterval
		if m.isComparison() {
			usual = lookInterval
		}
		s.interval = cmp.Or(s.interval, all.interval, usual)
		if s.inconclusive == 0 {
			s.inconclusive, s.then = all.inconclusive, cmp.Or(s.then, all.then)
		}
		if m.isOwn() && s.failures == nil && s.consecutive == nil && all.failureLimit == nil {
			s.consecutive = ptr.To(defaultConsecutive)
		}
	}
}

// shareInterval returns the shortest interval of metrics. It leaves those that have a
// longer one.
func shareInterval(metrics []Metric) time.Duration {
	shortest := metrics[0].settings.interval
	for _, m := range metrics {
		shortest = min(shortest, m.settings.interval)
	}
	for i := range metrics {
		if s := &metrics[i].settings; s.interval == shortest || metrics[i].isComparison() {
			s.interval = 0
		}
	}
	return shortest
}

func onlyComparisons(metrics []Metric) bool { return len(comparisonsAmong(metrics)) == len(metrics) }

func comparisonsAmong(metrics []Metric) []Metric {
	return slices.DeleteFunc(slices.Clone(metrics), func(m Metric) bool { return !m.isComparison() })
}

// comparedTwice is the name of a metric that is compared twice, or "".
func comparedTwice(metrics []Metric) string {
	seen := map[string]bool{}
	for _, m := range comparisonsAmong(metrics) {
		if seen[m.key()] {
			return m.key()
		}
		seen[m.key()] = true
	}
	return ""
}

// shareFalseAlarm splits the accepted rate of false alarms over all comparisons: a
// healthy version is to be rolled back so often by all of them together.
func shareFalseAlarm(metrics []Metric) {
	among := comparisonsAmong(metrics)
	for _, m := range among {
		rule := &m.compared.rule
		if rule.Metrics = len(among); rule.Ratio == 0 {
			rule.Ratio, rule.Points = evidence.DefaultRatio, evidence.DefaultPoints
		}
		rule.FalseAlarm = cmp.Or(rule.FalseAlarm, evidence.DefaultFalseAlarm)
	}
}

// newMetric returns a built-in metric with a condition. A rule is for a limit, see limited.
func newMetric(name, condition string, rule evidence.Rule) (Metric, error) {
	c, err := spec.ParseCondition(condition)
	if err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", name, err)
	}
	metric, err := builtInNamed(name)
	if err != nil {
		return Metric{}, err
	}
	if err := metric.checkBound(c); err != nil {
		return Metric{}, err
	}
	if compared, ok := limited(metric, c, rule); ok {
		return Metric{Name: name, compared: compared}, nil
	}
	if rule != (evidence.Rule{}) {
		return Metric{}, fmt.Errorf("metric %q: options belong to a limit, and %q is none: write for example %s", name, c, limitExample)
	}
	return Metric{Name: name, Condition: c, builtIn: metric}, nil
}

// key tells m from other comparisons: p99 may be compared with stable and have a limit.
func (m Metric) key() string {
	if m.compared != nil && !m.compared.asked.IsZero() {
		return m.Name + " " + m.compared.asked.String()
	}
	return m.Name
}

// isComparison says that m is judged beside stable, and not by a condition.
func (m Metric) isComparison() bool { return m.compared != nil }

// isOwn says that m is a number about which nothing is known: the answer to a question of
// the user's, or a metric of pods.
func (m Metric) isOwn() bool {
	_, ofPods := m.builtIn.(podMetric)
	return m.compared == nil && (m.builtIn == nil || ofPods)
}

// hasTally says that it matters what earlier measurements of m said.
func (m Metric) hasTally() bool { return m.settings != settings{} }

// isDelayed says that m is not measured from the beginning of the rollout.
func (m Metric) isDelayed() bool { return m.settings.initialDelay > 0 }

// needsTraffic says that m counts requests. What a user's query counts is not known,
// so a user's query is measured without traffic too.
func (m Metric) needsTraffic() bool {
	return m.isComparison() || m.builtIn != nil && m.builtIn.needsTraffic()
}

func (m Metric) ignoresTraffic() bool { return !m.needsTraffic() }

// withoutTraffic is the part of a that can be measured while no request can come to
// the canary: the metrics that do not count requests, without a minimum of requests.
func (a Analysis) withoutTraffic() Analysis {
	a.MinRequests = 0
	a.Metrics = slices.DeleteFunc(slices.Clone(a.Metrics), Metric.needsTraffic)
	return a
}
