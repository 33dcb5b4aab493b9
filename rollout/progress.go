package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// maxLosses is how often a canary may lose its last pod and start over. A node
// drain takes a single-pod canary away once; what loses it a third time crashes.
const maxLosses = 2

// progress goes through the steps. Bad news comes first: a verdict and a
// person's abort are heard even while something else holds the rollout up.
func (o Observation) progress(s State) Decision {
	notes := o.tally(&s)
	if s.Why != "" {
		return o.rollBack(s, append(notes, o.tooLate(&s)...))
	}
	notes = append(notes, o.obey(&s)...)
	switch {
	case s.Why != "":
		return o.rollBack(s, notes)
	case s.Stage == StagePromoting:
		return o.promote(s).with(notes)
	case !o.end(s).After(o.Now):
		s.Why, s.Message = reason.RolloutDeadlineExceeded, fmt.Sprintf("it was not done %s after it began, at step %d of %d", spec.FormatDuration(o.end(s).Sub(s.Began)), s.Step+1, len(s.Steps))
		return o.rollBack(s, notes)
	case o.Stable.Replicas == 0:
		s.Why, s.Message = reason.ScaledToZero, "the Deployment was scaled to 0, so nothing is to serve"
		return o.rollBack(s, notes)
	case s.carried() && !o.Traffic.Routed:
		s.Why, s.Message = reason.CanaryRoutesDeleted, "the canary Ingress is gone, which is taken as an abort"
		return o.rollBack(s, notes)
	case s.carries() && o.available() == 0:
		return o.lose(s).with(notes)
	}
	return o.step(s).with(notes)
}

// lose takes the traffic from a canary that has no pod left and begins again.
func (o Observation) lose(s State) Decision {
	if s.Losses++; s.Losses > maxLosses {
		s.Why, s.Message = reason.CanaryUnavailable, fmt.Sprintf("%d times no canary pod was Available under traffic", s.Losses)
		return o.rollBack(s, nil)
	}
	s.begin(0, o.Now)
	s.grant(0, spec.Match{})
	return o.step(s).with([]Note{{reason.CanaryLost, o.say("no canary pod is Available: all traffic goes back to stable, to begin again from the first step")}})
}

// step does what the present step asks for and goes on to the next as long as
// steps are done.
func (o Observation) step(s State) Decision {
	var notes []Note
	for s.Step < len(s.Steps) {
		waiting := o.await(&s)
		if waiting == nil {
			waiting = o.gate(s)
		}
		if waiting != nil {
			return waiting.with(notes)
		}
		notes = append(notes, o.unjudged(s)...)
		s.begin(s.Step+1, o.Now)
	}
	s.Stage = StagePromoting
	return o.promote(s).with(notes)
}

// unjudged says that an analysis step had nothing to judge.
func (o Observation) unjudged(s State) []Note {
	if s.step().Kind != spec.RunAnalysis || s.Skipped || o.Plan == nil || o.measurable(s) {
		return nil
	}
	return []Note{{reason.AnalysisSkipped, o.say("step %d of %d, weight %d: the metrics of %s count requests that come to the canary, and none do yet: it goes on unjudged", s.Step+1, len(s.Steps), s.Weight, spec.AnnotationAnalysis)}}
}

// leeway is how long a rollout may take beyond what its steps wait for: who was
// to say promote may be away for a few days.
const leeway = 7 * 24 * time.Hour

// end is when the rollout is rolled back if it is not done.
func (o Observation) end(s State) time.Time {
	if o.Spec.RolloutDeadline > 0 {
		return s.Began.Add(o.Spec.RolloutDeadline)
	}
	limit := leeway
	for _, step := range s.Steps {
		limit = min(limit+step.Duration, spec.MaxDuration)
	}
	return s.Began.Add(limit)
}

// begin goes to another step.
func (s *State) begin(step int, now time.Time) {
	s.Step, s.StepSince, s.Skipped = step, now, false
}

// await is nil once the present step is done, or else what to wait for.
func (o Observation) await(s *State) *Decision {
	switch step := s.step(); {
	case s.Paused:
		d := o.wait(*s, reason.PausedByCommand, "paused by command, until: "+o.annotate("resume"))
		d.Job = o.activeJob(*s)
		return d
	case step.Kind == spec.SetWeight:
		return o.awaitSplit(s, step.Weight)
	case step.Kind == spec.MatchHeader, step.Kind == spec.MatchCookie:
		return o.awaitSplit(s, s.Weight)
	case step.Kind == spec.SetScale:
		return o.awaitScale(s)
	case s.Skipped:
		return nil
	case step.Kind == spec.RunJob:
		return o.awaitJob(s)
	case step.Kind == spec.Pause:
		return o.wait(*s, reason.AwaitingPromotion, "until somebody decides: "+o.annotate("promote")+" (or =abort)")
	case step.Kind == spec.RunAnalysis:
		return o.awaitVerdict(*s)
	case step.Kind == spec.Wait:
		until := s.StepSince.Add(step.Duration)
		if until.After(o.Now) {
			d := o.wait(*s, reason.Waiting, "until "+until.Format(time.TimeOnly)+" UTC")
			d.Again = Earliest(d.Again, until)
			return d
		}
	}
	return nil
}

