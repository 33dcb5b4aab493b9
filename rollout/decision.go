package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Decision is what should be true, and why.
type Decision struct {
	// Reason and Message are the condition, the event and the log line. Message
	// holds nothing that changes while nothing happens. An empty Reason leaves
	// the condition as it is.
	Reason  reason.Reason
	Message string

	// Notes are what happened besides: one event and one log line each.
	Notes []Note

	// Canary is what the canary Deployment should be. nil: it should not exist.
	Canary *CanaryGoal

	// Weight is what every canary Ingress should carry, 0..100, or Unrouted, or
	// KeepRoutes.
	Weight int

	// Match is what they should match besides. It means nothing where Weight is
	// negative.
	Match spec.Match

	// Ask is the point whose gates are to be asked: with their answer as
	// Observation.Gate the decision may be another one. "": none.
	Ask spec.GatePoint

	// Job is the Job that should exist. nil: none; one of the same rollout that is
	// not at its end has then no purpose any more.
	Job *JobGoal

	// HoldScaleDown says that nothing should shrink stable: traffic may come back
	// to it at any moment.
	HoldScaleDown bool

	Hold  HoldGoal
	Phase spec.Phase // on the user's Deployment; "" means no annotation

	// TakeCommand says that AnnotationCommand has been dealt with and should go.
	TakeCommand bool

	// Again is when to look next if nothing changes until then. Zero: not at
	// all.
	Again time.Time
}

// Weights that are not weights.
const (
	Unrouted   = -1 // no canary Ingress should exist
	KeepRoutes = -2 // whatever is there should stay as it is
)

// CanaryGoal is what the canary Deployment should be.
type CanaryGoal struct {
	State    State
	Replicas int32
}

// HoldGoal says what should become of the hold.
type HoldGoal int

// The goals for a hold.
const (
	KeepHold  HoldGoal = iota
	Release            // let the native rolling update begin
	RenewHold          // hold the same template as a new rollout
)

// Note is something that happened, for an event and a log line.
type Note struct {
	Reason  reason.Reason
	Message string
}
