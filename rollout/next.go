package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Next decides. It is a list of rules in order of urgency: the first that
// applies has the word.
func Next(o Observation) Decision {
	d := o.decide()
	d.TakeCommand = o.commandText() != ""
	d.HoldScaleDown = o.holdScaleDown(d)
	if !d.Again.IsZero() && !d.Again.After(o.Now) {
		// Due by this very decision, as is the first measurement of an analysis
		// step: for the next look.
		d.Again = o.Now.Add(time.Second)
	}
	return d
}

func (o Observation) decide() Decision {
	why, message := o.needless()
	switch {
	case o.Canary != nil:
		return o.running()
	case o.Stable.Hold == "":
		return o.idle()
	case why != "":
		return o.let(why, message)
	case o.Stable.Phase == spec.RolledBack:
		return o.stillRolledBack()
	case o.Stable.RevisionsAgo > 0 && o.Stable.RevisionsAgo <= o.Spec.RollbackWindow:
		return o.undo()
	case o.Command != nil || o.CommandErr != nil:
		return o.commandWhilePending()
	default:
		return o.pending()
	}
}

// needless says why a held template gets no canary; "" if it gets one.
func (o Observation) needless() (why reason.Reason, message string) {
	switch {
	case !o.Stable.OptedIn:
		return reason.OptedOut, "the opt-in was removed: the held template is released"
	case o.Stable.TemplateRuns:
		return reason.StableRestored, "the template is one that runs already: nothing to try out"
	case o.Stable.Replicas == 0:
		return reason.Bypassed, "replicas is 0: there is no traffic to split, the new template is released without a canary"
	case !o.Stable.Runs:
		return reason.Bypassed, "no version runs yet: the first one is released without a canary"
	}
	return "", ""
}

// holdScaleDown: from before the first traffic until the last has gone.
func (o Observation) holdScaleDown(d Decision) bool {
	if d.Canary == nil {
		return false
	}
	s := d.Canary.State
	if s.Stage == StageRolledBack || s.Stage == StageRetiring {
		gone, _ := o.drain(&s)
		return !gone
	}
	return true
}

// running is Next for a rollout that has a canary.
func (o Observation) running() Decision {
	s := o.Canary.State
	if o.Canary.StateErr != nil {
		s = o.stateLost()
		o.Canary = &CanaryStatus{State: s, Replicas: o.Canary.Replicas, Available: o.Canary.Available}
	}
	if o.commandText() == "" {
		s.CommandTaken = ""
	}
	if why, message := o.obsolete(s); why != "" {
		return o.retire(s, why, message)
	}
	switch s.Stage {
	case StagePromoting:
		return o.refuseCommand(o.promote(s), "the template is released; to go back, change it back")
	case StageReturning:
		return o.refuseCommand(o.bringBack(s), "the template is released; to go back, change it back")
	case StageRolledBack:
		return o.rolledBack(s)
	default:
		return o.progress(s)
	}
}

// obsolete says why the canary of s has no purpose any more; "" if it has.
func (o Observation) obsolete(s State) (why reason.Reason, message string) {
	released := s.Stage == StagePromoting || s.Stage == StageReturning
	switch {
	case s.Stage == StageRetiring:
		return s.Why, s.Message
	case !o.Stable.OptedIn:
		return reason.OptedOut, "the opt-in was removed"
	case s.superseded(o.Stable) && o.Stable.TemplateRuns:
		return reason.StableRestored, "the template is one that runs already"
	case s.superseded(o.Stable):
		return reason.Superseded, fmt.Sprintf("what is held now as rollout %s takes its place", o.Stable.Hold)
	case s.Template != o.Stable.Template:
		return reason.Bypassed, "a newer template went out without a canary: it was not held (is the webhook registered?)"
	case released:
		return "", ""
	case o.Stable.Hold == "":
		return reason.HoldRemoved, "somebody released the template: it goes out without the rest of its steps"
	case o.Stable.TemplateRuns:
		// A paused Deployment that is scaled from 0 gets the ReplicaSet of the held
		// template back, if that ran before (sync.go, scale(), of the Deployment
		// controller).
		return reason.Bypassed, "the held template runs already: scaling up from 0 brought back the ReplicaSet that it had before"
	}
	return "", ""
}

// stateLost is what to go on from when the stored state cannot be read: the
// traffic goes away, because nobody knows any more which weight was earned.
func (o Observation) stateLost() State {
	s := State{
		Rollout:  o.Stable.Hold,
		Template: o.Stable.Template,
		Stage:    StageRolledBack,
		Routed:   true,
		Why:      reason.InvalidState,
		Message:  o.Canary.StateErr.Error(),
	}
	if s.Rollout == "" { // nothing is held that could be rolled back
		s.Rollout, s.Stage = "unknown", StageRetiring
	}
	return s
}

