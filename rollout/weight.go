package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// awaitSplit brings weight, and what the steps match, into force: pods first,
// then routes without traffic, then the traffic.
func (o Observation) awaitSplit(s *State, weight int) *Decision {
	match, granted := s.match(), s.granted()
	if granted && !s.InForce.IsZero() {
		return nil // it was; a gate may hold this step for long
	}
	if waiting := o.awaitPassAgain(s); waiting != nil {
		return waiting
	}
	if why, what := o.obstacle(*s, weight); why != "" {
		return o.untilDeadline(*s, fmt.Sprintf("weight %d was not in force", weight), why, what)
	}
	if !s.carries() && !o.inForce(0, spec.Match{}) {
		return o.openRoutes(*s)
	}
	if !granted {
		if waiting := o.awaitFirstGate(*s); waiting != nil {
			return waiting
		}
		s.grant(weight, match)
	}
	if !o.inForce(weight, match) {
		d := o.at(*s, reason.WeightSet, fmt.Sprintf("step %d of %d, weight %d%s", s.Step+1, len(s.Steps), weight, match.Besides()))
		d.Again = Earliest(d.Again, after(o.Traffic.Since.Add(o.Settle), o.Now))
		return &d
	}
	s.InForce = o.Now
	return nil
}

// awaitPassAgain is nil unless the Pass that led to the present step was followed
// by something else, while pods were starting for it: then s goes back to the gate,
// past the wait before it.
func (o Observation) awaitPassAgain(s *State) *Decision {
	if s.granted() || s.Step == 0 || !s.step().Raises(s.Weight) {
		return nil
	}
	back := *s
	back.begin(s.Step-1, o.Now)
	back.Skipped = true
	waiting := o.awaitPass(back)
	if waiting != nil {
		*s = back
	}
	return waiting
}

// awaitFirstGate asks at the first step what is asked of every other at the end of
// the one before it.
func (o Observation) awaitFirstGate(s State) *Decision {
	if s.Step > 0 || !s.step().Raises(s.Weight) {
		return nil
	}
	return o.awaitGates(s, spec.GateRise)
}

// obstacle is what must change before weight can come into force. "": nothing.
func (o Observation) obstacle(s State, weight int) (reason.Reason, string) {
	need := o.size(s, weight)
	switch {
	case o.available() < need:
		return reason.CanaryStarting, fmt.Sprintf("waiting for %d canary pods to be Available before weight %d%s", need, weight, o.trouble())
	case s.carries() && s.granted():
		return "", "" // granted already: what came up since is for the next weight
	case o.SpecErr != nil:
		return reason.InvalidAnnotation, o.SpecErr.Error()
	case o.Problem != nil:
		return o.Problem.Reason, o.Problem.Message
	}
	return "", ""
}

// awaitScale is nil once as many canary pods are Available as the step asks for.
func (o Observation) awaitScale(s *State) *Decision {
	if need := o.size(*s, s.Weight); o.available() < need {
		return o.untilDeadline(*s, fmt.Sprintf("the canary was not at its scale of %d pods", need), reason.CanaryStarting,
			fmt.Sprintf("waiting for %d canary pods to be Available%s", need, o.trouble()))
	}
	return nil
}

// trouble is why canary pods do not become Available, if that is known.
func (o Observation) trouble() string {
	if o.Canary == nil || o.Canary.Trouble == "" {
		return ""
	}
	return ": " + o.Canary.Trouble
}

// untilDeadline waits for an obstacle to go. Only for that: a manager that was
// dead for an hour finds pods that are Available, and goes on. If it does not go,
// the rollout ends because of missed.
func (o Observation) untilDeadline(s State, missed string, why reason.Reason, what string) *Decision {
	deadline := s.StepSince.Add(o.deadline())
	if deadline.After(o.Now) {
		d := o.at(s, why, what)
		d.Again = Earliest(Earliest(d.Again, deadline), o.Now.Add(recheck))
		return &d
	}
	if why == reason.CanaryStarting {
		what = fmt.Sprintf("%d of %d canary pods are Available%s", o.available(), o.canaryReplicas(s), o.trouble())
	}
	s.Why, s.Message = reason.ProgressDeadlineExceeded, fmt.Sprintf("%s after %s: %s", missed, spec.FormatDuration(o.deadline()), what)
	d := o.rollBack(s, nil)
	return &d
}

// openRoutes makes routes that carry nothing yet. That they may exist is on
// record before they do, so that canary pods outlive them whatever happens.
func (o Observation) openRoutes(s State) *Decision {
	s.Routed = true
	d := o.at(s, reason.RoutesSettling, "the canary routes exist, at weight 0; waiting until routers have seen them")
	d.Weight = 0
	d.Again = Earliest(d.Again, after(o.Traffic.Since.Add(o.Settle), o.Now))
	return &d
}

// raise is the granted weight, or as much of it as the Available pods carry where
// the routes carry less: a weight that somebody lowered by hand is not put back
// onto pods that are gone.
func (o Observation) raise(s State) int {
	now := o.Traffic.Lowest
	if s.Weight <= now {
		return s.Weight
	}
	return max(now, min(s.Weight, carries(o.available(), s.full(o.Stable))))
}

// canaryReplicas is the size for the weight of the present step, never less
// than there is: a canary only grows until its traffic is gone.
func (o Observation) canaryReplicas(s State) int32 {
	weight := s.Weight
	if step := s.step(); step.Kind == spec.SetWeight && s.Stage == StageProgressing {
		weight = max(weight, step.Weight)
	}
	size := o.size(s, weight)
	if o.Canary != nil {
		size = max(size, o.Canary.Replicas)
	}
	return size
}

// grant gives the canary other traffic, about which nothing is known yet.
func (s *State) grant(weight int, match spec.Match) {
	s.Weight, s.Match = weight, match
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
	return spec.DefaultProgressDeadline
}
