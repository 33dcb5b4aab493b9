package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Decision is what should be true, and why.
type Decision struct {
	// Needs is what this decision is made without. Where it asks for something,
	// the caller does not carry this decision out. It puts the answer into the
	// Observation, or into Observation.Awaited that there is none yet, and calls
	// Next again.
	Needs Needs

	// Reason and Message are the condition, the event and the log line. Message
	// holds nothing that changes while nothing happens. An empty Reason leaves
	// the condition as it is.
	Reason  reason.Reason
	Message string

	// Notes are what else happened: one event and one log line each.
	Notes []Note

	// Canary is what the canary Deployment should be. nil: it should not exist.
	Canary *CanaryGoal

	// Routes is what should become of the canary Ingresses.
	Routes RoutesGoal

	// Adopt is how far the canary's pods should have become pods of the Deployment.
	Adopt AdoptGoal

	// Job is the Job that should exist. nil: none. An unfinished Job of this
	// rollout that is not the one named here serves nothing and should go.
	Job *JobGoal

	// HoldScaleDown says that no autoscaler should shrink stable: traffic may come
	// back to it at any moment.
	HoldScaleDown bool

	// Hold is what should become of the hold on the user's Deployment.
	Hold HoldGoal

	// Phase is for the user's Deployment. "" means no annotation.
	Phase spec.Phase

	// TakeCommand says that spec.AnnotationCommand was dealt with and should go.
	TakeCommand bool

	// Known is what should be on record of the template; see KnownTemplate. nil: what
	// is there. The zero value: nothing. Before a release it is written first.
	Known *KnownTemplate

	// Again is when to look next if nothing changes until then. Zero: not at
	// all.
	Again time.Time
}

// Needs is what a decision depends on and the observation does not hold, because
// it is slow or costs something: it is asked only when it is due. The zero value
// needs nothing.
type Needs struct {
	// Measurement asks for Observation.Measurement.
	Measurement bool

	// Start asks for Observation.Start and Observation.Gaps.
	Start bool

	// Adoption asks for Observation.AdoptionCheck.
	Adoption bool

	// Job asks for Observation.Job: the status of this Job. nil: no Job.
	Job *JobGoal

	// Gates asks for Observation.Gate: the answer of the gates at this point.
	// "": no gates.
	Gates spec.GatePoint
}

// None says whether nothing is needed.
func (n Needs) None() bool { return n == Needs{} }

// CanaryGoal is what the canary Deployment should be.
type CanaryGoal struct {
	State    State
	Replicas int32

	// InMemory says that State differs from the stored one only in what changes no
	// decision where it is lost. It need not be stored, and is to be observed again as
	// long as the stored one stays.
	InMemory bool
}

// HoldGoal says what should become of the hold.
type HoldGoal int

// The goals for a hold.
const (
	KeepHold  HoldGoal = iota // leave it as it is
	Release                   // let the native rolling update begin
	RenewHold                 // hold the same template as a new rollout
)

// Note is something that happened, for an event and a log line.
type Note struct {
	Reason  reason.Reason
	Message string
}
