package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// promote releases the template and waits, with the canary's weight as it is,
// until stable is entirely the new version.
func (o Observation) promote(s State) Decision {
	s.Stage = StagePromoting
	if o.Stable.Hold == "" && o.Stable.Complete {
		s.Stage, s.StepSince = StageReturning, o.Now
		return o.bringBack(s)
	}
	if !o.Traffic.Routed || o.available() == 0 {
		s.grant(0, spec.Match{}) // a person took the routes away, or nothing is left to carry the weight
	}
	d := o.at(s, reason.Releasing, s.released())
	d.Phase, d.Again = spec.Promoting, time.Time{}
	if !s.carries() {
		d.Canary.Replicas = o.Canary.Replicas // nothing to serve, nothing to add
	}
	switch {
	case o.Stable.Hold != "":
		d.Hold = Release
	case o.Stable.Stalled:
		d.Reason = reason.PromotionStalled
		d.Message = o.say("the rolling update does not finish; the canary keeps serving weight %d", s.Weight)
	}
	return d
}

// released is why the template may go, and what happens until it has gone.
func (s State) released() string {
	why, meanwhile := "every step is done", ""
	if s.Step < len(s.Steps) {
		why = "released by command, without the steps that were left"
	}
	if s.carries() {
		meanwhile = ", the canary keeps its traffic"
	}
	return why + ": stable becomes the new version" + meanwhile
}

// bringBack returns the traffic to a stable that is the new version, no more at
// a time than its pods take, and then removes the canary.
func (o Observation) bringBack(s State) Decision {
	s.Stage = StageReturning
	d := Decision{
		Reason:  reason.TrafficReturning,
		Message: o.say("stable is the new version: its traffic comes back"),
		Canary:  &CanaryGoal{State: s, Replicas: o.Canary.Replicas},
		Weight:  o.returning(s),
		Match:   s.Match,
		Phase:   spec.Promoting,
	}
	if d.Weight > 0 {
		d.Again = Earliest(after(o.Traffic.Since.Add(o.Settle), o.Now), after(s.StepSince.Add(o.deadline()), o.Now))
		return d
	}
	d.Weight = Unrouted
	gone, again := o.drain(&s)
	d.Canary.State, d.Again = s, again
	if gone {
		d.Canary, d.Phase = nil, ""
		d.Reason, d.Message = reason.Promoted, o.say("promoted, every pod is the new version")
	}
	return d
}

// returning is the lowest weight that leaves stable with at most a quarter more
// traffic than its Available pods were sized for. An autoscaler may have shrunk
// stable while the canary carried the traffic; what returns makes it grow
// again.
func (o Observation) returning(s State) int {
	now, full := o.Traffic.Lowest, s.full(o.Stable)
	switch overdue := !s.StepSince.Add(o.deadline()).After(o.Now); {
	case !o.Traffic.Routed || o.available() == 0:
		return 0
	case overdue:
		full = o.Stable.Replicas // nobody scales it up again: this is the size it is meant to have
	case !o.inForce(now, s.Match):
		return now
	}
	// In percent, not in whole pods: a quarter of two pods is no pod, and an
	// autoscaler that sees no more load than before adds none.
	return max(0, min(now, 100-carries(o.Stable.Available*125, full*100)))
}
