package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// behaviour is what the decision does at one kind of step. How the step is
// written is the other half, in package rollout/spec.
type behaviour interface {
	// await is nil once the step is done, else the decision to wait for it.
	await(p *pass, step spec.Step) *Decision

	// granted says whether the canary has the traffic that the step gives it.
	granted(s State, step spec.Step) bool

	// adds says whether the step gives the canary more traffic than weight.
	adds(step spec.Step, weight int) bool

	// moves says whether the step writes the routes.
	moves() bool

	// match is what the canary matches from this step on, if it was m before.
	match(step spec.Step, m spec.Match) spec.Match

	// weight is the weight for which the step needs pods, if it was w before.
	weight(step spec.Step, w int) int

	// scale is the least size of the canary from this step on, if it was c before.
	scale(step spec.Step, c spec.Scale) spec.Scale

	// skippable says whether a person may end its wait with promote. A wait for
	// pods and routers cannot be ended.
	skippable() bool
}

// behaviours has one for each kind of step. A new kind is a new parameter of
// spec.PerKind, so this does not compile until the kind has its behaviour.
var behaviours = spec.PerKind[behaviour](
	weightStep{}, waitStep{}, pauseStep{}, analysisStep{}, scaleStep{}, headerStep{}, cookieStep{}, jobStep{},
)

func adds(step spec.Step, weight int) bool { return behaviours[step.Kind].adds(step, weight) }

// changesNothing is for kinds that leave traffic and size as they are.
type changesNothing struct{}

func (changesNothing) granted(s State, _ spec.Step) bool          { return s.Match == s.plannedMatch() }
func (changesNothing) adds(spec.Step, int) bool                   { return false }
func (changesNothing) moves() bool                                { return false }
func (changesNothing) match(_ spec.Step, m spec.Match) spec.Match { return m }
func (changesNothing) weight(_ spec.Step, w int) int              { return w }
func (changesNothing) scale(_ spec.Step, c spec.Scale) spec.Scale { return c }
func (changesNothing) skippable() bool                            { return true }

// weightStep moves traffic.
type weightStep struct{ changesNothing }

func (weightStep) await(p *pass, step spec.Step) *Decision { return p.awaitSplit(step.Weight) }
func (weightStep) granted(s State, step spec.Step) bool {
	return s.Weight == step.Weight && s.Match == s.plannedMatch()
}
func (weightStep) adds(step spec.Step, weight int) bool { return step.Weight > weight }
func (weightStep) weight(step spec.Step, w int) int     { return max(w, step.Weight) }
func (weightStep) moves() bool                          { return true }
func (weightStep) skippable() bool                      { return false }

// headerStep sends requests with a header to the canary, or away from it.
type headerStep struct{ changesNothing }

func (headerStep) await(p *pass, _ spec.Step) *Decision { return p.awaitSplit(p.state.Weight) }
func (headerStep) adds(spec.Step, int) bool             { return true }
func (headerStep) match(step spec.Step, m spec.Match) spec.Match {
	m.Header, m.Value, m.Pattern = step.Match.Header, step.Match.Value, step.Match.Pattern
	return m
}
func (headerStep) moves() bool     { return true }
func (headerStep) skippable() bool { return false }

// cookieStep does so by a cookie.
type cookieStep struct{ changesNothing }

func (cookieStep) await(p *pass, _ spec.Step) *Decision { return p.awaitSplit(p.state.Weight) }
func (cookieStep) adds(spec.Step, int) bool             { return true }
func (cookieStep) match(step spec.Step, m spec.Match) spec.Match {
	m.Cookie = step.Match.Cookie
	return m
}
func (cookieStep) moves() bool     { return true }
func (cookieStep) skippable() bool { return false }

// scaleStep sets the least size of the canary.
type scaleStep struct{ changesNothing }

func (scaleStep) await(p *pass, _ spec.Step) *Decision {
	need := p.size(p.state.Weight)
	if p.canaryAvailable() >= need {
		return nil
	}
	return p.untilDeadline(fmt.Sprintf("the canary did not reach its scale of %s", canaryPods(need)), reason.CanaryStarting,
		fmt.Sprintf("waiting for %s to be Available%s", canaryPods(need), p.trouble()))
}
func (scaleStep) scale(step spec.Step, _ spec.Scale) spec.Scale { return step.Scale }
func (scaleStep) skippable() bool                               { return false }

// waitStep waits for a time.
type waitStep struct{ changesNothing }

func (waitStep) await(p *pass, step spec.Step) *Decision {
	over := p.waitSince().Add(step.Duration)
	if !over.After(p.Now) || p.endsWait() {
		return nil
	}
	until := p.state.StepSince.Add(step.Duration) // it stays the same when the weight is written
	d := p.waitAtStep(reason.Waiting, "until "+until.Format(time.TimeOnly)+" UTC")
	d.Again = Earliest(d.Again, over)
	return d
}

// endsWait says whether the analysis has shown, at the present weight, that the wait would
// tell nothing new.
func (p *pass) endsWait() bool {
	t := p.state.Tally
	isOfNow := t.At.After(p.state.StepSince) && !t.At.Before(p.Traffic.Since)
	return p.Plan != nil && p.Plan.EndWaits && p.state.hasTraffic() && t.Shown && isOfNow
}

// waitSince is when the wait of the present step began: with the write of the weight
// before it. That write comes in the pass in which the wait begins, a few milliseconds
// after the decision. A later one only puts right what somebody edited.
func (p *pass) waitSince() time.Time {
	since, written := p.state.StepSince, p.Traffic.Since
	follows := p.state.Step > 0 && behaviours[p.state.Steps[p.state.Step-1].Kind].moves()
	if follows && written.After(since) && written.Before(since.Add(time.Second)) {
		return written
	}
	return since
}

// pauseStep waits for a person.
type pauseStep struct{ changesNothing }

func (pauseStep) await(p *pass, _ spec.Step) *Decision {
	return p.waitAtStep(reason.AwaitingPromotion, "until a person decides: "+p.annotate(spec.VerbPromote)+" (or =abort)")
}

// analysisStep waits for a Pass.
type analysisStep struct{ changesNothing }

func (analysisStep) await(p *pass, _ spec.Step) *Decision { return p.awaitVerdict() }

// jobStep waits for a Job to succeed.
type jobStep struct{ changesNothing }

func (jobStep) await(p *pass, _ spec.Step) *Decision { return p.awaitJob() }
