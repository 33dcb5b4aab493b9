package rollout

import (
	"cmp"
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// needs is what d is made without and that is due. It goes by what is recorded:
// what this decision itself makes due is for the next look. A measurement and a
// Job come before gates, because what they say may end the rollout. The gates of
// one point are asked in one pass: an answer at one point may lead to another,
// which is for the next look.
func (p *pass) needs(d Decision) Needs {
	var n Needs
	due := p.nextMeasurement(p.recorded)
	n.Measurement = p.Measurement == nil && !p.Awaited.Measurement && !due.IsZero() && !due.After(p.Now)
	if goal := p.recorded.DueJob(); goal != nil && (p.Job == nil || p.Job.Run != goal.Run) {
		n.Job = goal
	}
	n.Start, n.Adoption = p.unchecked.Start, p.unchecked.Adoption
	if n.None() && d.Reason == reason.AwaitingGate && p.Gate == nil {
		n.Gates = p.unanswered
	}
	return n
}

// nextMeasurement is when to measure next in state s. Zero: not before something
// else changes.
//
// The first look is one interval after the weight came into force, or after
// somebody edited the routes and they were put right. A window that begins
// earlier holds answers given under another weight. Example: weight 10 in force at
// 12:00:05, interval 30s: measured first at 12:00:35, then at 12:01:05.
func (p *pass) nextMeasurement(s State) time.Time {
	if p.Plan == nil || s.Mode != ModeProgressing || s.superseded(p.Stable) || s.InForce.IsZero() ||
		!p.Traffic.isAt(s.Weight, s.Match) || !p.measurable(s) {
		return time.Time{}
	}
	return latest(latest(p.MeasuredSince(s), s.Tally.At), p.SteadySince.Add(p.Settle)).Add(p.Plan.Interval)
}

// MeasuredSince is since when the traffic of s can be measured: its weight is in force,
// and nobody has edited the routes since.
func (o Observation) MeasuredSince(s State) time.Time {
	return latest(o.Traffic.Since.Add(o.Settle), s.InForce)
}

// judged says whether going on from the present step of s needs a Pass. While the
// traffic of that step is not granted yet, the traffic is that of the step before.
func (p *pass) judged(s State) bool {
	step, first := s.Step, p.Plan.StartingStep
	if s.Lead {
		first++
	}
	if !s.granted() {
		step--
	}
	return s.presentStep().Kind == spec.RunAnalysis || s.hasTraffic() && step >= first
}

// measurable says whether there is something to measure at the present step of s.
func (p *pass) measurable(s State) bool {
	return p.judged(s) && (s.hasTraffic() || !p.Plan.NeedsTraffic)
}

// countMeasurement counts the measurement of this observation, if there is one,
// and rolls back where it is one too many. A command that comes together with that
// verdict is refused: its author had not seen the verdict.
func (p *pass) countMeasurement() *Decision {
	if p.Measurement == nil || p.Plan == nil {
		return nil
	}
	m, told, tried := *p.Measurement, p.state.Tally.Told, p.state.Tally.WouldFail
	p.state.Tally.count(m, p.Now)
	p.state.Evidence = cmp.Or(m.Evidence, p.state.Evidence)
	because, message := p.verdictEnds(m)
	// One note per change, not one per measurement: the tenth Pass is no news, nor is
	// the first at the next weight. A Fail always is.
	if (m.Verdict != told || m.Verdict == Fail) && !p.tooEarlyToTell(m) {
		p.state.Tally.Told = m.Verdict
		p.note(verdictReasons[m.Verdict], "%s at weight %d: %s", m.Verdict, p.state.Weight, m.Message)
	}
	if m.WouldFail != "" && !tried {
		p.note(reason.DryRunFailed, "at weight %d: %s", p.state.Weight, m.WouldFail)
	}
	if because == "" {
		return nil
	}
	if verb := p.command(); verb != "" {
		p.refuse("the rollout is being rolled back")
	}
	return p.rollBack(because, message)
}

// tooEarlyToTell says of a verdict that holds nothing yet that it is no news: every
// comparison with stable begins with too few requests, and most have enough of them
// before the wait of the step is over.
func (p *pass) tooEarlyToTell(m Measurement) bool {
	step := p.state.presentStep()
	waits := step.Kind == spec.Wait && p.state.StepSince.Add(step.Duration).After(p.Now)
	return m.Verdict == Inconclusive && (waits || p.state.InForce.Add(soonKnown).After(p.Now))
}

// soonKnown is how long after the write of a weight nobody needs to know that too little
// is known of it.
const soonKnown = 30 * time.Second

// count adds one measurement. Failures count over the whole rollout; Inconclusive and
// Error count in a row.
func (t *Tally) count(m Measurement, at time.Time) {
	t.At, t.Last, t.Shown, t.WouldFail = at, m.Verdict, m.Verdict == Pass && m.Shown, m.WouldFail != ""
	switch {
	case m.Ignored && t.Ignored.IsZero():
		t.Ignored = at
	case !m.Ignored && m.Verdict != Error: // an Error without an answer tells nothing about the router
		t.Ignored = time.Time{}
	}
	switch m.Verdict {
	case Pass:
		t.Inconclusive, t.Errors = 0, 0
	case Fail:
		t.Failures++
		t.Inconclusive, t.Errors = 0, 0
	case Inconclusive, StableUnhealthy:
		t.Inconclusive++
		t.Errors = 0
	case Error:
		t.Errors++
		t.Inconclusive = 0
	}
}

// verdictEnds says why the rollout ends with measurement m. "": it goes on.
func (p *pass) verdictEnds(m Measurement) (because reason.Reason, message string) {
	t := p.state.Tally
	switch {
	case m.Verdict == Fail && t.Failures > p.Plan.FailureLimit:
		return reason.AnalysisFailed, fmt.Sprintf("at weight %d: %s", p.state.Weight, m.Message)
	case exceeds(t.Inconclusive, p.Plan.InconclusiveLimit), exceeds(t.Errors, p.Plan.ErrorLimit):
		return reason.AnalysisLimitExceeded, fmt.Sprintf("at weight %d: %d measurements in a row were %s: %s",
			p.state.Weight, max(t.Inconclusive, t.Errors), m.Verdict, m.Message)
	case m.Ignored && !p.deadline(t.Ignored).After(p.Now):
		// The weight was written and is not in force: the wait for it is bounded like
		// the wait for pods.
		return reason.ProgressDeadlineExceeded, fmt.Sprintf("weight %d was not in force for %s: %s",
			p.state.Weight, spec.FormatDuration(p.progressDeadline()), m.Message)
	}
	return "", ""
}

var verdictReasons = map[Verdict]reason.Reason{
	Pass:         reason.MeasurementPassed,
	Fail:         reason.MeasurementFailed,
	Inconclusive: reason.MeasurementInconclusive,

	StableUnhealthy: reason.StableUnhealthy,
	Error:           reason.MeasurementError,
}

// exceeds says whether n is over limit. Limit 0 is no limit.
func exceeds(n, limit int) bool { return limit > 0 && n > limit }

// awaitVerdict is nil once the analysis step has its Pass, or where nothing can be
// measured.
func (p *pass) awaitVerdict() *Decision {
	tally := p.state.Tally
	switch {
	case p.planErr() != nil:
		return p.waitAtStep(reason.InvalidAnnotation, p.planErr().Error())
	case p.Plan == nil, !p.measurable(p.state), tally.Last == Pass && tally.At.After(p.state.StepSince):
		return nil
	}
	return p.waitAtStep(reason.AwaitingVerdict, "the analysis step needs a Pass")
}

// awaitPass is nil where the last verdict on the present weight is a Pass that is
// younger than the routes. Killed between deleting two Ingresses for a Fail,
// Headgate finds only one of them gone and remembers nothing but an older Pass.
func (p *pass) awaitPass() *Decision {
	s := p.state
	if !s.hasTraffic() || p.Plan == nil && p.planErr() == nil || p.Plan != nil && !p.judged(s) {
		return nil
	}
	last := "the last was " + string(s.Tally.Last)
	switch {
	case s.Tally.Last == "":
		last = "nothing was measured at this weight yet"
	case s.Tally.Last == Pass && s.Tally.At.Before(p.Traffic.Since):
		last = "the routes have changed since the last one"
	case s.Tally.Last == Pass:
		return nil
	}
	if err := p.planErr(); err != nil {
		return p.waitAtStep(reason.InvalidAnnotation, err.Error())
	}
	return p.briefly(p.waitAtStep(reason.AwaitingVerdict, "the next step needs a Pass at this weight; "+last))
}

// planErr is why it cannot be known whether and how the rollout is judged.
func (p *pass) planErr() error {
	if p.SpecErr != nil {
		return p.SpecErr
	}
	return p.PlanErr
}

// noteUnjudged says that an analysis step had nothing to judge.
func (p *pass) noteUnjudged() {
	s := p.state
	if s.presentStep().Kind != spec.RunAnalysis || s.Skipped || p.Plan == nil || p.measurable(s) {
		return
	}
	p.note(reason.AnalysisSkipped, "%s, weight %d: the metrics of %s count requests that come to the canary, and none come yet: "+
		"the step passes without a verdict", p.stepOf(), s.Weight, spec.AnnotationAnalysis)
}
