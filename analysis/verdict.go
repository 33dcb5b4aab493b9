package analysis

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/headgate/headgate/rollout"
)

// reading is what Prometheus said to one query.
type reading struct {
	samples  []float64
	warnings []string // the answer may be incomplete
	err      error    // there is no answer
}

// answers are what Prometheus said to questions, in the same places.
type answers struct {
	metrics        []reading
	canaryRequests reading
	stableOnly     reading
}

// finding is the verdict on one reading.
type finding struct {
	verdict rollout.Verdict
	text    string
}

// When stable received so many requests and the canary none, the canary's
// share is not small but zero. At weight w percent, N requests leave the canary
// without any by chance with probability (1-w/100)^N < e^(-wN/100); with five
// expected that is below 1%. At least a hundred in all, because a router that
// takes turns may begin with a run for stable.
const (
	ignoredMinRequests = 100
	ignoredMinExpected = 5
)

// assess judges every metric of a and combines the findings.
func assess(a Analysis, s rollout.Subject, r answers) rollout.Measurement {
	findings := judgeShare(s.Weight, r.stableOnly)
	enough := true
	if a.MinRequests > 0 {
		short := judgeRequests(a.MinRequests, s, r.canaryRequests)
		enough = len(short) == 0
		findings = append(findings, short...)
	}
	for i, m := range a.Metrics {
		// Two failures of three requests are no success rate of 33%.
		if enough || !m.needsTraffic() {
			findings = append(findings, m.judge(r.metrics[i]))
		}
	}
	return combine(findings)
}

// judgeShare finds a router that ignores the canary. That proves nothing about
// the new version, so it is never a Fail.
func judgeShare(weight int, r reading) []finding {
	if r.err != nil {
		return []finding{unanswered("router", r.err)}
	}
	stable := total(r)
	if weight == 0 || stable < ignoredMinRequests || stable*float64(weight)/100 < ignoredMinExpected {
		return nil
	}
	return []finding{{rollout.Error, fmt.Sprintf(
		"the router ignores the canary: stable received %.0f requests and the canary none at weight %d%%", stable, weight)}}
}

func judgeRequests(minimum int, s rollout.Subject, r reading) []finding {
	if r.err != nil {
		return []finding{unanswered("requests", r.err)}
	}
	n := total(r)
	if n >= float64(minimum) {
		return nil
	}
	text := fmt.Sprintf("too few requests: the canary received %.0f in %s, want >= %d", math.Floor(n), promDuration(s.Window), minimum)
	if s.Weight == 0 {
		text += "; at weight 0% only requests that match its header or cookie come"
	}
	return []finding{{rollout.Inconclusive, text}}
}

// total is 0 without samples: a sum over no series is empty.
func total(r reading) float64 {
	var sum float64
	for _, v := range r.samples {
		if finite(v) {
			sum += v
		}
	}
	return sum
}

// judge compares every sample: the worst one decides. A sample that breaks the
// condition outweighs one that is no number, and that one all that hold.
func (m Metric) judge(r reading) finding {
	if r.err != nil {
		return unanswered(m.Name, r.err)
	}
	if len(r.samples) == 0 {
		return finding{rollout.Inconclusive, m.Name + ": no data"}
	}
	numbers := slices.DeleteFunc(slices.Clone(r.samples), func(v float64) bool { return !finite(v) })
	if broken := slices.DeleteFunc(slices.Clone(numbers), m.Condition.Holds); len(broken) > 0 {
		return finding{rollout.Fail, m.sentence(broken, len(r.samples))}
	}
	if len(numbers) < len(r.samples) {
		return finding{rollout.Inconclusive, m.Name + ": not a number"}
	}
	if len(r.warnings) > 0 {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s: incomplete answer: %s", m.Name, r.warnings[0])}
	}
	return finding{rollout.Pass, m.sentence(numbers, len(r.samples))}
}

// sentence shows the worst of numbers, of so many samples.
func (m Metric) sentence(numbers []float64, of int) string {
	worst := slices.Min(numbers)
	if m.Condition.upper() {
		worst = slices.Max(numbers)
	}
	text := fmt.Sprintf("%s %s, want %s", m.Name, m.Condition.Render(worst), m.Condition)
	if of > 1 {
		text += fmt.Sprintf(" (worst of %d)", of)
	}
	return text
}

// queryFault is an error that lies in one query, not in the provider.
type queryFault struct{ reason string }

func (q *queryFault) Error() string { return q.reason }

// unanswered names the metric only if its query is to blame. Otherwise every
// metric has the same trouble and it is told once.
func unanswered(name string, err error) finding {
	if fault, ok := errors.AsType[*queryFault](err); ok {
		return finding{rollout.Error, name + ": query " + fault.reason}
	}
	return finding{rollout.Error, "Prometheus does not answer: " + err.Error()}
}

var severity = map[rollout.Verdict]int{rollout.Pass: 0, rollout.Inconclusive: 1, rollout.Error: 2, rollout.Fail: 3}

// combine takes the worst verdict and, of the texts, those that led to it.
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

// clip keeps a message well below the 1024 bytes that an Event may carry.
func clip(text string) string {
	const limit = 600
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
