package analysis

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// reading is what a provider returned for one question.
type reading struct {
	samples  []float64
	status   int      // of an HTTP answer of a web provider; else 0
	body     any      // its body
	warnings []string // the answer may be incomplete
	err      error    // there is no answer
}

// answers are the readings for questions, in the same places.
type answers struct {
	metrics        []reading
	canaryRequests reading
	stableOnly     reading
}

// neitherReceived says that neither stable nor the canary has any requests in the
// metrics. It is false where that was not asked, at weight 0.
func (a answers) neitherReceived() bool {
	return len(a.stableOnly.samples) == 1 && a.stableOnly.samples[0] == 0
}

// finding is the verdict on one reading.
type finding struct {
	verdict rollout.Verdict
	text    string
}

// The router ignores the canary if stable received at least this many requests, at
// least this many of them were expected at the canary, and the canary received none.
//
// Worked examples, with N requests to stable and the canary at weight w percent:
//
//	w = 10, N =  99: 9.9 expected, but N is below 100: not reported
//	w = 10, N = 100: 10 expected: reported
//	w =  1, N = 499: 4.99 expected: not reported
//	w =  1, N = 500: 5 expected: reported
//
// Chance alone leaves the canary without any request with probability (1-w/100)^N,
// which is less than e^(-wN/100). With five expected requests that is e^-5 = 0.7%.
// The first limit is for a router that distributes requests in turns: it may begin
// with a long run of requests for stable.
const (
	ignoredCanaryMinRequests = 100
	ignoredCanaryMinExpected = 5
)

// assess evaluates every metric of a that has a condition, and hands what it finds to
// settle. src is where the numbers of requests are from. ignored: the router ignores the
// canary.
func assess(
	a Analysis, s rollout.Subject, src Source, got answers, settle func(Metric, finding) finding,
) (findings []finding, ignored bool) {
	findings = findIgnoredCanary(s.Weight, got.stableOnly)
	ignored = len(findings) > 0 && got.stableOnly.err == nil
	enough := true
	if a.MinRequests > 0 {
		tooFew := findTooFewRequests(a.MinRequests, s, src, got)
		enough = len(tooFew) == 0
		findings = append(findings, tooFew...)
	}
	for i, m := range a.Metrics {
		// With three requests, two failures do not yet prove a success rate of 33%.
		if !m.isComparison() && (enough || !m.needsTraffic()) {
			findings = append(findings, settle(m, m.evaluate(got.metrics[i])))
		}
	}
	return findings, ignored
}

// findIgnoredCanary reports a router that ignores the canary. That proves nothing
// about the new version, so it is an Error and never a Fail.
func findIgnoredCanary(weight int, stableOnly reading) []finding {
	if stableOnly.err != nil {
		return []finding{unanswered("router", stableOnly.err)}
	}
	requests := total(stableOnly)
	expected := requests * float64(weight) / 100
	if weight == 0 || requests < ignoredCanaryMinRequests || expected < ignoredCanaryMinExpected {
		return nil
	}
	return []finding{{rollout.Error, fmt.Sprintf(
		"the router ignores the canary: stable received %.0f requests and the canary none at weight %d%%", requests, weight)}}
}

// findTooFewRequests says that the canary received fewer than minimum. Prometheus
// extrapolates an increase, so it may be 9.9 for 9 or 10 requests: it is rounded
// down and is below a minimum of 10.
//
// Where stable received none either, the canary is not the cause, so the text says that
// and what may be.
func findTooFewRequests(minimum int, s rollout.Subject, src Source, got answers) []finding {
	if got.canaryRequests.err != nil {
		return []finding{unanswered("requests", got.canaryRequests.err)}
	}
	received := total(got.canaryRequests)
	if received >= float64(minimum) {
		return nil
	}
	text := fmt.Sprintf("too few requests: the canary received %.0f in %s, want >= %d",
		math.Floor(received), promDuration(s.Window), minimum)
	if s.Weight == 0 {
		text += "; " + onlyMatching
	}
	if got.neitherReceived() {
		series, _ := src.series()
		text += "; " + noneInMetrics(series)
	}
	return []finding{{rollout.Inconclusive, text}}
}

