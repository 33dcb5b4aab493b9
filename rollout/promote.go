package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// promote makes the new version stable: it adopts the canary's pods, or releases the
// template and waits, with the canary's weight as it is, until stable is entirely the
// new version.
func (p *pass) promote() Decision {
	if p.state.Mode != ModePromoting {
		p.beginPromotion()
	}
	if p.state.Mode == ModeAdopting {
		return p.adopt()
	}
	if p.Stable.Hold == "" && (p.Stable.Complete || p.state.Hurried) {
		p.state.StepSince = p.Now
		return p.bringBack()
	}
	if !p.Traffic.Routed || p.canaryAvailable() == 0 {
		p.state.grant(0, spec.Match{}) // a person took the routes away, or no pod is left to serve the weight
	}
	d := p.stay(reason.Releasing, p.state.released())
	d.Phase, d.Again = spec.Promoting, time.Time{}
	d.Canary.Replicas = p.promotingReplicas()
	switch {
	case p.Stable.Hold != "":
		d.Hold = Release
	case p.Stable.Stalled:
		d.Reason = reason.PromotionStalled
		d.Message = p.say("the rolling update does not finish%s; the canary keeps serving weight %d. "+
			"To go on without the pods that are missing: %s",
			p.missing(": "), p.state.Weight, p.annotate(spec.VerbPromoteFull))
		d.Again = p.Now.Add(recheck)
	default:
		d.Message += p.missing("; ")
		d.Again = p.Now.Add(recheck)
	}
	return d
}

// promotingReplicas is the size of the canary during a rolling update. Pods that are not
// Available and that the weight does not need give their room to stable: they are left
// from an attempt to grow to the size of stable.
//
// Example: weight 50 with 4 stable pods, and the quota allows 7 pods: the canary should
// have had 4 pods and got 3. It is told to have 3.
func (p *pass) promotingReplicas() int32 {
	if !p.state.hasTraffic() {
		return p.Canary.Replicas // it serves nothing, so it needs no more pods
	}
	return min(p.canaryReplicas(), max(p.size(p.state.Weight), p.canaryAvailable()))
}

// missing is which pods the promotion waits for, after a separator, if that is known.
func (p *pass) missing(separator string) string {
	if p.Stable.Missing == "" {
		return ""
	}
	return separator + "it waits for " + p.Stable.Missing
}

// released is why the template may go, and what happens until it has gone.
func (s State) released() string {
	meanwhile := ""
	if s.hasTraffic() {
		meanwhile = ", the canary keeps its traffic"
	}
	return s.whyReleased() + ": stable becomes the new version" + meanwhile
}

func (s State) whyReleased() string {
	if s.Step < len(s.Steps) {
		return "released by command, without the steps that were left"
	}
	return "every step is done"
}

// bringBack returns the traffic to a stable that is the new version, no more at
// a time than its pods take, and then removes the canary.
func (p *pass) bringBack() Decision {
	p.state.Mode = ModeReturning
	d := Decision{
		Reason:  reason.TrafficReturning,
		Message: p.say("%s", p.comesBack()),
		Canary:  &CanaryGoal{State: p.state, Replicas: p.Canary.Replicas},
		Phase:   spec.Promoting,
	}
	if p.Stable.Hold != "" {
		d.Hold = Release // of adopted pods nothing is left to roll
	}
	if d.Routes, d.Again = p.returningRoutes(); d.Routes.Kind != NoRoutes {
		return d
	}
	drained, again := p.drain()
	d.Canary.State, d.Again = p.state, again
	if drained || p.state.Adopted { // adopted pods stay: routers may take their time
		d.Phase = ""
		d.Reason, d.Message = p.promoted()
	}
	if drained && p.Stable.Hold == "" {
		d.Canary = nil
	}
	return d
}

// comesBack and promoted claim no more than is so: a person may have ended the wait
// for the last pods.
func (p *pass) comesBack() string {
	if p.state.Hurried {
		return "the traffic comes back by command, although not every pod of stable is the new version and Available"
	}
	return "stable is the new version: its traffic comes back"
}

func (p *pass) promoted() (because reason.Reason, message string) {
	if p.state.Hurried {
		return reason.PromotedEarly, p.say("promoted by command, before every pod was the new version and Available")
	}
	return reason.Promoted, p.say("promoted, every pod is the new version")
}

// returningRoutes are the routes on the way back to stable, and when to look
// again. NoRoutes: stable takes all the traffic.
func (p *pass) returningRoutes() (RoutesGoal, time.Time) {
	if p.state.Adopted {
		return RoutesGoal{}, time.Time{} // the same pods serve on, through another Service
	}
	weight := p.returningWeight()
	if weight == 0 {
		return RoutesGoal{}, time.Time{}
	}
	again := Earliest(ifAfter(p.settlesAt(), p.Now), ifAfter(p.deadline(p.state.StepSince), p.Now))
	if p.SpecErr != nil {
		return RoutesGoal{Kind: KeepRoutes}, again // which Ingresses to split cannot be known; all can be removed later
	}
	return splitRoutes(weight, p.state.Match), again
}

// returningWeight is the lowest weight that leaves stable with at most a quarter
// more traffic than its Available pods were sized for. An autoscaler may have
// shrunk stable while the canary had the traffic; what returns makes it grow
// again.
//
// Example: all traffic takes 8 pods and 2 stable pods are Available. They take
// 2/8 * 125% = 31% of the traffic, so the canary keeps 69. With 7 pods Available
// they take all of it.
//
// The share is in percent, not in whole pods: a quarter of two pods is no pod, and
// an autoscaler that sees no more load than before adds none.
func (p *pass) returningWeight() int {
	now, all := min(p.Traffic.Lowest, p.state.Weight), p.state.podsForAll(p.Stable)
	overdue := !p.deadline(p.state.StepSince).After(p.Now)
	switch {
	case !p.Traffic.Routed || p.canaryAvailable() == 0:
		return 0
	case overdue && (p.state.Hurried || p.state.Mode == ModeRetiring):
		return 0 // a person, or the next rollout, does not wait for ever for pods that do not come
	case overdue, p.state.Mode == ModeRetiring:
		// Nothing scales it up again, or the next rollout waits: this is the size that
		// stable is meant to have.
		all = p.Stable.Replicas
	}
	least := max(0, 100-servableWeight(p.Stable.Available*125, all*100))
	if !overdue && !p.inForce(p.Traffic.Lowest, p.state.Match) {
		// Routers are still at work on the last write. After a kill between two
		// Ingresses one is higher than the other, and stable may have shrunk since: both
		// get what stable cannot take, and no more than one of them has.
		return max(now, min(p.Traffic.Highest, p.state.Weight, least))
	}
	return min(now, least)
}
