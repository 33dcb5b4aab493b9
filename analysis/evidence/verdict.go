package evidence

// Outcome is what the evidence says. The zero value is Undecided.
type Outcome int

// The outcomes.
const (
	// Undecided: keep the weight. There were too few requests to exclude a disaster at this
	// weight, or what was seen speaks against the canary, see Verdict.Suspicious.
	Undecided Outcome = iota
	// Cleared: a disaster is excluded at this weight, and what was seen speaks for the canary.
	// The weight may rise when its time is over.
	Cleared
	// Pass: the canary is shown to be within the limit. The wait may end early.
	Pass
	// StableUnhealthy: stable is over the absolute bound itself, and the canary is not shown
	// to be worse. Keep the weight.
	StableUnhealthy
	// Fail: the canary is worse than it may be. It stays Fail.
	Fail
)

func (o Outcome) String() string {
	switch o {
	case Cleared:
		return "Cleared"
	case Pass:
		return "Pass"
	case StableUnhealthy:
		return "StableUnhealthy"
	case Fail:
		return "Fail"
	default:
		return "Undecided"
	}
}

// Verdict is the outcome and the numbers behind it.
type Verdict struct {
	Outcome Outcome

	// Total are the requests and errors of both tracks since the start, AtWeight those
	// since the weight was set.
	Total, AtWeight Look

	WarmingUp bool // only a disaster can fail the canary yet

	// Suspicious is true while evidence against the canary is above 1: not enough to fail it,
	// but no reason to give it more traffic. It goes away as good looks follow.
	Suspicious bool

	// Evidence of each test, and what it must reach. Evidence begins at 1; against a true
	// statement it reaches 100 at most once in 100 rollouts.
	Equal, Margin Test // against "no worse than stable", "within the margin"
	Absolute      Test // against "within the bound"; zero without a bound
	Stable        Test // the same of stable
	Passing       Test // against "beyond the limit", at this weight
	Clearing      Test // against "beyond the gross line", at this weight

	// Clump is how many errors of stable come together; evidence is raised to the power
	// 1/Clump. ClumpKnown is false while it is a guess.
	Clump      float64
	ClumpKnown bool

	// Level is stable's expected share of errors, of the last minutes.
	Level float64
}

// Test is evidence against a statement. The zero value is a test that is not made.
type Test struct{ Evidence, Threshold float64 }

// Reached reports whether the statement is refuted now.
func (t Test) Reached() bool { return t.Threshold > 0 && t.Evidence >= t.Threshold }

// StableCounts are the requests and errors of stable since the start.
func (v Verdict) StableCounts() Counts { return v.Total.stable() }

// CanaryCounts are the requests and errors of the canary since the start.
func (v Verdict) CanaryCounts() Counts { return v.Total.canary() }

// CanaryTraffic is the canary's share of the requests since the weight was set.
func (v Verdict) CanaryTraffic() float64 {
	all := v.AtWeight.StableRequests + v.AtWeight.CanaryRequests
	if all == 0 {
		return 0
	}
	return float64(v.AtWeight.CanaryRequests) / float64(all)
}

// Verdict returns what the evidence says. The rule must be that of Add.
func (e *Evidence) Verdict(rule Rule) Verdict {
	rule = rule.withDefaults()
	v := Verdict{
		Outcome: e.outcome(rule),
		Total:   e.total, AtWeight: e.atWeight, WarmingUp: e.warmingUp(rule),
		Suspicious: e.suspicious(rule),
		Equal:      Test{e.against(&e.equal, standard), rule.equalThreshold()},
		Margin:     Test{e.against(&e.margin, standard), rule.marginThreshold()},
		Passing:    Test{e.pass.value(), passThreshold},
		Clearing:   Test{e.clear.value(), passThreshold},
		Clump:      e.clumps.estimate(),
		ClumpKnown: e.clumps.known(),
		Level:      e.level.share(),
	}
	if rule.absolute() {
		v.Absolute = Test{e.against(&e.absolute, standard), rule.equalThreshold()}
		v.Stable = Test{e.stable.value(), rule.equalThreshold()}
	}
	return v
}

func (e *Evidence) outcome(rule Rule) Outcome {
	switch {
	case e.failed:
		return Fail
	case e.stableUnhealthy(rule):
		return StableUnhealthy
	case e.suspicious(rule):
		return Undecided
	case e.passed:
		return Pass
	case e.cleared:
		return Cleared
	default:
		return Undecided
	}
}

func (e *Evidence) suspicious(rule Rule) bool {
	const nothing = 1 + 1e-9 // more than rounding makes of 1
	equal := e.against(&e.equal, standard) > nothing
	if !rule.absolute() {
		return equal && e.against(&e.margin, standard) > nothing
	}
	return e.against(&e.absolute, standard) > nothing && (rule.Strict || equal)
}
