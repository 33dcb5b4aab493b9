package rollout

import "time"

// Observation is everything a decision depends on.
type Observation struct {
	Now time.Time

	// Settle is how long a router may take to act on a changed canary Ingress;
	// Drain how long requests that are under way then get to finish.
	Settle, Drain time.Duration

	Stable Stable
	Canary *CanaryStatus // nil: there is no canary Deployment

	Spec    Spec
	SpecErr error // the annotations do not parse; Spec is then to be ignored

	Traffic Traffic

	// Problem is a precondition that does not hold, of the traffic or of the
	// Deployment itself. nil: all hold.
	Problem *Problem

	// Uncovered names what is meant for stable pods and would miss canary pods.
	// Looked for while there is no canary.
	Uncovered []string

	Plan        *AnalysisPlan // nil: no analysis is configured
	PlanErr     error         // it is configured but cannot be read
	Measurement *Measurement  // taken for this observation, where MeasurementDue
	Command     *Command      // nil: nobody asked for anything
	CommandErr  error         // somebody did, unintelligibly
}

// Stable is what was seen of the user's Deployment and its ReplicaSets.
type Stable struct {
	Name     string
	OptedIn  bool
	Hold     string // value of AnnotationRollout; "" means that nothing is held
	Phase    Phase
	Reason   Reason // of the condition as it is now; "" means there is none
	Template string // fingerprint of the pod template in the spec

	Replicas  int32 // wanted
	Available int32 // of every active ReplicaSet together

	// Runs says that some ReplicaSet of this Deployment has pods: there is a
	// stable version.
	Runs bool

	// TemplateRuns says that one of those ReplicaSets has the very template that
	// the spec has.
	TemplateRuns bool

	// Complete says that the Deployment controller has seen the latest spec and
	// that every pod is of its template and Available.
	Complete bool

	// Rolling says that a native rolling update is going on, to Revision.
	Rolling  bool
	Revision string

	// Stalled is the Deployment's own ProgressDeadlineExceeded.
	Stalled bool
}

// CanaryStatus is what was seen of the canary Deployment.
type CanaryStatus struct {
	State     State
	StateErr  error // the state there cannot be read; State is then to be ignored
	Replicas  int32 // wanted
	Available int32
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
		!o.Traffic.isAt(s.Weight),
		s.Weight == 0 && s.step().Kind != RunAnalysis:
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

// inForce says whether routers act on weight by now.
func (o Observation) inForce(weight int) bool {
	return o.Traffic.isAt(weight) && !o.Traffic.Since.Add(o.Settle).After(o.Now)
}

// isAt says whether weight is what is written.
func (t Traffic) isAt(weight int) bool {
	return t.Routed && t.Current && t.Weight == weight
}