const onlyMatching = "at weight 0%, only requests that match its header or cookie reach it"

// noneInMetrics says that stable has no request either, and which the source leaves out.
// series may be nil.
func noneInMetrics(series sourceSeries) string {
	text := "stable has none in the metrics either"
	if series != nil && series.leftOut() != "" {
		text += ": " + series.leftOut()
	}
	return text
}

// total is 0 where there are no samples: in PromQL, a sum over no series is empty.
func total(r reading) float64 {
	var sum float64
	for _, v := range r.samples {
		if finite(v) {
			sum += v
		}
	}
	return sum
}

// evaluate compares every sample with the condition. The worst sample decides: one
// that breaks the condition, then one that is not a number, then one that holds.
//
// For the condition "< 1%": samples 0.5 and NaN are a Fail (50%), samples 0 and NaN
// are Inconclusive, samples 0 and 0.001 are a Pass (0.1%).
func (m Metric) evaluate(r reading) finding {
	if m.Asked.cel != nil {
		return m.evaluateCEL(r)
	}
	if r.err != nil {
		return unanswered(m.Name, r.err)
	}
	if len(r.samples) == 0 {
		return finding{rollout.Inconclusive, m.Name + ": no data"}
	}
	numbers := slices.DeleteFunc(slices.Clone(r.samples), func(v float64) bool { return !finite(v) })
	if failing := slices.DeleteFunc(slices.Clone(numbers), m.Condition.Holds); len(failing) > 0 {
		return finding{rollout.Fail, m.describeWorst(failing, len(r.samples))}
	}
	if len(numbers) < len(r.samples) {
		return finding{rollout.Inconclusive, m.Name + ": not a number"}
	}
	if len(r.warnings) > 0 {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s: incomplete answer: %s", m.Name, r.warnings[0])}
	}
	return finding{rollout.Pass, m.describeWorst(numbers, len(r.samples))}
}

// describeWorst shows the worst of numbers: the largest under an upper bound, else
// the smallest. samples is how many samples the answer had in all.
func (m Metric) describeWorst(numbers []float64, samples int) string {
	worst := slices.Min(numbers)
	if m.Condition.IsUpperBound() {
		worst = slices.Max(numbers)
	}
	text := fmt.Sprintf("%s %s, want %s", m.Name, m.Condition.Render(worst), m.Condition)
	if samples > 1 {
		text += fmt.Sprintf(" (worst of %d)", samples)
	}
	return text
}

// unanswered names the metric only if its query is the cause. Otherwise the cause is
// the same for every metric, and combine shows one of several equal texts.
func unanswered(name string, err error) finding {
	if fault, ok := errors.AsType[provider.QueryFault](err); ok {
		return finding{rollout.Error, name + ": query " + fault.Error()}
	}
	if other, ok := errors.AsType[*silence](err); ok {
		return finding{rollout.Error, other.Error()}
	}
	return finding{rollout.Error, "Prometheus does not answer: " + err.Error()}
}

// severity orders verdicts: the highest of a measurement is its verdict.
var severity = map[rollout.Verdict]int{
	rollout.Pass: 0, rollout.Inconclusive: 1, rollout.StableUnhealthy: 2, rollout.Error: 3, rollout.Fail: 4,
}

// combine returns the worst verdict, and the texts of all findings that have it.
func combine(findings []finding) rollout.Measurement {
	if len(findings) == 0 {
		return rollout.Measurement{Verdict: rollout.Inconclusive, Message: "nothing was measured"}
	}
	worst := slices.MaxFunc(findings, func(a, b finding) int { return severity[a.verdict] - severity[b.verdict] })
	var texts []string
	for _, f := range findings {
		if f.verdict == worst.verdict && !slices.Contains(texts, f.text) {
			texts = append(texts, f.text)
		}
	}
	return rollout.Measurement{Verdict: worst.verdict, Message: clip(strings.Join(texts, "; "))}
}

// clip keeps a message well below the 1024 bytes that an Event may have. The rest is
// for what the decision writes before it.
func clip(text string) string {
	const limit = 600
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
