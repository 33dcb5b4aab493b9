package rollout

import (
	"fmt"
	"time"
)

// maxLosses is how often a canary may lose its last pod and start over. A node
// drain takes a single-pod canary away once; what loses it a third time crashes.
const maxLosses = 2

// progress goes through the steps. Bad news comes first: a verdict and a
// person's abort are heard even while something else holds the rollout up.
func (o Observation) progress(s State) Decision {
	notes := o.tally(&s)
	if s.Why != "" {
		return o.rollBack(s, notes)
	}
	notes = append(notes, o.obey(&s)...)
	switch {
	case s.Why != "":
		return o.rollBack(s, notes)
	case s.Stage == StagePromoting:
		return o.promote(s).with(notes)
	case s.Routed && !o.Traffic.Routed:
		s.Why, s.Message = CanaryRoutesDeleted, "the canary Ingress was deleted, which is taken as an abort"
		return o.rollBack(s, notes)
	case o.Traffic.Routed && o.Traffic.Weight > 0 && o.available() == 0:
		return o.lose(s).with(notes)
	}
	return o.step(s).with(notes)
}

// lose takes the traffic from a canary that has no pod left and begins again.
func (o Observation) lose(s State) Decision {
	if s.Losses++; s.Losses > maxLosses {
		s.Why, s.Message = CanaryUnavailable, fmt.Sprintf("for the %d. time no canary pod was Available under traffic", s.Losses)
		return o.rollBack(s, nil)
	}
	s.Step, s.StepSince = 0, o.Now
	s.grant(0)
	d := o.at(s, CanaryStarting, "waiting for canary pods, to begin again from the first step")
	return d.with([]Note{{CanaryLost, o.say("no canary pod is Available: all traffic went back to stable")}})
}

// step does what the present step asks for and goes on to the next as long as
// steps are done.
func (o Observation) step(s State) Decision {
	for {
		if s.Step == len(s.Steps) {
			s.Stage = StagePromoting
			return o.promote(s)
		}
		waiting := o.await(&s)
		if waiting == nil {
			waiting = o.gate(s)
		}
		if waiting != nil {
			return *waiting
		}
		s.Step++
		s.StepSince = o.Now
	}
}

// await is nil once the present step is done, or else what to wait for.
func (o Observation) await(s *State) *Decision {
	switch step := s.step(); {
	case s.Paused:
		return o.wait(*s, PausedByCommand, "paused by command, until: "+o.annotate("resume"))
	case step.Kind == SetWeight:
		return o.awaitWeight(s, step.Weight)
	case step.Kind == Pause:
		return o.wait(*s, AwaitingPromotion, "until somebody decides: "+o.annotate("promote")+" (or =abort)")
	case step.Kind == RunAnalysis && o.Plan != nil && !(s.Tally.Last == Pass && s.Tally.At.After(s.StepSince)):
		return o.wait(*s, AwaitingVerdict, "the analysis step needs a Pass")
	case step.Kind == RunAnalysis && o.PlanErr != nil:
		return o.wait(*s, InvalidAnnotation, o.PlanErr.Error())
	case step.Kind == Wait:
		until := s.StepSince.Add(step.Duration)
		if until.After(o.Now) {
			d := o.wait(*s, Waiting, "until "+until.Format(time.TimeOnly)+" UTC")
			d.Again = earliest(d.Again, until)
			return d
		}
	}
	return nil
}

// awaitWeight brings weight into force: pods first, then routes without
// traffic, then the traffic.
func (o Observation) awaitWeight(s *State, weight int) *Decision {
	deadline := s.StepSince.Add(o.deadline())
	if !deadline.After(o.Now) {
		s.Why, s.Message = ProgressDeadlineExceeded, fmt.Sprintf("weight %d was not in force after %s: %d of %d canary pods are Available",
			weight, o.deadline(), o.available(), o.Spec.Strategy.Size(weight, s.full(o.Stable)))
		d := o.rollBack(*s, nil)
		return &d
	}
	d := o.prepare(s, weight)
	if d == nil && !o.inForce(weight) {
		x := o.at(*s, WeightSet, fmt.Sprintf("step %d of %d, weight %d", s.Step+1, len(s.Steps), weight))
		x.Again = o.Traffic.Since.Add(o.Settle)
		d = &x
	}
	if d != nil {
		d.Again = earliest(after(d.Again, o.Now), deadline)
		return d
	}
	s.InForce = o.Now
	return nil
}

