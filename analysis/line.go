package analysis

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout"
)

// The names of comparisons. autoName and latencyName stand for several.
const (
	autoName    = "auto"
	errorsName  = "errors"
	latencyName = "latency"
)

const (
	comparisonExample = "errors: margin 20% + 0.05%, p99 <= 1.2 * stable"
	limitExample      = "success-rate >= 99%: false-alarm 0.1% strict"
)

// beginsOptions is a metric with options, the only thing with a colon that a line may
// have.
var beginsOptions = regexp.MustCompile(
	`(?m)(^|,)\s*(auto|errors|latency|success-rate|error-rate|agent-error-rate|p[0-9]+)\s*([<>][^,:\n]*)?:`)

// isLine says whether text is a line of conditions and comparisons, and not YAML.
func isLine(text string) bool {
	return !strings.Contains(beginsOptions.ReplaceAllString(text, ""), ":")
}

// parseLine reads conditions and comparisons, separated by commas or line breaks:
//
//	line       = item { ("," | line break) item }
//	item       = comparison [ ":" { option } ] | name relative [ ":" { option } ] |
//	             name condition [ ":" { option } ]
//	comparison = "auto" | "errors" | "latency" | percentile
//	relative   = ("<" | "<=") number "*" "stable" [ "+" percentage ]
//	option     = "margin" percentage [ "+" percentage ] | "false-alarm" percentage |
//	             "at-most" percentage | "strict" | "warm-up" duration
func parseLine(text string) (Analysis, error) {
	var metrics []Metric
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		parsed, err := parseItem(item)
		if err != nil {
			return Analysis{}, err
		}
		metrics = append(metrics, parsed...)
	}
	return newAnalysis(rollout.AnalysisPlan{}, metrics, forAll{})
}

func parseItem(item string) ([]Metric, error) {
	asked, options, _ := strings.Cut(item, ":")
	name := strings.TrimSpace(asked)
	at := strings.IndexAny(asked, "<>=!")
	if at >= 0 {
		name = strings.TrimSpace(asked[:at])
	}
	rule, err := parseOptions(options)
	if err != nil {
		return nil, fmt.Errorf("metric %q: %w", name, err)
	}
	switch {
	case at < 0 && namesComparison(name):
		if rule.Strict && rule.Bound == 0 {
			return nil, fmt.Errorf("metric %q: strict belongs to a limit: write for example errors: at-most 1%% strict", name)
		}
		return comparisons(name, rule), nil
	case at < 0:
		return nil, fmt.Errorf("%q has no condition: write for example %s; or %s", item, lineExample, autoName)
	}
	m, err := parseCondition(name, asked[at:], rule)
	return []Metric{m}, err
}

// parseCondition reads a condition with options. One on stable has its margin in itself,
// and a limit has no other.
func parseCondition(name, condition string, rule evidence.Rule) (Metric, error) {
	relative := strings.Contains(condition, "stable")
	switch {
	case rule.Ratio > 0, rule.Bound > 0, relative && rule.Strict:
		return Metric{}, fmt.Errorf("metric %q: a condition has its limit in itself: write for example %s", name, limitExample)
	case relative && !isPodMetric(name):
		return parseRelative(name, condition, rule)
	}
	return newMetric(name, condition, rule)
}

func namesComparison(name string) bool {
	_, ok := counted(name)
	return ok || name == autoName || name == latencyName
}

// counted is what is counted, answer by answer, under the name of a comparison.
func counted(name string) (comparison, bool) {
	if name == errorsName {
		return comparison{}, true
	}
	for _, m := range knownMetrics {
		switch metric := m.(type) {
		case percentile:
			if metric.name() == name {
				return comparison{quantile: metric.quantile()}, true
			}
		case agentErrorRate:
			if metric.name() == name {
				return comparison{own: agentCounters}, true
			}
		}
	}
	return comparison{}, false
}

