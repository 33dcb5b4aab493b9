package rollout

import (
	"fmt"
	"time"
)

// Next decides. It is a list of rules in order of urgency: the first that
// applies has the word.
func Next(o Observation) Decision {
	d := o.decide()
	d.TakeCommand = o.Command != nil || o.CommandErr != nil
	return d
}

func (o Observation) decide() Decision {
	switch {
	case o.Canary != nil:
		return o.running()
	case o.Stable.Hold == "":
		return o.idle()
	case !o.Stable.OptedIn:
		return o.let(OptedOut, "the opt-in was removed: the held template is released")
	case o.Stable.TemplateRuns:
		return o.let(StableRestored, "the template is one that runs already: nothing to try out")
	case o.Stable.Replicas == 0:
		return o.let(Bypassed, "replicas is 0: there is no traffic to split, the new template is released without a canary")
	case !o.Stable.Runs:
		return o.let(Bypassed, "no version runs yet: the first one is released without a canary")
	case o.Command != nil || o.CommandErr != nil:
		return o.commandWhilePending()
	default:
		return o.pending()
	}
}

// running is Next for a rollout that has a canary.
func (o Observation) running() Decision {
	s := o.Canary.State
	if o.Canary.StateErr != nil {
		s = o.stateLost()
	}
	switch {
	case s.Stage == StageRetiring:
		return o.retire(s, s.Why, s.Message)
	case !o.Stable.OptedIn:
		return o.retire(s, OptedOut, "the opt-in was removed")
	case s.superseded(o.Stable) && o.Stable.TemplateRuns:
		return o.retire(s, StableRestored, "the template is one that runs already")
	case s.superseded(o.Stable):
		return o.retire(s, Superseded, fmt.Sprintf("rollout %s has a newer template", o.Stable.Hold))
	case s.Template != o.Stable.Template:
		return o.retire(s, Bypassed, "a newer template went out without a canary: it was not held (is the webhook registered?)")
	case s.Stage == StagePromoting:
		return o.refuseCommand(o.promote(s), "the template is released; to go back, change it back")
	case s.Stage == StageReturning:
		return o.refuseCommand(o.bringBack(s), "the template is released; to go back, change it back")
	case o.Stable.Hold == "":
		return o.retire(s, HoldRemoved, "somebody released the template: it goes out without the rest of its steps")
	case s.Stage == StageRolledBack:
		return o.rolledBack(s)
	default:
		return o.progress(s)
	}
}

// stateLost is what to go on from when the stored state cannot be read: the
// traffic goes away, because nobody knows any more which weight was earned.
func (o Observation) stateLost() State {
	return State{
		Rollout:  o.Stable.Hold,
		Template: o.Stable.Template,
		Stage:    StageRolledBack,
		Routed:   true,
		Why:      InvalidState,
		Message:  o.Canary.StateErr.Error(),
	}
}

// idle is the rest between two rollouts. It keeps the last outcome in the
// condition.
func (o Observation) idle() Decision {
	d := Decision{Weight: Unrouted}
	switch {
	case !o.Stable.OptedIn:
	case o.SpecErr != nil:
		d.Reason, d.Message = InvalidAnnotation, o.SpecErr.Error()
	case o.Stable.Rolling && !outcomes[o.Stable.Reason]:
		d.Reason = Bypassed
		d.Message = fmt.Sprintf("revision %s goes out without a canary: it was not held (is the webhook registered?)", o.Stable.Revision)
	case !outcomes[o.Stable.Reason], o.Stable.Complete && passing[o.Stable.Reason]:
		d.Reason, d.Message = Ready, "the next change of the pod template will be held and tried out as a canary"
	}
	return o.refuseCommand(d, "there is no rollout")
}

// outcomes are the reasons that stay in the condition until the next rollout.
var outcomes = map[Reason]bool{Promoted: true, StableRestored: true, Bypassed: true, HoldRemoved: true}

// passing are those of them that give way to Ready once stable is complete, so
// that the same thing happening again is news again.
var passing = map[Reason]bool{Bypassed: true, HoldRemoved: true}

// let releases the hold of a template that needs no canary.
func (o Observation) let(why Reason, message string) Decision {
	d := Decision{Weight: Unrouted, Hold: Release, Reason: why, Message: o.say("%s", message)}
	return o.refuseCommand(d, "the rollout is over")
}

// recheck is when to look again at what nobody watches: the pods that a Service
// selects besides ours, a ConfigMap that should hold the analysis.
const recheck = time.Minute

// pending begins the rollout, once nothing is in its way.
func (o Observation) pending() Decision {
	blocked := Decision{Weight: Unrouted, Phase: Pending, Again: o.Now.Add(recheck)}
	switch {
	case o.SpecErr != nil:
		blocked.Reason, blocked.Message = InvalidAnnotation, o.say("%v", o.SpecErr)
		return blocked
	case o.Problem != nil:
		blocked.Reason, blocked.Message = o.Problem.Reason, o.say("%s", o.Problem.Message)
		return blocked
	case o.PlanErr != nil:
		blocked.Reason, blocked.Message = InvalidAnnotation, o.say("%v", o.PlanErr)
		return blocked
	case o.Stable.Available == 0:
		blocked.Reason = StableUnavailable
		blocked.Message = o.say("no pod of the running version is Available, so there is nothing to compare with. If this template is the fix, release it with: %s", o.annotate("promote-full"))
		return blocked
	}
	steps := o.Spec.Steps
	if steps[0].Kind != SetWeight {
		steps = append([]Step{{Kind: SetWeight}}, steps...) // what waits, waits beside a canary
	}
	s := State{
		Rollout:   o.Stable.Hold,
		Template:  o.Stable.Template,
		Stage:     StageProgressing,
		Steps:     steps,
		StepSince: o.Now,
		Baseline:  o.Stable.Replicas,
	}
	return o.progress(s)
}

// say begins every message with the rollout it is about.
func (o Observation) say(format string, args ...any) string {
	id := o.Stable.Hold
	if o.Canary != nil && o.Canary.State.Rollout != "" {
		id = o.Canary.State.Rollout
	}
	return "rollout " + id + ": " + fmt.Sprintf(format, args...)
}

// annotate is the command line by which a person gives command.
func (o Observation) annotate(command string) string {
	return fmt.Sprintf("kubectl annotate deployment/%s %s=%s", o.Stable.Name, AnnotationCommand, command)
}