// prepare is nil once weight may be and has been granted.
func (o Observation) prepare(s *State, weight int) *Decision {
	var d Decision
	switch need := o.Spec.Strategy.Size(weight, s.full(o.Stable)); {
	case s.Routed && s.Weight == weight:
		return nil
	case o.SpecErr != nil:
		d = o.at(*s, InvalidAnnotation, o.SpecErr.Error())
	case o.Problem != nil:
		d = o.at(*s, o.Problem.Reason, o.Problem.Message)
	case o.available() < need:
		d = o.at(*s, CanaryStarting, fmt.Sprintf("waiting for %d canary pods to be Available before weight %d", need, weight))
	case !s.Routed && !o.inForce(0):
		d = o.at(*s, RoutesSettling, "the canary routes exist, at weight 0; waiting until routers have seen them")
		d.Weight = 0
		d.Again = o.Traffic.Since.Add(o.Settle)
	default:
		s.Routed = true
		s.grant(weight)
		return nil
	}
	return &d
}

// gate is nil where the weight may go on from here. It holds where the next step
// raises the weight, or promotes, on the strength of the present one.
func (o Observation) gate(s State) *Decision {
	if o.Plan == nil && o.PlanErr == nil || s.Weight == 0 || s.Tally.Last == Pass {
		return nil
	}
	if s.Step+1 < len(s.Steps) {
		next := s.Steps[s.Step+1]
		if next.Kind != SetWeight || next.Weight <= s.Weight {
			return nil
		}
	}
	if o.PlanErr != nil {
		return o.wait(s, InvalidAnnotation, o.PlanErr.Error())
	}
	last := "no measurement at this weight yet"
	if s.Tally.Last != "" {
		last = "the last was " + string(s.Tally.Last)
	}
	return o.wait(s, AwaitingVerdict, "going on needs a Pass at this weight; "+last)
}

// wait keeps the weight and says so.
func (o Observation) wait(s State, why Reason, what string) *Decision {
	d := o.at(s, why, fmt.Sprintf("step %d of %d, weight %d, %s", min(s.Step+1, len(s.Steps)), len(s.Steps), s.Weight, what))
	return &d
}

// at is the decision to stand where s says.
func (o Observation) at(s State, why Reason, message string) Decision {
	d := Decision{
		Reason:  why,
		Message: o.say("%s", message),
		Canary:  &CanaryGoal{State: s, Replicas: o.canaryReplicas(s)},
		Weight:  Unrouted,
		Phase:   Progressing,
	}
	if o.Traffic.Routed {
		d.Weight = o.raise(s)
	}
	if o.SpecErr != nil && d.Weight == o.Traffic.Weight {
		d.Weight = KeepRoutes // which Ingresses to split cannot be known
	}
	if why == AwaitingPromotion || why == PausedByCommand {
		d.Phase = Paused
	}
	o.Canary = &CanaryStatus{State: s}
	d.Again = o.nextMeasurement()
	if o.PlanErr != nil {
		d.Again = o.Now.Add(recheck)
	}
	return d
}

// raise is the granted weight, or as much of it as the Available pods carry where
// the routes carry less: a weight that somebody lowered by hand is not put back
// onto pods that are gone.
func (o Observation) raise(s State) int {
	now := o.Traffic.Weight
	if s.Weight <= now {
		return s.Weight
	}
	return max(now, min(s.Weight, carries(o.available(), s.full(o.Stable))))
}

// canaryReplicas is the size for the weight of the present step, never less
// than there is: a canary only grows until its traffic is gone.
func (o Observation) canaryReplicas(s State) int32 {
	weight := s.Weight
	if step := s.step(); step.Kind == SetWeight {
		weight = max(weight, step.Weight)
	}
	size := o.Spec.Strategy.Size(weight, s.full(o.Stable))
	if o.Canary != nil {
		size = max(size, o.Canary.Replicas)
	}
	return size
}

// grant gives the canary another weight, about which nothing is known yet.
func (s *State) grant(weight int) {
	s.Weight = weight
	s.InForce = time.Time{}
	s.Tally = Tally{Failures: s.Tally.Failures}
}

func (o Observation) available() int32 {
	if o.Canary == nil {
		return 0
	}
	return o.Canary.Available
}

func (o Observation) deadline() time.Duration {
	if o.Spec.ProgressDeadline > 0 {
		return o.Spec.ProgressDeadline
	}
	return defaultProgressDeadline
}

func (d Decision) with(notes []Note) Decision {
	d.Notes = append(notes, d.Notes...)
	return d
}

// earliest is the sooner of two times, of which the zero time is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// after drops a time that has passed: what waits for it waits for an event.
func after(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}
