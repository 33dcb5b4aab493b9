package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// pass is one decision while it is made. It goes one way: rules read what was
// observed and what is recorded, change state, add notes, and the first that
// returns a Decision ends it.
type pass struct {
	Observation // never changed

	recorded State // as stored on the canary; zero: no canary
	state    State // as it is to be stored
	notes    []Note

	unanswered spec.GatePoint // gates that a rule asked for and nobody has asked
	granting   bool           // it gives the canary the traffic of the present step
	unchecked  Needs          // a rule begins the rollout or the promotion, and Start or AdoptionCheck is not known
}

func newPass(o Observation) *pass {
	p := &pass{Observation: o}
	if o.Canary == nil {
		return p
	}
	p.recorded = o.Canary.State
	if o.Canary.StateErr != nil {
		p.recorded = o.unreadableState()
	}
	p.state = p.recorded
	return p
}

// unreadableState replaces a stored state that cannot be read. The traffic goes
// away, because it is not known which weight was earned.
func (o Observation) unreadableState() State {
	s := State{
		Rollout:  o.Stable.Hold,
		Template: o.Stable.Template,
		Mode:     ModeRolledBack,
		Routed:   true,
		Why:      reason.InvalidState,
		Message:  o.Canary.StateErr.Error(),
	}
	if s.Rollout == "" { // nothing is held, so there is nothing to keep rolled back
		s.Rollout, s.Mode = "unknown", ModeRetiring
	}
	return s
}

// note adds an event about this rollout.
func (p *pass) note(why reason.Reason, format string, args ...any) {
	p.notes = append(p.notes, Note{why, p.say(format, args...)})
}

// say begins a message with the rollout it is about, if there is one.
func (p *pass) say(format string, args ...any) string {
	text, id := fmt.Sprintf(format, args...), p.recorded.Rollout
	if id == "" {
		id = p.Stable.Hold
	}
	if id == "" {
		return text
	}
	return "rollout " + id + ": " + text
}

// annotate is the command line by which a person gives command.
func (p *pass) annotate(command string) string {
	return fmt.Sprintf("kubectl annotate deployment/%s %s=%s", p.Stable.Name, spec.AnnotationCommand, command)
}

// stay is the decision to keep the canary as p.state says.
func (p *pass) stay(why reason.Reason, message string) Decision {
	p.state.Routed = p.state.Routed || p.Traffic.Routed // left from a canary that somebody deleted
	if p.state.Mode == ModeProgressing {
		message = p.state.Warnings.after(message)
	}
	p.notePreview()
	d := Decision{
		Reason:  why,
		Message: p.say("%s", message),
		Canary:  &CanaryGoal{State: p.state, Replicas: p.canaryReplicas()},
		Routes:  p.presentRoutes(),
		Phase:   spec.Progressing,
	}
	if why == reason.AwaitingPromotion || why == reason.PausedByCommand {
		d.Phase = spec.Paused
	}
	d.Again = Earliest(p.nextMeasurement(p.state), ifAfter(p.rolloutDeadline(), p.Now))
	if p.PlanErr != nil {
		d.Again = Earliest(d.Again, p.Now.Add(recheck))
	}
	return d
}

// notePreview says once that the preview does not work and that the rollout goes on.
// It says it again only if there was a preview in between. Anybody in the cluster can
// take the preview host, so its loss must not hold or end a rollout that has begun.
func (p *pass) notePreview() {
	switch refused := p.Traffic.PreviewRefused; {
	case refused == nil && p.Traffic.Previewed:
		p.state.PreviewDropped = false
	case refused != nil && !p.state.PreviewDropped && (p.Traffic.Routed || p.state.Mode == ModeProgressing):
		p.state.PreviewDropped = true
		p.note(reason.PreviewDropped, "the rollout does not wait for its preview: %s", refused.Message)
	}
}

// presentRoutes are the routes as the present state grants them.
func (p *pass) presentRoutes() RoutesGoal {
	if !p.Traffic.Routed {
		return RoutesGoal{}
	}
	goal := splitRoutes(p.weightForPods(), p.state.Match)
	if p.SpecErr != nil && goal.Weight == p.Traffic.Weight && goal.Match == p.Traffic.Match {
		return RoutesGoal{Kind: KeepRoutes} // which Ingresses to split cannot be known
	}
	return goal
}

// waitAtStep is the decision to wait at the present step, for what.
func (p *pass) waitAtStep(why reason.Reason, what string) *Decision {
	if p.Problem != nil && p.SpecErr == nil {
		what += "; meanwhile: " + p.Problem.Message // the next weight has to wait for that
	}
	if refused := p.Traffic.PreviewRefused; refused != nil {
		what += "; the preview does not work: " + refused.Message
	}
	d := p.stay(why, fmt.Sprintf("%s, weight %d%s, %s", p.stepOf(), p.state.Weight, p.state.Match.Besides(), what))
	return &d
}

// stepOf is "step 2 of 6".
func (p *pass) stepOf() string {
	s := p.state
	return fmt.Sprintf("step %d of %d", min(s.Step+1, len(s.Steps)), len(s.Steps))
}

// Earliest is the sooner of two times. The zero time is no time.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// ifAfter is t, or no time if t has passed: what waits longer waits for an event.
func ifAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}
