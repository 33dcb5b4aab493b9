package backtest

import (
	"fmt"
	"strings"
)

// Advice says in sentences what follows from the numbers. It says only what was simulated.
func (r Report) Advice() []string {
	var advice []string
	for _, c := range r.Comparisons {
		advice = append(advice, c.notJudged(r.Rollouts)...)
		if c.Rollouts > 0 {
			advice = append(advice, c.found(r), c.fired(), c.passes(r))
		}
	}
	for _, c := range r.Conditions {
		advice = append(advice, c.advice())
	}
	return advice
}

// notJudged says in how many rollouts the comparison did not judge.
func (c *Comparison) notJudged(rollouts int) []string {
	var advice []string
	if c.NoRequests > 0 {
		advice = append(advice, fmt.Sprintf("%s: in %d of %d rollouts stable has no requests in Prometheus. They are left out.",
			c.Metric, c.NoRequests, rollouts))
	}
	for _, reason := range reasons(c.Unknown) {
		advice = append(advice, fmt.Sprintf("%s: not judged in %d of %d rollouts: %s.", c.Metric, c.Unknown[reason], rollouts, reason))
	}
	return advice
}

func (c *Comparison) found(r Report) string {
	worse := fmt.Sprintf("%s: at this traffic +%s points of %s", c.Metric, strings.TrimSuffix(percent(r.Inject), "%"), c.what())
	switch i := c.Injected; {
	case i.Found == 0:
		return fmt.Sprintf("%s are never found within %s. Give the canary more than %s of the traffic, or let steps wait longer.",
			worse, short(r.Length), percent(r.Weight))
	case i.Slow == 0:
		text := fmt.Sprintf("%s are found in %s of the rollouts within %s", worse, of(i.Found, c.Rollouts), short(r.Length))
		if i.Median > 0 {
			text += ", in half of them within " + short(i.Median)
		}
		return text + fmt.Sprintf(". Give the canary more than %s of the traffic, or let steps wait longer.", percent(r.Weight))
	default:
		return fmt.Sprintf("%s are found in %s (median) and in %s (95%%). The canary has given %s bad answers until then.",
			worse, short(i.Median), short(i.Slow), number(i.Bad))
	}
}

// what is counted, where it is the same in all rollouts.
func (c *Comparison) what() string {
	if len(c.Counts) == 1 {
		return c.Counts[0]
	}
	return "bad answers (" + strings.Join(c.Counts, ", ") + ")"
}

func (c *Comparison) fired() string {
	h := c.Healthy
	if len(h.Fired) == 0 {
		return fmt.Sprintf("%s: no false alarm in %s. Keep the margin, or try a smaller one.", c.Metric, plural(c.Rollouts, "rollout"))
	}
	text := fmt.Sprintf("%s: %s at %s. ", c.Metric, plural(len(h.Fired), "false alarm"), list(h.Fired))
	if h.Low > c.FalseAlarm {
		return text + fmt.Sprintf("That is more than the %s that it may have: try a larger margin.", percent(c.FalseAlarm))
	}
	return text + fmt.Sprintf("That is not more than chance makes of the %s that it may have.", percent(c.FalseAlarm))
}

func (c *Comparison) passes(r Report) string {
	switch h := c.Healthy; {
	case h.Median == 0:
		return fmt.Sprintf("%s: fewer than half of healthy canaries have a Pass within %s. There are too few requests: "+
			"give the canary more than %s of the traffic, or set inconclusiveLimit.", c.Metric, short(r.Length), percent(r.Weight))
	case h.Slow == 0:
		return fmt.Sprintf("%s: a healthy canary has its first Pass after %s (median), but more than 5%% have none within %s. "+
			"A weight does not rise before.", c.Metric, short(h.Median), short(r.Length))
	default:
		return fmt.Sprintf("%s: a healthy canary has its first Pass after %s (median) or %s (95%%). A weight does not rise before.",
			c.Metric, short(h.Median), short(h.Slow))
	}
}

func (c *Condition) advice() string {
	name := c.Metric + " " + c.Text
	switch {
	case c.NotTested != "":
		return name + ": not tested: " + c.NotTested + "."
	case c.Measurements == c.NoNumber:
		return name + ": not tested: stable has no number in Prometheus at any of these times, or too few requests."
	case len(c.Fired) == 0:
		return fmt.Sprintf("%s: no rollback of a healthy version in %s. A canary has fewer requests than stable, so its numbers move more. "+
			"How fast a fault is found is not known: nobody can tell how a fault moves a number.", name, plural(c.Rollouts, "rollout"))
	}
	text := fmt.Sprintf("%s: with failureLimit %d it rolls back %d of %d healthy versions, at %s. ",
		name, c.Limit, len(c.Fired), c.Rollouts, list(c.Fired))
	for limit := c.Limit + 1; limit < len(c.ByLimit); limit++ {
		if c.ByLimit[limit] == 0 {
			return text + fmt.Sprintf("With failureLimit %d it rolls back none.", limit)
		}
	}
	return text + "Compare with stable instead (auto), or choose another bound."
}
