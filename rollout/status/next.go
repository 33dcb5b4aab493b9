package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// next says what happens next.
func (r *reader) next() *Next {
	switch r.out.Phase {
	case Unmanaged:
		return nil
	case Idle:
		return &Next{What: "the next change of the pod template is held and tried"}
	case RolledBack:
		return &Next{What: "stable keeps all traffic and the template stays held", Person: true,
			Needs: "a new template, the old one, or a person who tries this one again"}
	case Pending:
		return r.nextPending()
	case Promoting:
		return r.nextPromoting()
	case Progressing, Paused:
	}
	if r.state == nil {
		return nil
	}
	return r.nextAtStep()
}

// nextPending is for a template that is held and has no canary yet.
func (r *reader) nextPending() *Next {
	n := &Next{What: "the canary starts"}
	if r.before != "" {
		n.Needs = "the canary of rollout " + r.before + " is gone"
		return n
	}
	if r.blocked() {
		n.Needs, n.Person = r.said(), r.out.Reason != reason.AwaitingGate
	}
	return n
}

// blocked says whether something keeps the rollout from beginning.
func (r *reader) blocked() bool {
	e, known := reason.Explain(r.out.Reason)
	return r.out.Phase == Pending && known && slices.Contains(e.Kinds, reason.StaysPending)
}

func (r *reader) nextPromoting() *Next {
	n := &Next{What: "the version is promoted", Needs: r.said()}
	if r.state != nil && r.state.Mode == rollout.ModeReturning {
		n.What = "the canary is removed"
	}
	return n
}

// nextAtStep is for a rollout that goes through its steps.
func (r *reader) nextAtStep() *Next {
	s := r.state
	n := &Next{What: r.after(s.Step)}
	switch {
	case s.Step >= len(s.Steps):
		n.Needs = r.said()
	case s.Paused:
		n.Person, n.Needs = true, "a person resumes it"
	case !s.Granted():
		n.What, n.Needs = does(s.Steps[s.Step]), r.said()
	case s.Steps[s.Step].Kind == spec.Pause && !s.Skipped:
		n.Person, n.Needs = true, "a person promotes it"
	case s.Steps[s.Step].Kind == spec.Wait && !s.Skipped:
		r.afterWait(n)
	default:
		n.Needs = r.said()
	}
	return n
}

// afterWait completes n for a timed wait.
func (r *reader) afterWait(n *Next) {
	s := r.state
	if until := s.StepSince.Add(s.Steps[s.Step].Duration); until.After(r.Now) {
		n.At = pointer(until)
		if r.judged() && r.rises(s.Step+1) && s.Tally.Last != rollout.Pass {
			n.Needs = "a Pass of the analysis at this weight"
		}
		return
	}
	n.Needs = r.said()
}

// judged says whether the rollout has an analysis.
func (r *reader) judged() bool { return r.wanted.Analysis != "" || r.rules() != "" }

// rises says whether step i gives the canary more traffic, or is the promotion.
func (r *reader) rises(i int) bool {
	s := r.state
	if i >= len(s.Steps) {
		return true
	}
	step := s.Steps[i]
	return step.Kind == spec.SetWeight && step.Weight > s.Weight || step.Kind == spec.MatchHeader || step.Kind == spec.MatchCookie
}

// after says what follows step i.
func (r *reader) after(i int) string {
	if i+1 >= len(r.state.Steps) {
		return "the version is promoted"
	}
	return does(r.state.Steps[i+1])
}

// said is what the manager says, without the rollout that it is about.
func (r *reader) said() string {
	return r.out.WithoutRollout(r.out.Message)
}

// does says what a step does.
func does(s spec.Step) string {
	switch s.Kind {
	case spec.SetWeight:
		return fmt.Sprintf("the canary gets %d%% of the traffic", s.Weight)
	case spec.Wait:
		return "the weight stays for " + spec.FormatDuration(s.Duration)
	case spec.Pause:
		return "a person decides"
	case spec.RunAnalysis:
		return "the analysis needs a Pass"
	case spec.SetScale:
		return "the canary gets its size: " + s.String()
	case spec.MatchHeader, spec.MatchCookie:
		return "the canary gets requests by " + s.String()
	case spec.RunJob:
		return "Job " + s.Job + " runs"
	}
	return s.String()
}

// deadlines returns when the rollout ends early, the next time first.
func (r *reader) deadlines() []Deadline {
	s := r.state
	if s == nil || s.Mode != rollout.ModeProgressing {
		return nil
	}
	all := []Deadline{{"the rollout", s.Deadline(r.wanted.RolloutDeadline).UTC()}}
	limit := r.wanted.ProgressDeadline
	if limit == 0 {
		limit = spec.DefaultProgressDeadline
	}
	switch {
	case r.out.Reason == reason.WriteRefused:
		if c := conditionOf(r.Deployment, spec.ConditionType); c != nil {
			all = append(all, Deadline{"the refused write", c.LastTransitionTime.Add(limit).UTC()})
		}
	case s.Step < len(s.Steps) && !s.Granted() && !s.Paused:
		all = append(all, Deadline{"the pods and routes of this step", s.StepSince.Add(limit).UTC()})
	}
	slices.SortFunc(all, func(a, b Deadline) int { return a.At.Compare(b.At) })
	return all
}

// Left is how long it is until t, 0 if t is over.
func (s Status) Left(t time.Time) time.Duration { return max(0, t.Sub(s.At)) }
