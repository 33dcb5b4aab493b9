package rollout

import (
	"fmt"
	"slices"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// awaitSplit writes weight, and what the steps match: pods and routes without
// traffic first, then the traffic. nil: it is written. Routers act on it within the
// settle time. That bounds when a measurement counts, and never when the next weight
// may be written.
//
//	canary created            pods Available            settled
//	routes at weight 0        weight written            measured from here on
//	──────┼───────────────────────┼────────────────────────┼──────────►
//	      │◄──── pods start ─────►│◄────── Settle ────────►│
func (p *pass) awaitSplit(weight int) *Decision {
	match := p.state.plannedMatch()
	if p.state.granted() && !p.state.InForce.IsZero() {
		return nil // it was written; a gate may hold this step for long
	}
	if waiting := p.awaitPassAgain(); waiting != nil {
		return waiting
	}
	if because, what := p.obstacle(weight); because != "" {
		return p.untilDeadline(fmt.Sprintf("weight %d was not in force", weight), because, what)
	}
	if waiting := p.awaitRoutes(); waiting != nil {
		return waiting
	}
	if !p.state.granted() {
		if waiting := p.awaitFirstGate(); waiting != nil {
			return waiting
		}
		p.state.grant(weight, match)
		p.granting = true
		if p.Traffic.Routed && p.Traffic.Current {
			p.state.Split = slices.Clone(p.Traffic.Ingresses) // one that is missing from now on was taken away
		}
	}
	p.seeWritten()
	return nil
}

// unwritten says whether the granted traffic is still to be written.
func (p *pass) unwritten() bool {
	s := p.state
	return s.hasTraffic() && s.InForce.IsZero() && !p.Traffic.isAt(s.Weight, s.Match)
}

// seeWritten notes since when the granted traffic is in force, if it is written.
func (p *pass) seeWritten() {
	s := &p.state
	if s.InForce.IsZero() && p.Traffic.isAt(s.Weight, s.Match) {
		s.InForce = p.Traffic.Since.Add(p.Settle)
		s.Split = slices.Clone(p.Traffic.Ingresses)
	}
}

// backToUnwritten goes back to the step whose traffic was granted and not written,
// because of a kill or a refusal: its pods may be gone meanwhile, its deadline goes on,
// and a wait after it counts from the write.
func (p *pass) backToUnwritten() {
	s := &p.state
	if step := s.presentStep(); !s.hasTraffic() || step.Kind != "" && behaviours[step.Kind].moves() {
		return
	}
	if p.seeWritten(); s.Paused || s.Skipped || !p.unwritten() {
		return // a person ended the wait already: the traffic is written before the next step
	}
	for at, step := range slices.Backward(s.Steps[:s.Step]) {
		if behaviours[step.Kind].moves() {
			s.begin(at, s.StepSince)
			return
		}
	}
}

// awaitWritten is nil where the granted traffic is written.
func (p *pass) awaitWritten() *Decision {
	if !p.unwritten() {
		return nil
	}
	d := p.stay(reason.WeightSet, fmt.Sprintf("%s, weight %d%s", p.stepOf(), p.state.Weight, p.state.Match.Besides()))
	return &d
}

// awaitPassAgain is nil unless another verdict followed the Pass that led to the
// present step, while pods were starting for it. Then the rollout goes back to
// the step before, past its wait, and needs a Pass again.
func (p *pass) awaitPassAgain() *Decision {
	if p.state.granted() || p.state.Step == 0 || !adds(p.state.presentStep(), p.state.Weight) {
		return nil
	}
	present := p.state
	p.state.begin(p.state.Step-1, p.Now)
	p.state.Skipped = true
	waiting := p.awaitPass()
	if waiting == nil {
		p.state = present
	}
	return waiting
}

// awaitFirstGate asks the gates before a rise at the first step. At every other
// step they are asked at the end of the step before it.
func (p *pass) awaitFirstGate() *Decision {
	if p.state.Step > 0 || !adds(p.state.presentStep(), p.state.Weight) {
		return nil
	}
	return p.awaitGates(spec.GateRise)
}

// obstacle is what must change before weight can come into force. "": nothing.
func (p *pass) obstacle(weight int) (because reason.Reason, what string) {
	need := p.size(weight)
	switch {
	case p.canaryAvailable() < need:
		return reason.CanaryStarting, fmt.Sprintf("waiting for %s to be Available before weight %d%s", canaryPods(need), weight, p.trouble())
	case p.state.hasTraffic() && p.state.granted():
		return "", "" // granted already: a problem that came up since is for the next weight
	case p.SpecErr != nil:
		return reason.InvalidAnnotation, p.SpecErr.Error()
	case p.Problem != nil:
		return p.Problem.Reason, p.Problem.Message
	}
	return "", ""
}

// canaryPods is "1 canary pod" or "4 canary pods".
func canaryPods(n int32) string {
	if n == 1 {
		return "1 canary pod"
	}
	return fmt.Sprintf("%d canary pods", n)
}

// trouble is why canary pods do not become Available, if that is known.
func (p *pass) trouble() string {
	if p.Canary == nil || p.Canary.Trouble == "" {
		return ""
	}
	return ": " + p.Canary.Trouble
}

// untilDeadline waits for an obstacle to go, and rolls back at the deadline. Only
// an obstacle is bounded so: a manager that was dead for an hour finds pods that
// are Available, and goes on. Missed says what did not come about in time.
func (p *pass) untilDeadline(missed string, because reason.Reason, what string) *Decision {
	deadline := p.deadline(p.state.StepSince)
	if deadline.After(p.Now) {
		d := p.stay(because, what)
		if p.isBrief(because) {
			d.Reason, d.Message, d.Again = "", "", Earliest(d.Again, p.state.StepSince.Add(patience))
		}
		if because == reason.CanaryStarting && !p.Traffic.Routed && p.SpecErr == nil && p.Problem == nil {
			d = p.routesWithoutTraffic(d)
		}
		d.Again = Earliest(Earliest(d.Again, deadline), p.Now.Add(recheck))
		return &d
	}
	if because == reason.CanaryStarting {
		what = fmt.Sprintf("%d of %d canary pods are Available%s", p.canaryAvailable(), p.canaryReplicas(), p.trouble())
	}
	return p.rollBack(reason.ProgressDeadlineExceeded,
		fmt.Sprintf("%s after %s: %s", missed, spec.FormatDuration(p.progressDeadline()), what))
}

// awaitRoutes is nil once there are routes for the first traffic. It makes them for pods
// that became Available before there were any, and waits for sessions.
func (p *pass) awaitRoutes() *Decision {
	switch {
	case p.state.hasTraffic():
		return nil
	case p.Traffic.isAt(0, spec.Match{}):
		return p.awaitSessions()
	}
	d := p.routesWithoutTraffic(p.stay(reason.RoutesSettling, "the canary routes are made at weight 0"))
	return &d
}

// awaitSessions lets routers act on the routes at weight 0 before the first traffic,
// where users have sessions. Traefik gives a session to a version only once an Ingress
// has both: without this wait, users who came before would be new to it, and the first
// weight would move some of them to the canary.
func (p *pass) awaitSessions() *Decision {
	settled := p.settlesAt()
	if !p.Traffic.Sticky || !settled.After(p.Now) {
		return nil
	}
	d := p.stay(reason.RoutesSettling, "routers learn that the users who are there belong to stable")
	d.Routes, d.Again = splitRoutes(0, spec.Match{}), Earliest(d.Again, settled)
	return &d
}

// routesWithoutTraffic is d with routes at weight 0. That they may exist is on
// record before they do, so that canary pods outlive them whatever happens.
func (p *pass) routesWithoutTraffic(d Decision) Decision {
	p.state.Routed, d.Canary.State.Routed = true, true
	d.Routes = splitRoutes(0, spec.Match{})
	return d
}

// weightForPods is the granted weight, or where the routes carry less, as much of
// it as the Available pods can serve: a weight that somebody lowered by hand is
// not put back onto pods that are gone.
//
// Example: granted 50 with 4 pods for all traffic, lowered by hand to 10, 1
// canary pod Available: 25.
func (p *pass) weightForPods() int {
	now := p.Traffic.Lowest
	if p.state.Weight <= now {
		return p.state.Weight
	}
	return max(now, min(p.state.Weight, servableWeight(p.canaryAvailable(), p.state.podsForAll(p.Stable))))
}

// inForce says whether routers act on weight and match by now.
func (p *pass) inForce(weight int, match spec.Match) bool {
	return p.Traffic.isAt(weight, match) && !p.settlesAt().After(p.Now)
}
