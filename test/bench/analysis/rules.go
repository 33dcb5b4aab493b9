package analysis

import "github.com/headgate/headgate/analysis/evidence"

// Rule is a way to judge a canary.
type Rule struct {
	Name  string
	begin func(history []evidence.Counts) judge
}

// judge watches one rollout.
type judge interface {
	// add takes the next look and says whether the canary is rolled back.
	add(k evidence.Look) bool
}

func headgate(name string, rule evidence.Rule) Rule {
	return Rule{name, func(history []evidence.Counts) judge {
		t := &test{rule: rule}
		t.evidence.History(rule, history)
		return t
	}}
}

// test is Headgate's rule.
type test struct {
	rule     evidence.Rule
	evidence evidence.Evidence
}

func (t *test) add(k evidence.Look) bool {
	t.evidence.Add(t.rule, k)
	return t.evidence.Verdict(t.rule).Outcome == evidence.Fail
}

// The peers' rules as their documentation has them: a success rate of 99% over a window,
// measured again and again. The windows here are exact differences of counters, which is
// better than what a query gives them.
var (
	// A measurement every 30 s over a minute. The fourth failure aborts: failureLimit 3.
	// No data is a failure.
	argoRollouts = window("Argo Rollouts", windowRule{every: 6, window: inMinute, limit: 3, noData: fails})
	// A check every 60 s over a minute. The fifth failed check rolls back: threshold 5.
	// No data is a failed check.
	flagger = window("Flagger", windowRule{every: inMinute, window: inMinute, limit: 4, noData: fails})
	// What Headgate does with a condition on a window: every 30 s, of at least 10 requests. The
	// first failure rolls back.
	fixedWindow = window("window", windowRule{every: 6, window: 6, limit: 0, least: 10, noData: waits})
)

func window(name string, rule windowRule) Rule {
	return Rule{name, func([]evidence.Counts) judge { return &windows{windowRule: rule} }}
}

type noData int

const (
	fails noData = iota
	waits
)

const leastSuccess = 0.99

// windowRule fails a measurement whose success rate is below leastSuccess.
type windowRule struct {
	every, window int   // looks
	limit         int   // failures that are allowed
	least         int64 // requests that a measurement needs
	noData        noData
}

type windows struct {
	windowRule
	looks  []evidence.Counts
	failed int
}

func (w *windows) add(k evidence.Look) bool {
	w.looks = append(w.looks, evidence.Counts{Requests: k.CanaryRequests, Errors: k.CanaryErrors})
	if len(w.looks)%w.every == 0 && w.fails() {
		w.failed++
	}
	return w.failed > w.limit
}

func (w *windows) fails() bool {
	var sum evidence.Counts
	for _, c := range w.looks[max(0, len(w.looks)-w.window):] {
		sum.Requests += c.Requests
		sum.Errors += c.Errors
	}
	if sum.Requests < max(w.least, 1) {
		return w.noData == fails
	}
	return 1-sum.Share() < leastSuccess
}