// comparisons are the metrics that a name stands for. latency looks at two places of the
// distribution: a shift of all answers shows at the median, and a new slow path at p99.
func comparisons(name string, rule evidence.Rule) []Metric {
	switch name {
	case autoName:
		return append(comparisons(errorsName, rule), comparisons(latencyName, rule)...)
	case latencyName:
		return append(comparisons("p99", rule), comparisons("p50", rule)...)
	}
	c, _ := counted(name) // namesComparison knows it
	switch c.rule = rule; {
	case c.quantile > 0.5:
		c.times = evidence.DefaultRatio
	case c.quantile > 0:
		c.times = 1
	}
	return []Metric{{Name: name, compared: &c}}
}

var relativeSyntax = regexp.MustCompile(`^<=?\s*([0-9]+(?:\.[0-9]+)?)\s*\*\s*stable(?:\s*\+\s*([0-9]+(?:\.[0-9]+)?)%)?$`)

// parseRelative reads "<= 1.2 * stable" of a percentile, and "<= 1.2 * stable + 0.05%" of
// errors.
func parseRelative(name, condition string, rule evidence.Rule) (Metric, error) {
	parts := relativeSyntax.FindStringSubmatch(strings.TrimSpace(condition))
	if parts == nil {
		return Metric{}, fmt.Errorf("metric %q: condition %q: write for example %s", name, strings.TrimSpace(condition), comparisonExample)
	}
	times, _ := strconv.ParseFloat(parts[1], 64) // the syntax allows nothing else
	share, _ := strconv.ParseFloat(cmp.Or(parts[2], "0")+"e-2", 64)
	if times < 1 {
		return Metric{}, fmt.Errorf("metric %q: %s * stable is better than stable: write for example %s", name, parts[1], comparisonExample)
	}
	if name == (errorRate{}).name() {
		name = errorsName
	}
	switch c, ok := counted(name); {
	case !ok:
		return Metric{}, fmt.Errorf("metric %q cannot be compared with stable: write for example %s", name, comparisonExample)
	case c.needsLimit() && parts[2] != "":
		return Metric{}, fmt.Errorf("metric %q: a percentage is for errors: write for example %s <= 1.2 * stable", name, name)
	case c.needsLimit():
		c.times, c.rule = times, rule
		return Metric{Name: name, compared: &c}, nil
	default:
		rule.Ratio, rule.Points = times, share
		c.rule = rule
		return Metric{Name: name, compared: &c}, rule.Check()
	}
}

var optionSyntax = regexp.MustCompile(`^\s*(?:` +
	`(margin)\s+([0-9]+(?:\.[0-9]+)?)%(?:\s*\+\s*([0-9]+(?:\.[0-9]+)?)%)?|` +
	`(false-alarm|at-most)\s+([0-9]+(?:\.[0-9]+)?)%|` +
	`(warm-up)\s+([0-9]+(?:s|m|m[0-9]+s))|` +
	`(strict))(?:\s+|$)`)

// parseOptions reads options one after the other.
func parseOptions(text string) (evidence.Rule, error) {
	var rule evidence.Rule
	var seen []string
	for text = strings.TrimSpace(text); text != ""; {
		parts := optionSyntax.FindStringSubmatch(text)
		if parts == nil {
			return rule, fmt.Errorf("unknown option %q: the options are margin, false-alarm, at-most, strict and warm-up: "+
				"write for example %s; or %s", text, comparisonExample, limitExample)
		}
		text = text[len(parts[0]):]
		name := parts[1] + parts[4] + parts[6] + parts[8]
		if slices.Contains(seen, name) {
			return rule, fmt.Errorf("%s is there twice", name)
		}
		seen = append(seen, name)
		switch name {
		case "margin":
			ratio, _ := strconv.ParseFloat(parts[2]+"e-2", 64)
			rule.Ratio = 1 + ratio
			rule.Points, _ = strconv.ParseFloat(cmp.Or(parts[3], "0")+"e-2", 64)
		case "false-alarm":
			rule.FalseAlarm, _ = strconv.ParseFloat(parts[5]+"e-2", 64)
		case "at-most":
			rule.Bound, _ = strconv.ParseFloat(parts[5]+"e-2", 64)
		case "strict":
			rule.Strict = true
		case "warm-up":
			rule.WarmUp, _ = time.ParseDuration(parts[7])
			rule.WarmUp = cmp.Or(rule.WarmUp, evidence.NoWarmUp)
		}
	}
	return rule, rule.Check()
}
