package analysis

import (
	"fmt"
	"math"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout/spec"
)

// limited returns the comparison that judges a condition on a built-in metric, if that
// sets a limit for the share of bad answers: success-rate >= 99% allows 1% of errors, and
// p99 <= 500ms allows 1% of answers that take longer. It is false for any other condition,
// such as p50 > 1ms or success-rate >= 100%: such a one is judged by its window.
func limited(metric builtInMetric, c spec.Condition, rule evidence.Rule) (*comparison, bool) {
	compared, _ := counted(metric.name()) // success-rate and error-rate count what errors counts
	compared.asked = c
	switch metric.(type) {
	case successRate:
		if c.IsLowerBound() {
			rule.Bound = complement(c.Bound())
		}
	case errorRate, agentErrorRate:
		if c.IsUpperBound() {
			rule.Bound = c.Bound()
		}
	case percentile:
		if c.IsUpperBound() && c.Bound() > 0 {
			compared.seconds, rule.Bound = c.Bound(), complement(compared.quantile)
		}
	}
	compared.rule = rule
	return &compared, rule.Bound > 0 && rule.Bound < 1
}

// complement is 1 - share as a person would write it: 1 - 0.99 is 0.010000000000000009.
func complement(share float64) float64 { return math.Round((1-share)*1e12) / 1e12 }

// title begins a message about the metric: its name, or with a limit "success-rate 98.1%,
// want >= 99%". Of a percentile only the share that is too slow is known.
func (c comparison) title(name string, canary evidence.Counts) string {
	switch {
	case c.asked.IsZero():
		return name
	case c.needsLimit() || canary.Requests == 0:
		return fmt.Sprintf("%s, want %s", name, c.asked)
	}
	value := canary.Share()
	if name == (successRate{}).name() {
		value = complement(value)
	}
	return fmt.Sprintf("%s %s, want %s", name, c.asked.Render(value), c.asked)
}
