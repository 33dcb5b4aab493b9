package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Observation is everything a decision depends on.
type Observation struct {
	Now time.Time

	// SteadySince is since when the clock that Now is read from has not been set, as far as
	// this manager knows: it began to lead then, or the clock was set then.
	SteadySince time.Time

	// Settle is how long a router may take to act on a changed canary Ingress.
	// Drain is how long requests that are under way then get to finish.
	Settle, Drain time.Duration

	Stable Stable
	Canary *CanaryStatus // nil: there is no canary Deployment

	// Ended is the state of a rollout whose canary Deployment is gone. It is there until
	// the end of that rollout is in the condition. nil: there is none.
	Ended *State

	Spec    spec.Spec
	SpecErr error // the annotations do not parse; Spec is then to be ignored

	Traffic Traffic

	// Problem is a precondition that does not hold, of the traffic or of the
	// Deployment. nil: all hold.
	Problem *Problem

	// Start answers Needs.Start; nil: not looked for. Gaps come with it: they are
	// what a person should know before a canary starts, and no reason to wait.
	Start *StartCheck
	Gaps  []Note

	AdoptionCheck *AdoptionCheck // answers Needs.Adoption; nil: not looked for

	Rules       RulesSeen
	Plan        *AnalysisPlan // of the rules in force, see RulesSeen.Kept; nil: there is no analysis
	PlanErr     error         // there is one, and it cannot be read
	Measurement *Measurement  // answers Needs.Measurement; nil: not taken
	Gate        *GateAnswer   // answers Needs.Gates; nil: not asked
	Job         *JobStatus    // answers Needs.Job; nil: not looked for

	// Awaited is what was asked and is not answered yet. The decision does not ask
	// for it again, and goes no further than it may without the answer.
	Awaited Needs

	Command    *spec.Command // nil: there is no command
	CommandErr error         // there is one, and it cannot be read
}

// Stable is what was seen of the user's Deployment and of its ReplicaSets.
type Stable struct {
	Name     string
	OptedIn  bool
	Hold     string // value of AnnotationRollout; "" means that nothing is held
	Phase    spec.Phase
	Reason   reason.Reason // of the condition as it is now; "" means there is none
	Template string        // fingerprint of the pod template in the spec

	// Version is Template and, after a slash, the time of the last restart. Known is
	// what is on record of it or of an earlier one.
	Version string
	Known   KnownTemplate

	Replicas  int32 // wanted
	Available int32 // of every active ReplicaSet together

	// Refused is what the refuser of a write said, and RefusedSince when that write
	// was first refused. Zero: the last pass wrote all it had to.
	Refused      string
	RefusedSince time.Time

	// Runs says that some ReplicaSet of this Deployment has pods: there is a
	// stable version.
	Runs bool

	// TemplateRuns says that one of those ReplicaSets has the same template as the
	// spec.
	TemplateRuns bool

	// RevisionsAgo is how many revisions ago the template of the spec was stable:
	// 1 is the last one before the stable version. 0: it is not known to have been.
	RevisionsAgo int

	// UpToDate says that the Deployment controller has seen the latest spec. Complete
	// says that moreover every pod is of its template and Available.
	UpToDate, Complete bool

	// Updated is Complete, whether or not the template is held.
	Updated bool

	// NotAdoptable is why pods of the canary cannot become pods of this Deployment.
	// "": nothing is known that is against it.
	NotAdoptable string

	// Rolling says that a native rolling update to Revision is under way. Recreate
	// is the Deployment's strategy that stops every old pod first.
	Rolling, Recreate bool
	Revision          string

	// UpdateGap is why the rolling update of a release may leave stable without an
	// Available pod. Routers then answer 503 to everybody, whatever the weight: a
	// canary Ingress needs endpoints behind the stable one. "": it leaves some.
	UpdateGap string

	// Stalled is the Deployment's own ProgressDeadlineExceeded.
	Stalled bool

	// Missing is which pods a promotion waits for, and why, where it makes no progress:
	// `1 of 4 pods: web-7d9f-abcde (a pod cannot be scheduled: ...)`. "": not known.
	Missing string
}

// StartCheck is the result of the checks that cost reads from the API server, such as
// a list of pods. They are made when nothing else is in the way of a canary.
type StartCheck struct {
	// Problem is a precondition that does not hold. nil: the canary may start.
	Problem *Problem
}

// CanaryStatus is what was seen of the canary Deployment.
type CanaryStatus struct {
	State     State // as Headgate knows it
	Stored    State // what a manager that starts now finds; see CanaryGoal.InMemory
	StateErr  error // the stored state cannot be read; both are then to be ignored
	Replicas  int32 // wanted
	Available int32

	// Template is the fingerprint of the pod template there, as the API server has it.
	Template string

	// Filled says that a ReplicaSet without an owner has as many of the canary's pods as
	// the Deployment wants, all Available, and FilledSince when this manager saw that
	// first. Adopted says that it belongs to the Deployment by now.
	Filled, Adopted bool
	FilledSince     time.Time

	// Trouble is why there are fewer Available pods than wanted, in the words of
	// Kubernetes: a quota, no node with room, an image that cannot be pulled. "" is
	// none that is known. It holds nothing that changes while nothing happens.
	Trouble string
}
