package rollout

import (
	"fmt"
	"time"
)

// awaitWeight brings weight into force: pods first, then routes without
// traffic, then the traffic.
func (o Observation) awaitWeight(s *State, weight int) *Decision {
	if s.Weight == weight && !s.InForce.IsZero() {
		return nil // it was; a gate may hold this step for long
	}
	if weight > s.Weight && o.awaitPass(*s) != nil {
		// The Pass that led here was followed by something else while pods were
		// starting: back to the gate, past the wait before it.
		s.begin(s.Step-1, o.Now)
		s.Skipped = true
		return o.awaitPass(*s)
	}
	if why, what := o.obstacle(*s, weight); why != "" {
		return o.untilDeadline(*s, weight, why, what)
	}
	if s.Weight == 0 && !o.inForce(0) {
		return o.openRoutes(*s)
	}
	if s.Weight != weight {
		s.grant(weight)
	}
	if !o.inForce(weight) {
		d := o.at(*s, WeightSet, fmt.Sprintf("step %d of %d, weight %d", s.Step+1, len(s.Steps), weight))
		d.Again = earliest(d.Again, after(o.Traffic.Since.Add(o.Settle), o.Now))
		return &d
	}
	s.InForce = o.Now
	return nil
}

// obstacle is what must change before weight can come into force. "": nothing.
func (o Observation) obstacle(s State, weight int) (Reason, string) {
	need := o.Spec.Strategy.Size(weight, s.full(o.Stable))
	switch {
	case o.available() < need:
		return CanaryStarting, fmt.Sprintf("waiting for %d canary pods to be Available before weight %d", need, weight)
	case weight > 0 && s.Weight == weight:
		return "", "" // granted already: what came up since is for the next weight
	case o.SpecErr != nil:
		return InvalidAnnotation, o.SpecErr.Error()
	case o.Problem != nil:
		return o.Problem.Reason, o.Problem.Message
	}
	return "", ""
}

// untilDeadline waits for an obstacle to go. Only for that: a manager that was
// dead for an hour finds pods that are Available, and goes on.
func (o Observation) untilDeadline(s State, weight int, why Reason, what string) *Decision {
	deadline := s.StepSince.Add(o.deadline())
	if deadline.After(o.Now) {
		d := o.at(s, why, what)
		d.Again = earliest(d.Again, deadline)
		return &d
	}
	if why == CanaryStarting {
		what = fmt.Sprintf("%d of %d canary pods are Available", o.available(), o.Spec.Strategy.Size(weight, s.full(o.Stable)))
	}
	s.Why, s.Message = ProgressDeadlineExceeded, fmt.Sprintf("weight %d was not in force after %s: %s", weight, o.deadline(), what)
	d := o.rollBack(s, nil)
	return &d
}

// openRoutes makes routes that carry nothing yet. That they may exist is on
// record before they do, so that canary pods outlive them whatever happens.
func (o Observation) openRoutes(s State) *Decision {
	s.Routed = true
	d := o.at(s, RoutesSettling, "the canary routes exist, at weight 0; waiting until routers have seen them")
	d.Weight = 0
	d.Again = earliest(d.Again, after(o.Traffic.Since.Add(o.Settle), o.Now))
	return &d
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
	if step := s.step(); step.Kind == SetWeight && s.Stage == StageProgressing {
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
