package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Observation is everything a decision depends on.
type Observation struct {
	Now time.Time

	// Settle is how long a router may take to act on a changed canary Ingress;
	// Drain how long requests that are under way then get to finish.
	Settle, Drain time.Duration

	Stable Stable
	Canary *CanaryStatus // nil: there is no canary Deployment

	Spec    spec.Spec
	SpecErr error // the annotations do not parse; Spec is then to be ignored

	Traffic Traffic

	// Problem is a precondition that does not hold, of the traffic or of the
	// Deployment itself. nil: all hold.
	Problem *Problem

	// Gaps are what a person should know before a canary starts, and what is no
	// reason not to start it. Looked for while there is none.
	Gaps []Note

	Plan        *AnalysisPlan // nil: no analysis is configured
	PlanErr     error         // it is configured but cannot be read
	Measurement *Measurement  // taken for this observation, where MeasurementDue
	Gate        *GateAnswer   // to what a decision on this observation asked; nil: not asked
	Job         *JobStatus    // of JobDue; nil: there is none
	Command     *spec.Command // nil: nobody asked for anything
	CommandErr  error         // somebody did, unintelligibly
}

// Stable is what was seen of the user's Deployment and its ReplicaSets.
type Stable struct {
	Name     string
	OptedIn  bool
	Hold     string // value of AnnotationRollout; "" means that nothing is held
	Phase    spec.Phase
	Reason   reason.Reason // of the condition as it is now; "" means there is none
	Template string        // fingerprint of the pod template in the spec

	Replicas  int32 // wanted
	Available int32 // of every active ReplicaSet together

	// Runs says that some ReplicaSet of this Deployment has pods: there is a
	// stable version.
	Runs bool

	// TemplateRuns says that one of those ReplicaSets has the very template that
	// the spec has.
	TemplateRuns bool

	// RevisionsAgo is how many revisions ago the template of the spec was stable:
	// 1 is the last one before the stable version. 0: it is not known to have been.
	RevisionsAgo int

	// Complete says that the Deployment controller has seen the latest spec and
	// that every pod is of its template and Available.
	Complete bool

	// Rolling says that a native update is going on, to Revision; with Recreate, that
	// it stops every old pod first.
	Rolling, Recreate bool
	Revision          string

	// Stalled is the Deployment's own ProgressDeadlineExceeded.
	Stalled bool
}

// CanaryStatus is what was seen of the canary Deployment.
type CanaryStatus struct {
	State     State
	StateErr  error // the state there cannot be read; State is then to be ignored
	Replicas  int32 // wanted
	Available int32

	// Trouble is why there are fewer Available pods than wanted, in the words of
	// Kubernetes: a quota, no node with room, an image that cannot be pulled. "" is
	// none that is known. It holds nothing that changes while nothing happens.
	Trouble string
}

// MeasurementDue says whether Measurement should be filled before Next is
// called.
func (o Observation) MeasurementDue() bool {
	due := o.nextMeasurement()
	return !due.IsZero() && !due.After(o.Now)
}

// nextMeasurement is when to measure next. Zero: not before something else
// changes.
func (o Observation) nextMeasurement() time.Time {
	if o.Plan == nil || o.Canary == nil || o.Canary.StateErr != nil {
		return time.Time{}
	}
	s := o.Canary.State
	switch {
	case s.Stage != StageProgressing || s.superseded(o.Stable) || s.InForce.IsZero(),
		!o.Traffic.isAt(s.Weight, s.Match),
		!o.measurable(s):
		return time.Time{}
	}
	// The first look is one interval after the weight came into force, or was put
	// right after somebody edited it: a window that begins earlier would hold
	// answers given under another weight.
	from := s.InForce
	for _, t := range []time.Time{o.Traffic.Since.Add(o.Settle), s.Tally.At} {
		if t.After(from) {
			from = t
		}
	}
	return from.Add(o.Plan.Interval)
}

// judged says whether going on from the present step needs a Pass. While what that
// step brings is not granted yet, the traffic is that of the step before.
func (o Observation) judged(s State) bool {
	step, first := s.Step, o.Plan.StartingStep
	if s.Lead {
		first++
	}
	if !s.granted() {
		step--
	}
	return s.step().Kind == spec.RunAnalysis || s.carries() && step >= first
}

// measurable says whether there is something to measure at the present step.
func (o Observation) measurable(s State) bool {
	return o.judged(s) && (s.carries() || !o.Plan.NeedsTraffic)
}

// inForce says whether routers act on weight and match by now.
func (o Observation) inForce(weight int, match spec.Match) bool {
	return o.Traffic.isAt(weight, match) && !o.Traffic.Since.Add(o.Settle).After(o.Now)
}

// isAt says whether weight and match are what is written.
func (t Traffic) isAt(weight int, match spec.Match) bool {
	return t.Routed && t.Current && t.Weight == weight && t.Match == match
}
