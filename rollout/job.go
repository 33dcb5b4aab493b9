package rollout

import (
	"fmt"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// JobGoal is a Job that should exist.
type JobGoal struct {
	Template string // the suspended CronJob that it is made of

	// Run names it within its Deployment: it is another one in every rollout, at
	// every step, and after every loss of the canary.
	Run string
}

// JobStatus is what was seen of the Job of the present step, or of what it is to
// be made of.
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
	JobMissing     JobPhase = "Missing" // and can be made
	JobUnmakable   JobPhase = "Unmakable"
	JobActive      JobPhase = "Active"
	JobSucceeded   JobPhase = "Succeeded"
	JobFailedPhase JobPhase = "Failed"
)

// JobDue is the Job that the present step runs. nil: none.
func (o Observation) JobDue() *JobGoal {
	if o.Canary == nil || o.Canary.StateErr != nil {
		return nil
	}
	return o.Canary.State.JobDue()
}

// JobDue is the Job that the present step of s runs. nil: none.
func (s State) JobDue() *JobGoal {
	if s.Stage != StageProgressing || s.step().Kind != spec.RunJob || s.Skipped {
		return nil
	}
	return &JobGoal{Template: s.step().Job, Run: fmt.Sprintf("%s-%d-%d", s.Rollout, s.Step, s.Losses)}
}

// activeJob is the Job of the present step, if it runs: a pause does not end it.
func (o Observation) activeJob(s State) *JobGoal {
	goal := s.JobDue()
	if goal == nil || o.Job == nil || o.Job.Run != goal.Run || o.Job.Phase != JobActive {
		return nil
	}
	return goal
}

// awaitJob is nil once the Job of the present step has succeeded. It is made
// when the step is on record, and only while somebody says that it can be.
func (o Observation) awaitJob(s *State) *Decision {
	goal := s.JobDue()
	if o.Job == nil || o.Job.Run != goal.Run {
		return o.wait(*s, reason.JobRunning, "the Job of CronJob "+goal.Template)
	}
	switch o.Job.Phase {
	case JobSucceeded:
		return nil
	case JobUnmakable:
		return o.untilDeadline(*s, "the Job of CronJob "+goal.Template+" was not made", reason.JobUnavailable, o.Job.Message)
	case JobFailedPhase:
		s.Why, s.Message = reason.JobFailed, fmt.Sprintf("at weight %d: %s", s.Weight, o.Job.Message)
		d := o.rollBack(*s, nil)
		return &d
	case JobMissing, JobActive:
	}
	d := o.wait(*s, reason.JobRunning, "the Job of CronJob "+goal.Template)
	d.Job = goal
	return d
}
