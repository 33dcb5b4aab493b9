package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// rollBack ends the rollout for the reason that s holds: its traffic goes in
// this very decision.
func (o Observation) rollBack(s State, notes []Note) Decision {
	s.Stage = StageRolledBack
	s.Paused = false
	return o.rolledBack(s).with(notes)
}

// rolledBack takes the traffic away, lets the canary drain, and keeps it at 0
// replicas as the record. The hold stays, so stable serves on.
func (o Observation) rolledBack(s State) Decision {
	verb, notes := o.commandAfterRollback(&s)
	if verb == spec.VerbPromoteFull {
		s.Why, s.Message = "", ""
		s.grant(0, spec.Match{})
		return o.promote(s).with(notes)
	}
	gone, again := o.drain(&s)
	d := Decision{
		Reason:  s.Why,
		Message: o.say("rolled back, stable serves all traffic: %s. To try the same template again: %s", s.Message, o.annotate("retry")),
		Notes:   notes,
		Canary:  &CanaryGoal{State: s},
		Weight:  Unrouted,
		Phase:   spec.RolledBack,
		Again:   again,
	}
	if !gone && o.Canary != nil {
		d.Canary.Replicas = o.Canary.Replicas
	}
	if verb == spec.VerbRetry {
		d.Hold, d.Phase = RenewHold, spec.Pending
	}
	return d
}

// retire removes a canary that has no purpose any more, after its traffic.
func (o Observation) retire(s State, why reason.Reason, message string) Decision {
	s.Stage, s.Why, s.Message = StageRetiring, why, message
	gone, again := o.drain(&s)
	// The reason is on record before the canary goes: the hold goes first, and
	// without it nobody could tell a restored template from one never held.
	gone = gone && o.Canary.State.Stage == StageRetiring
	d := Decision{
		Reason:  why,
		Message: o.say("%s", message),
		Canary:  &CanaryGoal{State: s, Replicas: o.Canary.Replicas},
		Weight:  Unrouted,
		Phase:   spec.Pending, // the next one is, if something is held
		Again:   again,
	}
	if gone {
		d.Canary = nil
	}
	switch {
	case !o.Stable.OptedIn, o.Stable.TemplateRuns:
		d.Hold, d.Phase = Release, ""
	case o.Stable.Hold == "":
		d.Phase = ""
	}
	return o.refuseCommand(d, "the canary is being removed")
}

// drain says whether canary pods may go: their routes have been gone for as long
// as routers take to notice and requests take to end. Canary pods outlive
// their traffic.
func (o Observation) drain(s *State) (gone bool, again time.Time) {
	switch {
	case o.Traffic.Routed:
		s.Routed, s.DrainSince = true, time.Time{}
		return false, time.Time{}
	case !s.Routed:
		return true, time.Time{}
	case s.DrainSince.IsZero():
		// Counted from when the routes are seen to be gone, not from when that
		// was decided: the delete may have been refused for an hour.
		s.DrainSince = o.Now
	}
	until := s.DrainSince.Add(o.Settle + o.Drain)
	return !until.After(o.Now), after(until, o.Now)
}