// awaitVerdict is nil once the analysis step has its Pass, or nothing is to be
// measured.
func (o Observation) awaitVerdict(s State) *Decision {
	switch {
	case o.planErr() != nil:
		return o.wait(s, reason.InvalidAnnotation, o.planErr().Error())
	case o.Plan != nil && !o.measurable(s):
		return nil
	case o.Plan != nil && !(s.Tally.Last == Pass && s.Tally.At.After(s.StepSince)):
		return o.wait(s, reason.AwaitingVerdict, "the analysis step needs a Pass")
	}
	return nil
}

// gate is nil where the rollout may go on from here. It holds where the next step
// gives the canary more traffic, or promotes, on the strength of the present one.
func (o Observation) gate(s State) *Decision {
	point := spec.GatePromotion
	if s.Step+1 < len(s.Steps) {
		if !s.Steps[s.Step+1].Raises(s.Weight) {
			return nil
		}
		point = spec.GateRise
	}
	if waiting := o.awaitPass(s); waiting != nil {
		return waiting
	}
	return o.awaitGates(s, point)
}

// awaitPass is nil where the last word on the present weight is a Pass. It must
// be younger than the routes: killed between deleting two Ingresses for a Fail,
// Headgate finds only one of them gone and remembers nothing but an older Pass.
func (o Observation) awaitPass(s State) *Decision {
	last := "the last was " + string(s.Tally.Last)
	switch {
	case !s.carries(), o.Plan == nil && o.planErr() == nil, o.Plan != nil && !o.judged(s):
		return nil
	case s.Tally.Last == "":
		last = "no measurement at this weight yet"
	case s.Tally.Last == Pass && s.Tally.At.Before(o.Traffic.Since):
		last = "since the last one the routes have changed"
	case s.Tally.Last == Pass:
		return nil
	}
	if err := o.planErr(); err != nil {
		return o.wait(s, reason.InvalidAnnotation, err.Error())
	}
	return o.wait(s, reason.AwaitingVerdict, "going on needs a Pass at this weight; "+last)
}

// planErr is why nobody knows whether the rollout is to be judged, and how.
func (o Observation) planErr() error {
	if o.SpecErr != nil {
		return o.SpecErr
	}
	return o.PlanErr
}

// wait keeps the weight and says so.
func (o Observation) wait(s State, why reason.Reason, what string) *Decision {
	if o.Problem != nil && o.SpecErr == nil {
		what += "; meanwhile: " + o.Problem.Message // the next weight will have to wait for that
	}
	d := o.at(s, why, fmt.Sprintf("step %d of %d, weight %d, %s", min(s.Step+1, len(s.Steps)), len(s.Steps), s.Weight, what))
	return &d
}

// at is the decision to stand where s says.
func (o Observation) at(s State, why reason.Reason, message string) Decision {
	s.Routed = s.Routed || o.Traffic.Routed // left over from a canary that somebody deleted
	d := Decision{
		Reason:  why,
		Message: o.say("%s", message),
		Canary:  &CanaryGoal{State: s, Replicas: o.canaryReplicas(s)},
		Weight:  Unrouted,
		Phase:   spec.Progressing,
	}
	if o.Traffic.Routed {
		d.Weight, d.Match = o.raise(s), s.Match
	}
	if o.SpecErr != nil && d.Weight == o.Traffic.Weight && d.Match == o.Traffic.Match {
		d.Weight = KeepRoutes // which Ingresses to split cannot be known
	}
	if why == reason.AwaitingPromotion || why == reason.PausedByCommand {
		d.Phase = spec.Paused
	}
	o.Canary = &CanaryStatus{State: s}
	d.Again = Earliest(o.nextMeasurement(), after(o.end(s), o.Now))
	if o.PlanErr != nil {
		d.Again = Earliest(d.Again, o.Now.Add(recheck))
	}
	return d
}

func (d Decision) with(notes []Note) Decision {
	d.Notes = append(notes, d.Notes...)
	return d
}

// Earliest is the sooner of two times, of which the zero time is none.
func Earliest(a, b time.Time) time.Time {
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
