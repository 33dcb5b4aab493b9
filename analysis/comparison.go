package analysis

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

const (
	// lookInterval is the time between two looks at the counters.
	lookInterval = evidence.DefaultInterval

	// history is how far back stable is looked at before the first look.
	history = time.Hour

	// minHistory is how many requests of stable tell which of its answers are slow.
	minHistory = 100
)

// comparison is how a metric compares the canary with stable, request by request. It
// counts bad answers on both tracks: those with 5xx, or those that took longer than a
// limit. The zero value counts those with 5xx, with the margin of package evidence.
type comparison struct {
	// quantile and times choose the limit: the first bound of the histogram at or above
	// times * stable's quantile of the hour before. 0.99 and 1.2: p99 <= 1.2 * stable.
	// A quantile of 0 counts answers with 5xx.
	quantile, times float64

	// asked is a limit of the user's, ">= 99%" of success-rate, and seconds that of a
	// percentile. It takes the place of times. The zero values: there is none.
	asked   spec.Condition
	seconds float64

	own *ownCounters // nil: the counters of the ingress controller

	rule evidence.Rule
}

func (c comparison) needsLimit() bool { return c.quantile > 0 }

// fingerprint tells this comparison from any other.
func (c comparison) fingerprint() string {
	text := fmt.Sprintf("%g*%g %g+%g %g/%d", c.times, c.quantile, c.rule.Ratio, c.rule.Points, c.rule.FalseAlarm, c.rule.Metrics)
	if c.rule.Bound > 0 {
		text += fmt.Sprintf(" at most %g", c.rule.Bound)
	}
	if c.rule.Strict {
		text += " strict"
	}
	if c.rule.WarmUp != 0 {
		text += fmt.Sprintf(" warm-up %s", c.rule.WarmUp)
	}
	if c.own != nil {
		text += fmt.Sprintf(" %+v", *c.own)
	}
	if c.seconds > 0 {
		text += fmt.Sprintf(" %gs", c.seconds)
	}
	return text
}

// query is the PromQL for the counters of both tracks. limits are labels of bounds of the
// histogram; none: all bounds.
func (c comparison) query(p counterProvider, series sourceSeries, s rollout.Subject, limits []string) (string, error) {
	if c.own != nil {
		return c.own.query(p, s)
	}
	if series == nil {
		return "", &silence{errNoSource().Error()}
	}
	if !c.needsLimit() {
		return countersQuery(series.requestCounter(), "", series.statusLabel(), s, series), nil
	}
	further := ""
	if len(limits) > 0 {
		further = fmt.Sprintf(`,le=~"%s"`, strings.ReplaceAll(strings.Join(limits, "|"), ".", `\\.`)+`|\\+Inf`)
	}
	return countersQuery(series.durationBuckets(), further, "le", s, series), nil
}

// classify tells what each series of the answer counts. A bucket counts the answers that
// took at most its bound, so the bad ones are those of the last bucket less those of the
// limit's: looks subtracts them.
func (c comparison) classify(series sourceSeries, limit string) classify {
	if c.own != nil {
		return c.own.classify
	}
	if !c.needsLimit() {
		return func(labels map[string]string) (requests, bad bool) {
			return true, strings.HasPrefix(labels[series.statusLabel()], "5")
		}
	}
	return func(labels map[string]string) (requests, fast bool) {
		return isInf(labels["le"]), labels["le"] == limit
	}
}

func isInf(le string) bool {
	bound, err := strconv.ParseFloat(le, 64)
	return err == nil && math.IsInf(bound, 1)
}

// looks returns what happened between each two times of g.
func (c comparison) looks(answer []provider.Series, g grid, series sourceSeries, limit string) []evidence.Look {
	looks := looksOf(answer, g, c.classify(series, limit))
	if c.needsLimit() || c.own != nil && c.own.good {
		goodToBad(looks)
	}
	return looks
}

// unknown is why it is not known yet which answers are slow.
type unknown string

func (u unknown) Error() string { return string(u) }

// chooseLimit returns the label of a bound of the histogram: an answer above it is slow.
func (c comparison) chooseLimit(answer []provider.Series, g grid) (string, error) {
	if c.seconds > 0 {
		return c.boundAbove(answer)
	}
	return c.boundOfStable(answer, g)
}

// boundAbove returns the label of the first bound at or above the limit that the user set.
// Between two bounds nothing is known.
func (c comparison) boundAbove(answer []provider.Series) (string, error) {
	last, label, above := 0.0, "", math.Inf(1)
	for _, s := range answer {
		bound, err := strconv.ParseFloat(s.Labels["le"], 64)
		if err != nil || math.IsInf(bound, 1) {
			continue
		}
		if last = max(last, bound); bound >= c.seconds && bound < above {
			above, label = bound, s.Labels["le"]
		}
	}
	switch {
	case last == 0:
		return "", unknown("no request is in the metrics")
	case label == "":
		return "", unknown(fmt.Sprintf("the histogram of the ingress controller ends at %gs: ask for a limit within it", last))
	}
	return label, nil
}