// idle is the rest between two rollouts. It keeps the last outcome in the
// condition.
func (o Observation) idle() Decision {
	d := Decision{Weight: Unrouted}
	switch {
	case !o.Stable.OptedIn:
		if o.Stable.Reason != "" && o.Stable.Reason != reason.OptedOut { // or the last sentence would stand there for ever
			d.Reason, d.Message = reason.OptedOut, "the opt-in was removed: new templates go out without a canary"
		}
	case o.SpecErr != nil:
		d.Reason, d.Message = reason.InvalidAnnotation, o.SpecErr.Error()
	case o.Stable.Rolling && !o.Stable.Complete && !passing[o.Stable.Reason]:
		d.Reason = reason.Bypassed
		d.Message = fmt.Sprintf("revision %s goes out without a canary: it was not held (is the webhook registered?)", o.Stable.Revision)
		if o.Stable.Recreate { // the revision is still the old one
			d.Message = "the new template goes out without a canary: strategy Recreate stops the old pods before there are new ones, so there is nothing to split"
		}
	case !outcomes[o.Stable.Reason], o.Stable.Complete && passing[o.Stable.Reason]:
		d.Reason, d.Message = reason.Ready, "the next change of the pod template will be held and tried out as a canary"
	}
	return o.refuseCommand(d, "there is no rollout")
}

// outcomes are the reasons that stay in the condition until the next rollout.
var outcomes = map[reason.Reason]bool{reason.Promoted: true, reason.StableRestored: true, reason.WithinRollbackWindow: true, reason.Bypassed: true, reason.HoldRemoved: true}

// passing are those of them that explain a rolling update. They give way to Ready
// once it is complete, or they would explain the next one too.
var passing = map[reason.Reason]bool{reason.StableRestored: true, reason.WithinRollbackWindow: true, reason.Bypassed: true, reason.HoldRemoved: true}

// let releases the hold of a template that needs no canary.
func (o Observation) let(why reason.Reason, message string) Decision {
	d := Decision{Weight: Unrouted, Hold: Release, Reason: why, Message: o.say("%s", message)}
	return o.refuseCommand(d, "the rollout is over")
}

// undo releases a template that was stable not long ago. The reason is on record
// before the hold goes: killed in between, Headgate would find a rolling update
// that nobody seems to have held.
func (o Observation) undo() Decision {
	d := o.let(reason.WithinRollbackWindow, fmt.Sprintf("the template was stable before (revisions ago: %d, rollback window: %d): it is released without a canary", o.Stable.RevisionsAgo, o.Spec.RollbackWindow))
	if o.Stable.Reason != reason.WithinRollbackWindow {
		d.Hold, d.Phase, d.Again = KeepHold, spec.Pending, o.Now.Add(time.Second)
	}
	return d
}

// recheck is when to look again at what nobody watches: the pods that a Service
// selects besides ours, a ConfigMap that should hold the analysis, a CronJob, what
// keeps a pod from starting.
const recheck = time.Minute

// pending begins the rollout, once nothing is in its way.
func (o Observation) pending() Decision {
	blocked := Decision{Weight: Unrouted, Phase: spec.Pending, Again: o.Now.Add(recheck)}
	switch {
	case o.SpecErr != nil:
		blocked.Reason, blocked.Message = reason.InvalidAnnotation, o.say("%v", o.SpecErr)
		return blocked
	case o.Problem != nil:
		blocked.Reason, blocked.Message = o.Problem.Reason, o.say("%s", o.Problem.Message)
		return blocked
	case o.PlanErr != nil:
		blocked.Reason, blocked.Message = reason.InvalidAnnotation, o.say("%v", o.PlanErr)
		return blocked
	case o.Stable.Available == 0:
		blocked.Reason = reason.StableUnavailable
		blocked.Message = o.say("no pod of the running version is Available, so there is nothing to compare with. If this template is the fix, release it with: %s", o.annotate("promote-full"))
		return blocked
	case !o.open(spec.GateStart):
		blocked.Reason, blocked.Message = reason.AwaitingGate, o.say("%s", o.closed(spec.GateStart))
		blocked.Ask, blocked.Again = spec.GateStart, o.Now.Add(gateInterval)
		return blocked
	}
	s := State{
		Rollout:   o.Stable.Hold,
		Template:  o.Stable.Template,
		Stage:     StageProgressing,
		StepSince: o.Now,
		Began:     o.Now,
		Baseline:  o.Stable.Replicas,
	}
	s.Steps, s.Lead = led(o.Spec.Steps)
	return o.progress(s).with(o.gaps())
}

// led puts a weight of 0 before steps that begin with something else: what waits,
// or is tested, does so beside a canary with routes. Only its size comes before.
func led(steps []spec.Step) (all []spec.Step, lead bool) {
	at := slices.IndexFunc(steps, func(s spec.Step) bool { return s.Kind != spec.SetScale })
	if steps[at].Kind == spec.SetWeight {
		return steps, false
	}
	return slices.Insert(slices.Clone(steps), at, spec.Step{Kind: spec.SetWeight}), true
}

// gaps are Gaps with the rollout they are about.
func (o Observation) gaps() []Note {
	var notes []Note
	for _, gap := range o.Gaps {
		notes = append(notes, Note{gap.Reason, o.say("%s", gap.Message)})
	}
	return notes
}

// say begins a message with the rollout it is about, if there is one.
func (o Observation) say(format string, args ...any) string {
	id := o.Stable.Hold
	if o.Canary != nil && o.Canary.State.Rollout != "" {
		id = o.Canary.State.Rollout
	}
	if id == "" {
		return fmt.Sprintf(format, args...)
	}
	return "rollout " + id + ": " + fmt.Sprintf(format, args...)
}

// annotate is the command line by which a person gives command.
func (o Observation) annotate(command string) string {
	return fmt.Sprintf("kubectl annotate deployment/%s %s=%s", o.Stable.Name, spec.AnnotationCommand, command)
}
