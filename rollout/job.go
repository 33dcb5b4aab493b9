package rollout

import (
	"fmt"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// JobGoal is a Job that should exist.
type JobGoal struct {
	Template string // the suspended CronJob that has its template

	// Run names the Job within its Deployment. It differs for every rollout, for
	// every step, and after every loss of the canary.
	Run string

	// Result is the condition on the number that the Job writes. Zero: none.
	Result spec.Condition
}

// JobStatus is what was seen of the Job of the present step, or of the CronJob it
// is made from.
type JobStatus struct {
	Run   string
	Phase JobPhase

	// Message is why it failed or cannot be made, for a person.
	Message string

	// Result is what it wrote. Zero unless it succeeded and JobGoal.Result is a condition.
	Result JobResult
}

// JobResult is the number that a Job wrote.
type JobResult struct {
	Job    string  // its name
	Number float64 // a ratio, seconds or a bare number
}

// JobPhase is how far a Job is.
type JobPhase string

// The phases of a Job.
const (
	JobMissing     JobPhase = "Missing" // it does not exist and can be made
	JobUnmakable   JobPhase = "Unmakable"
	JobActive      JobPhase = "Active"
	JobSucceeded   JobPhase = "Succeeded"
	JobFailedPhase JobPhase = "Failed"
)

// DueJob is the Job that the present step of s runs. nil: none, or its result is known
// to be good.
func (s State) DueJob() *JobGoal {
	if s.Mode != ModeProgressing || s.presentStep().Kind != spec.RunJob || s.Skipped || s.JobPassed {
		return nil
	}
	return &JobGoal{
		Template: s.presentStep().Job, Result: s.presentStep().Result,
		Run: fmt.Sprintf("%s-%d-%d", s.Rollout, s.Step, s.Losses),
	}
}

// activeJob is the Job of the present step while it runs: a pause does not end it.
func (p *pass) activeJob() *JobGoal {
	goal := p.state.DueJob()
	if goal == nil || p.Job == nil || p.Job.Run != goal.Run || p.Job.Phase != JobActive {
		return nil
	}
	return goal
}

// awaitJob is nil once the Job of the present step has succeeded, with a result that
// satisfies the condition if there is one. The Job is made when the step is on record,
// and only where it is known that it can be made.
func (p *pass) awaitJob() *Decision {
	goal := p.state.DueJob()
	if goal == nil {
		return nil // its result was good
	}
	name := "the Job of CronJob " + goal.Template
	what := name
	if !goal.Result.IsZero() {
		what += ", want a result " + goal.Result.String()
	}
	if p.Job == nil || p.Job.Run != goal.Run {
		return p.waitAtStep(reason.JobRunning, what)
	}
	switch p.Job.Phase {
	case JobSucceeded:
		return p.judgeResult(goal.Result)
	case JobUnmakable:
		return p.untilDeadline(name+" was not made", reason.JobUnavailable, p.Job.Message)
	case JobFailedPhase:
		return p.rollBack(reason.JobFailed, fmt.Sprintf("at weight %d: %s", p.state.Weight, p.Job.Message))
	case JobMissing:
		inForce := latest(p.state.InForce, p.SteadySince.Add(p.Settle))
		if p.unwritten() || inForce.After(p.Now) { // it may test through the Ingress
			d := p.waitAtStep(reason.JobRunning, what)
			d.Again = Earliest(d.Again, ifAfter(inForce, p.Now))
			return d
		}
	case JobActive:
	}
	d := p.waitAtStep(reason.JobRunning, what)
	d.Job = goal
	return d
}

// judgeResult is nil where the result of the Job satisfies want. That goes on record: the
// pod that wrote the result may be deleted before the rollout leaves the step.
func (p *pass) judgeResult(want spec.Condition) *Decision {
	if want.IsZero() {
		return nil
	}
	r := p.Job.Result
	text := fmt.Sprintf("at weight %d: Job %s has the result %s, want %s", p.state.Weight, r.Job, want.Render(r.Number), want)
	if !want.Holds(r.Number) {
		return p.rollBack(reason.JobFailed, text)
	}
	p.state.JobPassed = true
	p.note(reason.JobPassed, "%s", text)
	return nil
}
