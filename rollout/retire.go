package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// rollBack ends the rollout: its traffic goes away in this very decision.
func (p *pass) rollBack(because reason.Reason, message string) *Decision {
	p.state.Why, p.state.Message = because, message
	p.state.Mode = ModeRolledBack
	p.state.Paused = false
	d := p.rolledBack()
	return &d
}

// rolledBack takes the traffic away, lets the canary drain, and keeps it at 0
// replicas as the record. The hold stays, so stable serves on.
func (p *pass) rolledBack() Decision {
	verb := p.commandAfterRollback()
	if verb == spec.VerbPromoteFull {
		p.state.Why, p.state.Message = "", ""
		p.state.grant(0, spec.Match{})
		return p.promote()
	}
	drained, again := p.drain()
	d := Decision{
		Reason: p.state.Why,
		Message: p.say("rolled back, %s: %s. To try the same template again: %s",
			p.afterRollback(), p.state.Message, p.annotate(spec.VerbRetry)),
		Canary: &CanaryGoal{State: p.state},
		Phase:  spec.RolledBack,
		Again:  again,
	}
	if !drained && p.Canary != nil {
		d.Canary.Replicas = p.Canary.Replicas
	}
	if verb == spec.VerbRetry {
		d.Hold, d.Phase = RenewHold, spec.Pending
	}
	return d
}

// afterRollback is where the traffic is. It claims nothing that is not so: a
// canary Ingress with a finalizer stays, and routers may go on reading it.
func (p *pass) afterRollback() string {
	if len(p.Traffic.Terminating) == 0 {
		return "stable serves all traffic"
	}
	return fmt.Sprintf("but canary Ingress %s still exists, because something put finalizers on it; it gets weight 0: remove the finalizers",
		strings.Join(p.Traffic.Terminating, ", "))
}

// retire removes a canary that serves no purpose any more, after its traffic. The
// traffic goes back no faster than stable can take it where stable is being
// updated: a new template, or the end of the opt-in, may come while it has few
// Available pods.
func (p *pass) retire(because reason.Reason, message string) Decision {
	if p.recorded.Mode != ModeRetiring {
		p.state.StepSince = p.Now
	}
	p.state.Adopted = p.state.Adopted || p.Canary.Adopted
	if (p.state.Mode == ModeProgressing || p.state.Mode == ModeAdopting && !p.state.Adopted) && p.Stable.Hold != "" {
		// Stable is not being updated, and the canary is not judged: at once.
		p.state.grant(0, spec.Match{})
	}
	p.state.Mode, p.state.Why, p.state.Message = ModeRetiring, because, message
	routes, again := p.returningRoutes()
	drained := false
	if routes.Kind == NoRoutes {
		drained, again = p.drain()
	}
	d := Decision{
		Reason:  because,
		Message: p.say("%s", message),
		Canary:  &CanaryGoal{State: p.state, Replicas: p.Canary.Replicas},
		Routes:  routes,
		Phase:   spec.Pending, // of the next rollout, if something is held
		Again:   again,
	}
	// The reason is on record before the canary goes. The hold goes first, and
	// without it a restored template looks like one that was never held.
	if drained && p.recorded.Mode == ModeRetiring {
		d.Canary = nil
	}
	switch {
	case !p.Stable.OptedIn, p.Stable.TemplateRuns:
		d.Hold, d.Phase = Release, ""
	case p.Stable.Hold == "":
		d.Phase = ""
	}
	return p.refusingCommands(d, "the canary is being removed")
}

// drain says whether canary pods may go: their routes have been gone for as long
// as routers take to notice and requests take to end. Canary pods outlive their
// traffic. Adopted pods stay, and only the canary Service goes.
//
//	routes seen to be gone    routers know    last request ends
//	─────────┼──────────────────────┼────────────────┼──────► pods may go
//	         │◄──── Settle, 5s ────►│◄── Drain, 10s ─►│
func (p *pass) drain() (drained bool, again time.Time) {
	s := &p.state
	switch {
	case p.Traffic.Routed:
		s.Routed, s.DrainSince = true, time.Time{}
		return false, time.Time{}
	case !s.Routed:
		return true, time.Time{}
	case s.DrainSince.IsZero():
		// Counted from when the routes are seen to be gone, not from when that
		// was decided: the delete may have been refused for an hour.
		s.DrainSince = p.Now
	}
	until := latest(s.DrainSince, p.SteadySince).Add(p.Settle)
	if !s.Adopted {
		until = until.Add(p.Drain)
	}
	return !until.After(p.Now), ifAfter(until, p.Now)
}
