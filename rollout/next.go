package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Next decides. The same Observation always gives the same Decision.
func Next(o Observation) Decision {
	p := newPass(o)
	d := p.decide()
	d.Notes = p.notes
	d.Needs = p.needs(d)
	d.TakeCommand = p.commandText() != "" && !p.defersCommand()
	d.HoldScaleDown = p.holdScaleDown(d)
	d.Known = p.record(d)
	if d.Canary != nil {
		d.Canary.InMemory = p.inMemory(d)
	}
	if !d.Again.IsZero() && !d.Again.After(o.Now) {
		// This decision itself made something due, such as the first measurement of
		// an analysis step. The next look takes it.
		d.Again = o.Now.Add(time.Millisecond)
	}
	return d
}

// decide is the first rule that applies, most urgent first.
func (p *pass) decide() Decision {
	because, message := p.needsNoCanary()
	switch {
	case p.Canary != nil:
		return p.withCanary()
	case p.Stable.Hold == "":
		return p.idle()
	case because != "":
		return p.releaseWithoutCanary(because, message)
	case p.Stable.Phase == spec.RolledBack:
		return p.stillRolledBack()
	case p.Stable.RevisionsAgo > 0 && p.Stable.RevisionsAgo <= p.Spec.RollbackWindow:
		return p.undo()
	case p.Command != nil || p.CommandErr != nil:
		return p.commandWhilePending()
	default:
		return p.pending()
	}
}

// needsNoCanary says why a held template gets no canary. "": it gets one.
func (p *pass) needsNoCanary() (because reason.Reason, message string) {
	switch {
	case !p.Stable.OptedIn:
		return reason.OptedOut, "the opt-in was removed: the held template is released"
	case p.Stable.TemplateRuns:
		return reason.StableRestored, "this template runs already: there is nothing to try"
	case p.Stable.Replicas == 0:
		return reason.Bypassed, "the Deployment has 0 replicas, so there is no traffic to split: the new template is released without a canary"
	case !p.Stable.Runs:
		return reason.Bypassed, "no version runs yet: the first one is released without a canary"
	}
	return "", ""
}

// holdScaleDown says whether autoscalers must not shrink stable: from before the
// first traffic of the canary until its last traffic has gone.
func (p *pass) holdScaleDown(d Decision) bool {
	if d.Canary == nil {
		return false
	}
	if p.state.Mode == ModeRolledBack || p.state.Mode == ModeRetiring {
		drained, _ := p.drain()
		return !drained
	}
	return true
}

// withCanary decides about a rollout that has a canary.
func (p *pass) withCanary() Decision {
	if p.commandText() == "" {
		p.state.CommandTaken = ""
	}
	if because, message := p.obsolete(); because != "" {
		return p.retire(because, message)
	}
	switch p.state.Mode {
	case ModeAdopting:
		return p.refusingCommands(p.adopt(), isAdopted)
	case ModePromoting:
		return p.commandWhilePromoting()
	case ModeReturning:
		return p.refusingCommands(p.bringBack(), isReleased)
	case ModeRolledBack:
		return p.rolledBack()
	default:
		return p.progress()
	}
}

// obsolete says why the canary serves no purpose any more. "": it serves one.
func (p *pass) obsolete() (because reason.Reason, message string) {
	s := p.state
	released := s.Mode == ModeAdopting || s.Mode == ModePromoting || s.Mode == ModeReturning
	switch {
	case s.Mode == ModeRetiring:
		return s.Why, s.Message
	case !p.Stable.OptedIn:
		return reason.OptedOut, "the opt-in was removed"
	case s.superseded(p.Stable) && p.Stable.TemplateRuns:
		return reason.StableRestored, "this template runs already"
	case s.superseded(p.Stable):
		return reason.Superseded, fmt.Sprintf("rollout %s, which is held now, takes its place", p.Stable.Hold)
	case s.Template != p.Stable.Template:
		return reason.Bypassed, "a newer template went out without a canary: it was not held (is the webhook registered?)"
	case released:
		return "", ""
	case p.Stable.Hold == "":
		return reason.HoldRemoved, "somebody else released the template: it goes out without the rest of its steps"
	case p.Stable.TemplateRuns:
		// A paused Deployment that is scaled from 0 gets the ReplicaSet of the held
		// template back, if that ran before (sync.go, scale(), of the Deployment
		// controller).
		return reason.Bypassed, "the held template runs already: scaling up from 0 brought back the ReplicaSet that it had before"
	}
	return "", ""
}

