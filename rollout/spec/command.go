package spec

import (
	"slices"
	"strings"
)

// The verbs of headgate.dev/command.
const (
	VerbPromote     = "promote"      // go on to the next step
	VerbPromoteFull = "promote-full" // skip every step that is left
	VerbPause       = "pause"
	VerbResume      = "resume"
	VerbAbort       = "abort"
	VerbRetry       = "retry" // begin again after a rollback
)

var verbs = []string{VerbPromote, VerbPromoteFull, VerbPause, VerbResume, VerbAbort, VerbRetry}

// Command is what a person wants to happen to a rollout.
type Command struct {
	Verb string // one of the Verb constants

	// Rollout is the rollout that the person looked at, as in AnnotationRollout. A
	// command for another rollout is out of date and must be refused. "" means the
	// present rollout.
	Rollout string
}

// String is the form that ParseCommand reads: "promote" or "promote:7".
func (c Command) String() string {
	if c.Rollout == "" {
		return c.Verb
	}
	return c.Verb + ":" + c.Rollout
}

// ParseCommand reads the value of headgate.dev/command. Its error is an
// *AnnotationError.
func ParseCommand(text string) (Command, error) {
	verb, id, bound := strings.Cut(text, ":")
	if !slices.Contains(verbs, verb) {
		return Command{}, annotationError(AnnotationCommand, wrong(text, "a command is one of "+strings.Join(verbs, ", ")))
	}
	if bound && !isDigits(id) {
		return Command{}, annotationError(AnnotationCommand, wrong(text, "after the colon comes the number in "+AnnotationRollout))
	}
	return Command{Verb: verb, Rollout: id}, nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
