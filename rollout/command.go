package rollout

import (
	"cmp"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// obey carries out the command on the Deployment, in a rollout that goes through
// its steps. nil: the rollout goes on.
func (p *pass) obey() *Decision {
	if p.defersCommand() {
		return nil
	}
	verb := p.command()
	if verb == "" {
		return nil
	}
	if why := p.state.unfitForSteps(verb); why != "" {
		p.refuse(why)
		return nil
	}
	p.note(reason.CommandTaken, "%s", verb)
	switch verb {
	case spec.VerbAbort:
		return p.rollBack(reason.AbortedByCommand, "aborted by command")
	case spec.VerbPause:
		p.state.Paused = true
	case spec.VerbResume:
		p.resume()
	case spec.VerbPromote:
		p.skip()
	case spec.VerbPromoteFull:
		d := p.promote()
		return &d
	}
	return nil
}

// Why commands are refused after the steps.
const (
	wasRolledBack = "the rollout was rolled back; use retry or promote-full"
	isReleased    = "the template is released already; to go back, apply the old template"
	isAdopted     = "the canary's pods are becoming the pods of the Deployment; to go back, apply the old template"
)

// Refuses says why the manager refuses verb in state s. "": it takes it. held says whether
// the template is still held.
func (s State) Refuses(verb string, held bool) string {
	switch s.Mode {
	case ModeProgressing:
		return s.unfitForSteps(verb)
	case ModeRolledBack:
		if verb != spec.VerbRetry && verb != spec.VerbPromoteFull {
			return wasRolledBack
		}
		return ""
	case ModePromoting:
		if verb != spec.VerbPromoteFull || held {
			return isReleased
		}
		return ""
	case ModeAdopting:
		return isAdopted
	case ModeReturning, ModeRetiring:
		return isReleased
	}
	return ""
}

// defersCommand says whether the command waits for the measurement that is being
// taken: promote and promote-full could send more traffic to a version that this
// measurement is about to fail. An abort waits for nothing.
func (p *pass) defersCommand() bool {
	return p.Awaited.Measurement && (p.commandIs(spec.VerbPromote) || p.commandIs(spec.VerbPromoteFull))
}

// unfitForSteps says why verb means nothing while the rollout goes through its
// steps. "": it means something.
func (s State) unfitForSteps(verb string) string {
	switch {
	case verb == spec.VerbResume && !s.Paused:
		return "nothing is paused by command"
	case verb == spec.VerbPromote && !s.Paused && (s.Skipped || !s.skippable()):
		return "this step has no wait that promote could end; promote-full skips the steps that are left"
	case verb == spec.VerbRetry:
		return "retry is for a rollout that was rolled back"
	}
	return ""
}

// resume ends a pause by command. The deadline of pods and routers begins anew.
func (p *pass) resume() {
	p.state.Paused = false
	if !p.state.skippable() {
		p.state.StepSince = p.Now
	}
}

// skip ends a pause by command and the wait of the present step. It does not go on
// to the next step: whether the next weight may come depends on its pods and on
// the verdict.
func (p *pass) skip() {
	if p.state.skippable() {
		p.state.Paused, p.state.Skipped = false, true
		return
	}
	p.resume()
}

// skippable says whether a person may end the wait of the present step.
func (s State) skippable() bool {
	step := s.presentStep()
	return step.Kind == "" || behaviours[step.Kind].skippable()
}

// commandAfterRollback is the command to carry out on a rollout that was rolled
// back: a person may try again, or release all the same. "": none.
func (p *pass) commandAfterRollback() string {
	verb := p.command()
	switch verb {
	case "":
		return ""
	case spec.VerbRetry:
		// One write renews the hold and takes the command away: there is no state
		// between the two to remember.
		p.state.CommandTaken = ""
	case spec.VerbPromoteFull:
	default:
		p.refuse(wasRolledBack)
		return ""
	}
	p.note(reason.CommandTaken, "%s", verb)
	return verb
}

// commandWhilePromoting lets a person end the wait for the last pods: of 1,000 pods
// one that never starts would hold the promotion for ever.
func (p *pass) commandWhilePromoting() Decision {
	if p.Stable.Hold != "" && p.refusedTooLong() {
		return *p.rollBack(reason.ProgressDeadlineExceeded, p.refusal()) // the release itself is refused
	}
	if p.commandIs(spec.VerbPromoteFull) && p.Stable.Hold == "" && p.command() != "" {
		p.note(reason.CommandTaken, spec.VerbPromoteFull)
		p.state.Hurried = true
		return p.promote()
	}
	return p.refusingCommands(p.promote(), isReleased)
}

// stillRolledBack keeps to a rollback whose record, the canary Deployment,
// somebody deleted: what failed must not begin again by itself.
func (p *pass) stillRolledBack() Decision {
	d := Decision{Phase: spec.RolledBack}
	if p.Stable.Reason == reason.WriteRefused { // a kill came before the end was told
		d = p.withoutCanaryRefused()
	}
	switch {
	case p.commandIs(spec.VerbPromoteFull):
		return p.releaseByCommand()
	case p.commandIs(spec.VerbRetry):
		d.Hold, d.Phase = RenewHold, spec.Pending
		p.note(reason.CommandTaken, spec.VerbRetry)
		return d
	}
	return p.refusingCommands(d, wasRolledBack)
}

// commandWhilePending obeys as if the rollout had begun, where it can begin now,
// so that nobody has to wait for that. A rollout that cannot begin can only be
// released.
func (p *pass) commandWhilePending() Decision {
	if p.commandIs(spec.VerbPromoteFull) {
		return p.releaseByCommand()
	}
	d := p.pending()
	if d.Canary == nil {
		return p.refusingCommands(d, "the rollout has not begun; use promote-full to release without a canary")
	}
	return d
}

func (p *pass) releaseByCommand() Decision {
	return Decision{Hold: Release, Reason: reason.Bypassed, Message: p.say("released without a canary, by command")}
}

// commandIs says whether the command on the Deployment is verb, about this
// rollout.
func (p *pass) commandIs(verb string) bool {
	return p.Command != nil && p.Command.Verb == verb && p.aboutThis()
}

// command is the verb to carry out now, and marks it as taken. "": none. It
// refuses a command that cannot be read or that is about another rollout.
func (p *pass) command() string {
	text := p.commandText()
	taken := p.state.CommandTaken == text
	p.state.CommandTaken = text
	switch {
	case taken: // or there is none
		return ""
	case p.CommandErr != nil:
		p.refuse(p.CommandErr.Error())
		return ""
	case !p.aboutThis():
		p.refuse("it names rollout " + p.Command.Rollout)
		return ""
	}
	return p.Command.Verb
}

// commandText tells one command from the next. "": there is none.
func (p *pass) commandText() string {
	switch {
	case p.CommandErr != nil:
		return p.CommandErr.Error()
	case p.Command != nil:
		return p.Command.String()
	}
	return ""
}

// refusingCommands is d, where no command makes sense, with a note for the
// command that is there.
func (p *pass) refusingCommands(d Decision, why string) Decision {
	switch {
	case p.Canary != nil && p.recorded.CommandTaken == p.commandText(): // or there is none
	case p.CommandErr != nil:
		p.refuse(p.CommandErr.Error())
	case p.Command != nil:
		p.refuse(why)
	}
	return d
}

// refuse notes that the command is refused, and why.
func (p *pass) refuse(why string) {
	word := spec.AnnotationCommand
	if p.Command != nil {
		word = p.Command.String()
	}
	p.note(reason.CommandRefused, "%s is refused: %s", word, why)
}

// aboutThis: a command may name the rollout it is meant for, so that a slow
// finger does not abort the next one. After the release nothing is held, and the rollout
// that goes on is the recorded one.
func (p *pass) aboutThis() bool {
	return p.Command.Rollout == "" || p.Command.Rollout == cmp.Or(p.Stable.Hold, p.recorded.Rollout)
}