// idle is the time between two rollouts. It keeps the last outcome in the
// condition.
func (p *pass) idle() Decision {
	var d Decision
	d.Reason, d.Message = p.whileIdle()
	return p.refusingCommands(d, "there is no rollout")
}

// whileIdle is the condition between two rollouts. "" leaves it as it is.
func (p *pass) whileIdle() (because reason.Reason, message string) {
	stable := p.Stable
	switch {
	case p.endedUntold():
		return p.end()
	case !stable.OptedIn && (stable.Reason == "" || stable.Reason == reason.OptedOut):
		return "", ""
	case !stable.OptedIn: // or the last sentence would stay for ever
		return reason.OptedOut, "the opt-in was removed: new templates go out without a canary"
	case p.SpecErr != nil:
		return reason.InvalidAnnotation, p.SpecErr.Error()
	case p.goesOutUnheld():
		return reason.Bypassed, p.notHeld()
	case p.wentOutUnseen():
		return reason.BypassFound, p.foundBypass()
	case !outcomes[stable.Reason], stable.Complete && explainsUpdate[stable.Reason]:
		return reason.Ready, "the next change of the pod template will be held and tried as a canary"
	}
	return "", ""
}

// endedUntold says whether a kill came after the canary Deployment was deleted, and
// before the end of the rollout was in the condition.
func (p *pass) endedUntold() bool {
	return p.Ended != nil && (p.Ended.Mode == ModeReturning || p.Ended.Mode == ModeRetiring)
}

// end is how that rollout ended.
func (p *pass) end() (because reason.Reason, message string) {
	p.recorded, p.state = *p.Ended, *p.Ended
	if p.Ended.Mode == ModeReturning {
		return p.promoted()
	}
	return p.Ended.Why, p.say("%s", p.Ended.Message)
}

// goesOutUnheld says whether a rolling update is under way that nothing explains.
func (p *pass) goesOutUnheld() bool {
	s := p.Stable
	return s.Rolling && !s.Complete && (!explainsUpdate[s.Reason] || p.wentOutUnseen())
}

// notHeld explains a rolling update that no rollout released.
func (p *pass) notHeld() string {
	if p.Stable.Recreate { // its revision is still the old one
		return "the new template goes out without a canary: strategy Recreate stops the old pods before there are new ones, " +
			"so there is nothing to split"
	}
	return fmt.Sprintf("revision %s goes out without a canary: it was not held (is the webhook registered?)", p.Stable.Revision)
}

// outcomes are the reasons that stay in the condition until the next rollout.
var outcomes = map[reason.Reason]bool{
	reason.Promoted: true, reason.PromotedEarly: true, reason.StableRestored: true, reason.WithinRollbackWindow: true,
	reason.Bypassed: true, reason.BypassFound: true, reason.HoldRemoved: true,
}

// explainsUpdate are the outcomes that explain a rolling update. They give way to
// Ready once it is complete; else they would explain the next update too.
var explainsUpdate = map[reason.Reason]bool{
	reason.PromotedEarly: true, reason.StableRestored: true, reason.WithinRollbackWindow: true,
	reason.Bypassed: true, reason.HoldRemoved: true,
}

// releaseWithoutCanary ends the hold of a template that needs no canary.
func (p *pass) releaseWithoutCanary(because reason.Reason, message string) Decision {
	d := Decision{Hold: Release, Reason: because, Message: p.say("%s", message)}
	return p.refusingCommands(d, "the rollout is over")
}

// undo releases a template that was stable not long ago. The reason is on record
// before the hold goes: after a kill in between, Headgate would find a rolling
// update and no sign of who released it.
func (p *pass) undo() Decision {
	d := p.releaseWithoutCanary(reason.WithinRollbackWindow, fmt.Sprintf(
		"the template was stable before (revisions ago: %d, rollback window: %d): it is released without a canary",
		p.Stable.RevisionsAgo, p.Spec.RollbackWindow))
	if p.Stable.Reason != reason.WithinRollbackWindow {
		d.Hold, d.Phase, d.Again = KeepHold, spec.Pending, p.Now.Add(time.Millisecond)
	}
	return d
}

