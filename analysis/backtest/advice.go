package backtest

import (
	"fmt"
	"slices"
	"strings"
)

// Advice says for each metric what follows from the numbers, and what to change. It says
// only what was simulated.
func (r Report) Advice() []string {
	var advice []string
	for _, c := range r.Comparisons {
		advice = append(advice, c.notJudged(r.Rollouts)...)
		if c.Rollouts > 0 {
			advice = append(advice, c.Metric+": "+c.fired()+" "+c.found(r)+" "+c.passes(r))
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

func (c *Comparison) fired() string {
	h := c.Healthy
	if len(h.Fired) == 0 {
		return "no false alarm."
	}
	text := fmt.Sprintf("%s (%s), ", plural(len(h.Fired), "false alarm"), list(h.Fired))
	if h.Low > c.FalseAlarm {
		return text + fmt.Sprintf("more than the accepted rate of %s: try a larger margin.", percent(c.FalseAlarm))
	}
	return text + fmt.Sprintf("which may happen at the accepted rate of %s.", percent(c.FalseAlarm))
}

func (c *Comparison) found(r Report) string {
	fault := fmt.Sprintf("a fault of +%s", points(r.Inject))
	i := c.Injected
	if c.Bad+r.Inject*(1-c.Bad) <= c.Allowed {
		return fmt.Sprintf("A%s is allowed: stable has %s, and the canary may have %s. A smaller margin or limit finds it.",
			fault[1:], percent(c.Bad), percent(c.Allowed))
	}
	switch {
	case i.Slow > 0:
		return fmt.Sprintf("At this traffic %s is found in %s (median) or %s (95%%).", fault, short(i.Median), short(i.Slow))
	case i.Found == 0:
		fault += " is never found"
	default:
		fault += fmt.Sprintf(" is found in %s of the rollouts", of(i.Found, c.Rollouts))
	}
	return fmt.Sprintf("At this traffic %s within %s; stable has %s, and the canary may have %s. "+
		"Give the canary more than %s of the traffic, or let steps wait longer.",
		fault, short(r.Length), percent(c.Bad), percent(c.Allowed), percent(r.Weight))
}

// what is counted. A limit may differ between rollouts: "answers slower than 1s or 2s".
func (c *Comparison) what() string {
	const limit, most = "answers slower than ", 3
	text := ""
	for i, counts := range c.Counts {
		switch {
		case i == 0:
			text = counts
		case i == most:
			return text + " …"
		default:
			text += " or " + strings.TrimPrefix(counts, limit)
		}
	}
	return text
}

func (c *Comparison) passes(r Report) string {
	switch h := c.Healthy; {
	case h.Median == 0:
		return fmt.Sprintf("Fewer than half of the healthy canaries have a Pass within %s: give the canary more than %s of the traffic.",
			short(r.Length), percent(r.Weight))
	case h.Slow == 0:
		return fmt.Sprintf("The first Pass comes after %s (median), in more than 5%% of the rollouts not within %s: "+
			"give the canary more than %s of the traffic.", short(h.Median), short(r.Length), percent(r.Weight))
	default:
		return fmt.Sprintf("With a wait of %s, 95%% of the healthy canaries have their Pass in time.", short(h.Slow))
	}
}

// because is why the condition was not tested, with its metric. "": it was.
func (c *Condition) because() string {
	if c.NotTested == "" {
		return ""
	}
	return c.Metric + " " + c.Text + ": not tested: " + c.NotTested
}

func (c *Condition) advice() string {
	name := c.Metric + " " + c.Text
	switch {
	case c.NotTested != "":
		return c.because() + "."
	case c.Measurements == c.NoNumber:
		return name + ": not tested: stable has no number in Prometheus at any of these times, or too few requests."
	}
	const limits = "A canary has fewer requests than stable, so its numbers move more. " +
		"How soon a fault is found was not tested: nobody knows how it moves the number."
	if len(c.Fired) == 0 {
		return fmt.Sprintf("%s: no false alarm with %s. %s", name, c.Limits, limits)
	}
	text := fmt.Sprintf("%s: with %s it rolls back %d of %d healthy versions (%s). ", name, c.Limits, len(c.Fired), c.Rollouts, list(c.Fired))
	if none := slices.Index(c.InARow, 0); none >= 0 {
		return text + fmt.Sprintf("With consecutiveFailureLimit %d it rolls back none. %s", none, limits)
	}
	return text + "Choose another bound, or compare with stable instead (auto). " + limits
}