// boundOfStable returns the label of the first bound of stable's histogram at or above
// times * its quantile.
//
// Example: 1.2 * p99, bounds 0.1, 0.3, 1.2, +Inf; 99% of the answers took at most 0.3 s,
// and fewer at most 0.1 s. 1.2 * 0.3 = 0.36, so the limit is 1.2.
func (c comparison) boundOfStable(answer []provider.Series, g grid) (string, error) {
	totals, labels := map[float64]int64{}, map[float64]string{}
	for _, s := range answer {
		bound, err := strconv.ParseFloat(s.Labels["le"], 64)
		if err != nil || s.Labels[trackLabel] != stableTrack {
			continue
		}
		labels[bound] = s.Labels["le"]
	}
	for bound, label := range labels {
		for _, k := range looksOf(answer, g, func(l map[string]string) (bool, bool) { return l["le"] == label, false }) {
			totals[bound] += k.StableRequests
		}
	}
	all := totals[math.Inf(1)]
	if all < minHistory {
		return "", unknown("stable has too few requests in the metrics to tell which answers are slow")
	}
	bounds := slices.Sorted(maps.Keys(labels))
	at := slices.IndexFunc(bounds, func(b float64) bool { return float64(totals[b]) >= c.quantile*float64(all) })
	limit := bounds[at]
	for _, bound := range bounds[at:] {
		if bound >= c.times*bounds[at] && !math.IsInf(bound, 1) {
			limit = bound
			break
		}
	}
	if math.IsInf(limit, 1) { // stable is slower than its largest bound: that bound is the best there is
		if len(bounds) < 2 {
			return "", errors.New("stable's histogram has no bounds")
		}
		limit = bounds[len(bounds)-2]
	}
	return labels[limit], nil
}

// describeAlone says what a canary with all the traffic does, by the line of a disaster.
func (c comparison) describeAlone(name string, known *judged) finding {
	v := known.Alone.Evidence.Verdict(known.Alone.rule(known.rule(c.rule)))
	canary := v.CanaryCounts()
	text := fmt.Sprintf("%s: canary %s %s of %s, and it has all the traffic", c.title(name, canary), percent(canary.Share()),
		c.what(known.Limit), thousands(canary.Requests))
	limit := percent(known.Alone.Bound)
	switch v.Outcome {
	case evidence.Fail:
		return finding{rollout.Fail, text + ": more than " + limit + c.worseThanBefore(known.Alone.Bound)}
	case evidence.Pass, evidence.Cleared:
		return finding{rollout.Pass, text + ": less than " + limit}
	case evidence.Undecided, evidence.StableUnhealthy:
	}
	return finding{rollout.Inconclusive, text + ": not yet known whether that is less than " + limit}
}

// worseThanBefore says what a line of a disaster means. The limit of the user's is no such
// line.
func (c comparison) worseThanBefore(bound float64) string {
	if bound == c.rule.Bound {
		return ""
	}
	return ", which is far more than stable had before"
}

// what is counted, in plural.
func (c comparison) what(limit string) string {
	if c.own != nil {
		return "bad ones"
	}
	if !c.needsLimit() {
		return "errors"
	}
	seconds, _ := strconv.ParseFloat(limit, 64) // it is the label of a bound
	return "answers slower than " + time.Duration(seconds*float64(time.Second)).String()
}

// describe says what was counted, and what follows from it.
func (c comparison) describe(name, limit string, v evidence.Verdict) finding {
	what := c.what(limit)
	stable, canary := v.StableCounts(), v.CanaryCounts()
	text := fmt.Sprintf("%s: canary %s %s of %s, stable %s of %s", c.title(name, canary), percent(canary.Share()), what,
		thousands(canary.Requests), percent(stable.Share()), thousands(stable.Requests))
	return finding{c.verdictOf(v), text + c.because(v)}
}

func (c comparison) verdictOf(v evidence.Verdict) rollout.Verdict {
	switch v.Outcome {
	case evidence.Fail:
		return rollout.Fail
	case evidence.Pass, evidence.Cleared:
		return rollout.Pass
	case evidence.StableUnhealthy:
		return rollout.StableUnhealthy
	case evidence.Undecided:
	}
	return rollout.Inconclusive
}

func (c comparison) because(v evidence.Verdict) string {
	switch {
	case v.Outcome == evidence.Fail:
		return fmt.Sprintf(": %s; a healthy version would show this less than once in %.0f rollouts",
			c.crossed(), float64(max(c.rule.Metrics, 1))/c.rule.FalseAlarm)
	case v.Outcome == evidence.StableUnhealthy:
		return ": stable is unhealthy as well, and the canary is not shown to be worse"
	case v.Outcome == evidence.Pass && c.rule.Bound > 0:
		return ": not more than " + percent(c.rule.Bound)
	case v.Outcome == evidence.Pass:
		return fmt.Sprintf(": not worse than %g * stable + %s points", c.rule.Ratio, points(c.rule.Points))
	case v.Outcome == evidence.Cleared:
		return ": nothing speaks against it"
	case v.AtWeight.CanaryRequests == 0:
		return ": not yet known, no request at this weight"
	case v.Suspicious:
		return ": not yet known, it looks worse than stable"
	}
	return ": not yet known, too few requests at this weight"
}

// crossed is what a canary that fails has crossed.
func (c comparison) crossed() string {
	switch {
	case c.rule.Strict:
		return "more than " + percent(c.rule.Bound)
	case c.rule.Bound > 0:
		return "more than " + percent(c.rule.Bound) + ", and worse than stable"
	}
	return fmt.Sprintf("worse than %g * stable + %s points", c.rule.Ratio, points(c.rule.Points))
}

// percent is a share with two digits, or more where it is small: 0.0123 is 1.2%.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/100, 'f', -1, 64) + "%"
}

func points(share float64) string { return strconv.FormatFloat(math.Round(share*1e6)/1e4, 'f', -1, 64) }

// thousands is n with commas: 38,004.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