// recheck is when to look again at what nothing watches: the pods that a Service
// selects besides ours, a PersistentVolumeClaim, a ConfigMap that should hold the
// analysis, a CronJob, the pods that do not start.
const recheck = time.Minute

// pending begins the rollout once nothing is in its way.
func (p *pass) pending() Decision {
	if because, message := p.blocked(); because != "" {
		again := recheck
		if because == reason.AwaitingGate && p.Awaited.Gates != "" {
			return Decision{Phase: spec.Pending, Again: p.Now.Add(again)}
		}
		if because == reason.AwaitingGate {
			again = gateInterval
		}
		return Decision{Reason: because, Message: p.say("%s", message), Phase: spec.Pending, Again: p.Now.Add(again)}
	}
	if p.refusedTooLong() { // the canary was never created, so the phase is the record
		return p.withoutCanaryRefused()
	}
	if p.Stable.UpdateGap != "" && (p.Spec.Promotion == spec.PromotionRolling || p.Stable.NotAdoptable != "") {
		p.note(reason.UpdateGap, "the rollout will wait before its end, because %s: set maxUnavailable to 0 in the strategy of the Deployment",
			p.Stable.UpdateGap)
	}
	for _, gap := range p.Gaps {
		p.note(gap.Reason, "%s", gap.Message)
	}
	p.state = State{
		Form:      stateForm,
		Rollout:   p.Stable.Hold,
		Template:  p.Stable.Template,
		Mode:      ModeProgressing,
		StepSince: p.Now,
		Began:     p.Now,
		Baseline:  p.Stable.Replicas,
	}
	p.state.Steps, p.state.Lead = withLeadingWeight(p.Spec.Steps)
	p.state.Warnings = warningsOf(p.notes)
	return p.progress()
}

// withoutCanaryRefused is the rollback of a rollout whose canary was never created.
func (p *pass) withoutCanaryRefused() Decision {
	return Decision{
		Reason: reason.ProgressDeadlineExceeded, Phase: spec.RolledBack,
		Message: p.say("rolled back, stable serves all traffic: %s. To try the same template again: %s",
			p.refusal(), p.annotate(spec.VerbRetry)),
	}
}

// blocked says what keeps the rollout from beginning. "": nothing. What costs reads
// from the API server comes last: it is looked for once, and not at each look of a
// rollout that waits for something else.
func (p *pass) blocked() (because reason.Reason, message string) {
	switch {
	case p.SpecErr != nil:
		return reason.InvalidAnnotation, p.SpecErr.Error()
	case p.Problem != nil:
		return p.Problem.Reason, p.Problem.Message
	case p.Traffic.PreviewRefused != nil: // once the rollout has begun, it does not wait for a preview
		return p.Traffic.PreviewRefused.Reason, p.Traffic.PreviewRefused.Message
	case p.PlanErr != nil:
		return reason.InvalidAnnotation, p.PlanErr.Error()
	case p.Stable.Available == 0:
		return reason.StableUnavailable, "no pod of the running version is Available, so there is nothing to compare with. " +
			"If this template is the fix, release it with: " + p.annotate(spec.VerbPromoteFull)
	case !p.gatesOpen(spec.GateStart):
		return reason.AwaitingGate, p.gatesClosed(spec.GateStart)
	case p.Start != nil && p.Start.Problem != nil:
		return p.Start.Problem.Reason, p.Start.Problem.Message
	}
	p.unchecked.Start = p.Start == nil
	return "", ""
}

// withLeadingWeight puts a weight of 0 before steps that begin with something
// else, so that a step that waits or tests does so beside a canary with routes.
// Scale steps stay first: they say how many pods that canary has.
//
// Example: "scale=3, pause, 10%" becomes "scale=3, 0%, pause, 10%".
func withLeadingWeight(steps []spec.Step) (all []spec.Step, added bool) {
	first := slices.IndexFunc(steps, func(s spec.Step) bool { return s.Kind != spec.SetScale })
	if steps[first].Kind == spec.SetWeight {
		return steps, false
	}
	return slices.Insert(slices.Clone(steps), first, spec.Step{Kind: spec.SetWeight}), true
}
