package rollout

import "fmt"

// obey carries out the command that is on the Deployment, in a rollout that is
// going through its steps.
func (o Observation) obey(s *State) []Note {
	verb, notes := o.command(s)
	switch verb {
	case VerbAbort:
		s.Why, s.Message = AbortedByCommand, "aborted by command"
	case VerbPause:
		s.Paused = true
	case VerbResume:
		if !s.Paused {
			return o.refused("nothing is paused by command")
		}
		s.Paused = false
	case VerbPromote:
		if !o.skip(s) {
			return o.refused(fmt.Sprintf("weight %d is being set: there is nothing to skip", s.step().Weight))
		}
	case VerbPromoteFull:
		s.Stage = StagePromoting
	case VerbRetry:
		return o.refused("retry is for a rollout that was rolled back")
	}
	return notes
}

// skip ends the present wait, if there is one. It does not raise a weight:
// whether the next weight may come is for its pods and the verdict.
func (o Observation) skip(s *State) bool {
	switch paused := s.Paused; s.step().Kind {
	case Wait, Pause, RunAnalysis:
		s.Step++
		s.StepSince, s.Paused = o.Now, false
		return true
	default:
		s.Paused = false
		return paused
	}
}

// commandAfterRollback: a person may try again, or release all the same.
func (o Observation) commandAfterRollback(s *State) (string, []Note) {
	verb, notes := o.command(s)
	switch verb {
	case VerbRetry:
		// One write renews the hold and takes the command away: there is no state
		// between the two to remember.
		s.CommandTaken = false
		return verb, notes
	case VerbPromoteFull, "":
		return verb, notes
	default:
		return "", o.refused("the rollout was rolled back; there is retry and promote-full")
	}
}

// commandWhilePending: a rollout that has not begun can only be let through.
func (o Observation) commandWhilePending() Decision {
	if o.Command != nil && o.Command.Verb == VerbPromoteFull && o.aboutThis() {
		return Decision{
			Weight: Unrouted, Hold: Release,
			Reason: Bypassed, Message: o.say("released without a canary, by command"),
		}
	}
	return o.refuseCommand(o.pending(), "the rollout has not begun; there is promote-full")
}

// command is the verb to carry out now, "" for none, and marks it as taken.
func (o Observation) command(s *State) (string, []Note) {
	switch {
	case o.Command == nil && o.CommandErr == nil:
		s.CommandTaken = false
		return "", nil
	case s.CommandTaken:
		return "", nil
	}
	s.CommandTaken = true
	if o.CommandErr != nil {
		return "", o.refused(o.CommandErr.Error())
	}
	if !o.aboutThis() {
		return "", o.refused("it is meant for rollout " + o.Command.Rollout)
	}
	return o.Command.Verb, []Note{{CommandTaken, o.say("%s", o.Command.Verb)}}
}

// refuseCommand is for where no command makes sense.
func (o Observation) refuseCommand(d Decision, why string) Decision {
	switch {
	case o.CommandErr != nil:
		d.Notes = append(d.Notes, o.refused(o.CommandErr.Error())...)
	case o.Command != nil:
		d.Notes = append(d.Notes, o.refused(why)...)
	}
	return d
}

func (o Observation) refused(why string) []Note {
	word := AnnotationCommand
	if o.Command != nil {
		word = o.Command.String()
	}
	return []Note{{CommandRefused, o.say("%s is refused: %s", word, why)}}
}

// aboutThis: a command may name the rollout it is meant for, so that a slow
// finger does not abort the next one.
func (o Observation) aboutThis() bool {
	return o.Command.Rollout == "" || o.Command.Rollout == o.Stable.Hold
}
