package rollout

import (
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// obey carries out the command that is on the Deployment, in a rollout that is
// going through its steps.
func (o Observation) obey(s *State) []Note {
	verb, notes := o.command(s)
	switch verb {
	case spec.VerbAbort:
		s.Why, s.Message = reason.AbortedByCommand, "aborted by command"
	case spec.VerbPause:
		s.Paused = true
	case spec.VerbResume:
		if !s.Paused {
			return o.refused("nothing is paused by command")
		}
		s.Paused = false
		if s.step().WaitsForPods() {
			s.StepSince = o.Now // the deadline of its pods begins anew
		}
	case spec.VerbPromote:
		if !o.skip(s) {
			return o.refused("there is no wait to end here; promote-full goes on without the steps that are left")
		}
	case spec.VerbPromoteFull:
		s.Stage = StagePromoting
	case spec.VerbRetry:
		return o.refused("retry is for a rollout that was rolled back")
	}
	return notes
}

// tooLate is for a command that meets a verdict which ends the rollout: whoever
// said promote-full had not seen that, and has to say it again.
func (o Observation) tooLate(s *State) []Note {
	verb, notes := o.command(s)
	if verb != "" {
		return o.refused("the rollout is being rolled back")
	}
	return notes
}

// skip ends the present wait, if there is one. It does not go on to the next
// step: whether the next weight may come is for its pods and the verdict.
func (o Observation) skip(s *State) bool {
	paused, skipped := s.Paused, s.Skipped
	s.Paused = false
	if !s.step().WaitsForPods() {
		s.Skipped = true
		return paused || !skipped
	}
	if paused {
		s.StepSince = o.Now
	}
	return paused
}

// commandAfterRollback: a person may try again, or release all the same.
func (o Observation) commandAfterRollback(s *State) (string, []Note) {
	verb, notes := o.command(s)
	switch verb {
	case spec.VerbRetry:
		// One write renews the hold and takes the command away: there is no state
		// between the two to remember.
		s.CommandTaken = ""
		return verb, notes
	case spec.VerbPromoteFull, "":
		return verb, notes
	default:
		return "", o.refused("the rollout was rolled back; there is retry and promote-full")
	}
}

// stillRolledBack keeps to a rollback whose record, the canary Deployment,
// somebody deleted: what failed must not begin again by itself.
func (o Observation) stillRolledBack() Decision {
	d := Decision{Weight: Unrouted, Phase: spec.RolledBack}
	switch {
	case o.says(spec.VerbPromoteFull):
		return o.releaseByCommand()
	case o.says(spec.VerbRetry):
		d.Hold, d.Phase = RenewHold, spec.Pending
		d.Notes = []Note{{reason.CommandTaken, o.say(spec.VerbRetry)}}
		return d
	}
	return o.refuseCommand(d, "the rollout was rolled back; there is retry and promote-full")
}

// commandWhilePending: a rollout that begins now is told as if it had begun, so
// that nobody has to wait for that; one that cannot begin can only be let
// through.
func (o Observation) commandWhilePending() Decision {
	if o.says(spec.VerbPromoteFull) {
		return o.releaseByCommand()
	}
	d := o.pending()
	if d.Canary == nil {
		return o.refuseCommand(d, "the rollout has not begun; there is promote-full")
	}
	return d
}

func (o Observation) releaseByCommand() Decision {
	return Decision{
		Weight: Unrouted, Hold: Release,
		Reason: reason.Bypassed, Message: o.say("released without a canary, by command"),
	}
}

// says whether the command on the Deployment is verb, about this rollout.
func (o Observation) says(verb string) bool {
	return o.Command != nil && o.Command.Verb == verb && o.aboutThis()
}

// command is the verb to carry out now, "" for none, and marks it as taken.
func (o Observation) command(s *State) (string, []Note) {
	text := o.commandText()
	taken := s.CommandTaken == text
	s.CommandTaken = text
	switch {
	case taken: // or there is none
		return "", nil
	case o.CommandErr != nil:
		return "", o.refused(o.CommandErr.Error())
	case !o.aboutThis():
		return "", o.refused("it is meant for rollout " + o.Command.Rollout)
	}
	return o.Command.Verb, []Note{{reason.CommandTaken, o.say("%s", o.Command.Verb)}}
}

// commandText tells one command from the next. "" means that there is none.
func (o Observation) commandText() string {
	switch {
	case o.CommandErr != nil:
		return o.CommandErr.Error()
	case o.Command != nil:
		return o.Command.String()
	}
	return ""
}

// refuseCommand is for where no command makes sense.
func (o Observation) refuseCommand(d Decision, why string) Decision {
	switch {
	case o.Canary != nil && o.Canary.State.CommandTaken == o.commandText(): // or there is none
	case o.CommandErr != nil:
		d.Notes = append(d.Notes, o.refused(o.CommandErr.Error())...)
	case o.Command != nil:
		d.Notes = append(d.Notes, o.refused(why)...)
	}
	return d
}

func (o Observation) refused(why string) []Note {
	word := spec.AnnotationCommand
	if o.Command != nil {
		word = o.Command.String()
	}
	return []Note{{reason.CommandRefused, o.say("%s is refused: %s", word, why)}}
}

// aboutThis: a command may name the rollout it is meant for, so that a slow
// finger does not abort the next one.
func (o Observation) aboutThis() bool {
	return o.Command.Rollout == "" || o.Command.Rollout == o.Stable.Hold
}
