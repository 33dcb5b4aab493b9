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
}

// JobStatus is what was seen of the Job of the present step, or of the CronJob it
// is made from.
type JobStatus struct {
	Run   string
	Phase JobPhase

	// Message is why it failed or cannot be made, for a person.
	Message string
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

// DueJob is the Job that the present step of s runs. nil: none.
func (s State) DueJob() *JobGoal {
	if s.Mode != ModeProgressing || s.presentStep().Kind != spec.RunJob || s.Skipped {
		return nil
	}
	return &JobGoal{Template: s.presentStep().Job, Run: fmt.Sprintf("%s-%d-%d", s.Rollout, s.Step, s.Losses)}
}

// activeJob is the Job of the present step while it runs: a pause does not end it.
func (p *pass) activeJob() *JobGoal {
	goal := p.state.DueJob()
	if goal == nil || p.Job == nil || p.Job.Run != goal.Run || p.Job.Phase != JobActive {
		return nil
	}
	return goal
}

// awaitJob is nil once the Job of the present step has succeeded. The Job is made
// when the step is on record, and only where it is known that it can be made.
func (p *pass) awaitJob() *Decision {
	goal := p.state.DueJob()
	name := "the Job of CronJob " + goal.Template
	if p.Job == nil || p.Job.Run != goal.Run {
		return p.waitAtStep(reason.JobRunning, name)
	}
	switch p.Job.Phase {
	case JobSucceeded:
		return nil
	case JobUnmakable:
		return p.untilDeadline(name+" was not made", reason.JobUnavailable, p.Job.Message)
	case JobFailedPhase:
		return p.rollBack(reason.JobFailed, fmt.Sprintf("at weight %d: %s", p.state.Weight, p.Job.Message))
	case JobMissing:
		if p.unwritten() || p.state.InForce.After(p.Now) { // it may test through the Ingress
			d := p.waitAtStep(reason.JobRunning, name)
			d.Again = Earliest(d.Again, ifAfter(p.state.InForce, p.Now))
			return d
		}
	case JobActive:
	}
	d := p.waitAtStep(reason.JobRunning, name)
	d.Job = goal
	return d
}
