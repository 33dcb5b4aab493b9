package status

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// wants says what each verb is for, in the order in which they are shown.
var wants = []struct{ verb, want string }{
	{spec.VerbPromote, "go on to the next step now"},
	{spec.VerbPromoteFull, "ship it now, without the steps that are left"},
	{spec.VerbPause, "keep the weight as it is"},
	{spec.VerbResume, "go on after the pause"},
	{spec.VerbAbort, "give up: all traffic to stable"},
	{spec.VerbRetry, "try the same template again"},
}

// actions returns the commands that the manager takes now.
func (r *reader) actions() []Action {
	var all []Action
	for _, w := range wants {
		if why := r.refusal(w.verb); why != "" {
			r.out.Refused = append(r.out.Refused, Refused{w.verb, why})
			continue
		}
		all = append(all, Action{Verb: w.verb, Want: w.want, Command: r.command(w.verb)})
	}
	return all
}

// refusal says why the manager refuses verb now, as far as the objects tell. "": it takes
// it.
func (r *reader) refusal(verb string) string {
	_, held := r.Deployment.Annotations[spec.AnnotationRollout]
	switch {
	case r.out.Rollout == "":
		return "there is no rollout"
	case r.before != "":
		return "the canary of rollout " + r.before + " is being removed"
	case r.state != nil:
		return r.state.Refuses(verb, held)
	case r.out.Phase == RolledBack:
		return rollout.State{Mode: rollout.ModeRolledBack}.Refuses(verb, held)
	case r.blocked() && verb != spec.VerbPromoteFull:
		return "the rollout has not begun; use promote-full to release without a canary"
	}
	return ""
}

// command is the line for a shell that gives a command to this rollout and to no later one.
func (r *reader) command(verb string) string {
	return fmt.Sprintf("kubectl -n %s annotate deployment/%s %s=%s",
		r.out.Namespace, r.out.Name, spec.AnnotationCommand, spec.Command{Verb: verb, Rollout: r.out.Rollout})
}

// lookAt returns what the explanation of the reason names, besides commands to Headgate.
func (r *reader) lookAt() []Action {
	e, _ := reason.Explain(r.out.Reason)
	var all []Action
	for _, a := range e.Actions {
		if strings.Contains(a.Command, spec.AnnotationCommand) {
			continue
		}
		// NAMESPACE first: NAME is a part of it.
		command := strings.NewReplacer("NAMESPACE", r.out.Namespace, "NAME", r.out.Name).Replace(a.Command)
		all = append(all, Action{Want: a.Want, Command: command})
	}
	return all
}
