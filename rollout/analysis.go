package rollout

import "time"

// Verdict is the judgement of one measurement.
type Verdict string

// The four verdicts. Only Pass lets a weight rise and only Fail counts against
// the failure limit.
const (
	Pass         Verdict = "Pass"
	Fail         Verdict = "Fail"
	Inconclusive Verdict = "Inconclusive" // no data, NaN, too few requests

	// StableUnhealthy: stable breaks the user's limit itself, and the canary is not shown to
	// be worse. The weight stays, as with Inconclusive, and counts as one.
	StableUnhealthy Verdict = "StableUnhealthy"
	Error           Verdict = "Error" // the provider did not answer
)

// Measurement is what one look at the metrics said. Message holds the numbers,
// for a person: "success-rate 94.8%, want >= 99%".
type Measurement struct {
	Verdict Verdict
	Message string

	// Shown says of a Pass that every metric is shown to be within its margin, so that more
	// time would tell nothing new. Without that, a Pass says that nothing speaks against it.
	Shown bool

	// Ignored says that the router ignores the canary: stable received so many
	// requests that the canary should have some, and it has none.
	Ignored bool

	// Evidence is what the judge wants to find in Subject.Evidence next time. "": what was
	// there before.
	Evidence string

	// Kept says that Evidence has something new that the judge cannot find out again: how
	// often a metric failed.
	Kept bool

	// WouldFail is what metrics found that only try: a Fail that decides nothing. "": none.
	WouldFail string

	// Compared are the numbers of each comparison with stable, for Headgate's own metrics.
	Compared []Compared
}

// Compared are the numbers of one comparison of the canary with stable.
type Compared struct {
	Metric string // "errors", "p99"

	// CanaryShare and StableShare are the shares of bad answers since the rollout began, from
	// 0 to 1.
	CanaryShare, StableShare float64

	// CanaryRange and StableRange hold the true shares in 95 of 100 rollouts, if they stay as
	// they are. RatioRange is the same of the canary's share divided by stable's; its High
	// may be +Inf.
	CanaryRange, StableRange, RatioRange Range

	// Evidence against the canary begins at 1. It fails where both tests reach what they need.
	AgainstEqual, AgainstMargin Evidence
}

// Range is from Low to High.
type Range struct{ Low, High float64 }

// Evidence is how much speaks against a statement, and how much is needed.
type Evidence struct{ Is, Needs float64 }

// AnalysisPlan is what the decision needs to know of the headgate.dev/analysis
// annotation. Only package analysis knows the queries.
type AnalysisPlan struct {
	// Interval between two measurements, and the span each looks back over.
	// The first is taken one Interval after a weight came into force, so that
	// it never sees traffic of the weight before.
	Interval time.Duration

	// FailureLimit is how many Fail verdicts one rollout survives. 0: none.
	FailureLimit int

	// StartingStep is the first of the user's steps that is judged, counted from
	// 0. An analysis step is judged at any place.
	StartingStep int

	// NeedsTraffic says that every metric counts requests that come to the canary
	// through the Ingress, so nothing can be measured before there are any.
	NeedsTraffic bool

	// InconclusiveLimit and ErrorLimit bound how many such verdicts in a row
	// are waited out before the rollout is rolled back. 0: no bound, the step
	// is held for ever.
	InconclusiveLimit int
	ErrorLimit        int

	// EndWaits lets a Pass that is shown (Measurement.Shown) end the wait of a step.
	EndWaits bool
}

// Subject names what is measured. The controller fills it in; its fields are the
// variables of a query.
type Subject struct {
	Namespace        string
	Deployment       string
	CanaryDeployment string
	CanaryReplicaSet string // its pods are the canary's and no others; "": not known
	Service          string // the first split Service
	CanaryService    string
	ServicePort      string   // "as written" in the Ingress backend: a port name or number
	Ingress          string   // the first stable Ingress
	Ingresses        []string // all of them; none means Ingress alone
	CanaryIngress    string
	TrackLabel       string // pod label key that tells the versions apart
	StableTrack      string // its value on stable pods
	CanaryTrack      string // its value on canary pods
	Rollout          string
	Weight           int           // the weight in force, 0..100
	Matched          bool          // requests that match a header or cookie come besides
	Window           time.Duration // how far the measurement may look back
	Since            time.Time     // since when that weight is in force
	Evidence         string        // of the last measurement of this rollout; "": there was none
}
