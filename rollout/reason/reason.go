// Package reason has one word for each thing that a rollout can be, or that can
// happen to it, and an explanation of each for a person. The page docs/reasons.md is
// generated from these; make golden rewrites it.
package reason

// Reason is one word for why the rollout is where it is. The same constant is
// the reason of the condition, of the event and of the log line, and the label
// of the metric.
type Reason string

// Where a rollout can be.
const (
	Ready             Reason = "Ready"             // opted in, nothing to roll out
	CanaryStarting    Reason = "CanaryStarting"    // the canary was created; its pods are not all Available yet
	RoutesSettling    Reason = "RoutesSettling"    // the canary routes exist and carry no traffic yet
	WeightSet         Reason = "WeightSet"         // a new weight was written
	Waiting           Reason = "Waiting"           // a timed step
	AwaitingPromotion Reason = "AwaitingPromotion" // a pause step: a person decides
	AwaitingVerdict   Reason = "AwaitingVerdict"   // the weight may not rise without a Pass
	AwaitingGate      Reason = "AwaitingGate"      // an HTTP gate is closed
	UpdateGap         Reason = "UpdateGap"         // the update of a promotion may leave no pod that serves
	JobRunning        Reason = "JobRunning"
	PausedByCommand   Reason = "PausedByCommand"
	Adopting          Reason = "Adopting"         // every step passed; the canary's pods become stable's
	Releasing         Reason = "Releasing"        // every step passed; the native rolling update runs
	PromotionStalled  Reason = "PromotionStalled" // that update does not finish; the canary keeps serving
	TrafficReturning  Reason = "TrafficReturning" // stable is the new version; its traffic comes back
	Promoted          Reason = "Promoted"
	PromotedEarly     Reason = "PromotedEarly" // a person ended the wait for the last pods
	WriteRefused      Reason = "WriteRefused"  // the API server refuses a write of Headgate
)

// Why a rollout ended early or does not begin.
const (
	AnalysisFailed           Reason = "AnalysisFailed"
	AnalysisLimitExceeded    Reason = "AnalysisLimitExceeded" // more Inconclusive or Error results than the user allows
	ProgressDeadlineExceeded Reason = "ProgressDeadlineExceeded"
	RolloutDeadlineExceeded  Reason = "RolloutDeadlineExceeded"
	JobFailed                Reason = "JobFailed"
	CanaryUnavailable        Reason = "CanaryUnavailable" // no canary pod is left
	CanaryRoutesDeleted      Reason = "CanaryRoutesDeleted"
	CanaryEdited             Reason = "CanaryEdited" // somebody changed its pod template
	AbortedByCommand         Reason = "AbortedByCommand"
	InvalidState             Reason = "InvalidState"
	InvalidAnnotation        Reason = "InvalidAnnotation"
	Superseded               Reason = "Superseded"           // a newer template arrived
	StableRestored           Reason = "StableRestored"       // the template is a running one again
	WithinRollbackWindow     Reason = "WithinRollbackWindow" // it was stable not long ago, and the user trusts that
	OptedOut                 Reason = "OptedOut"
	HoldRemoved              Reason = "HoldRemoved" // somebody released the template behind Headgate's back
	Bypassed                 Reason = "Bypassed"    // a new template went out without a canary
	BypassFound              Reason = "BypassFound" // one did so while nobody looked
)

// What makes weights meaningless, found before any traffic moves.
const (
	NoService            Reason = "NoService"
	NoIngress            Reason = "NoIngress"
	ServiceNotSupported  Reason = "ServiceNotSupported"  // ExternalName, or no selector
	ServiceSelectsOthers Reason = "ServiceSelectsOthers" // weights would apply to pods that are not ours
	IngressNotSupported  Reason = "IngressNotSupported"  // ssl-passthrough, no HTTP rule
	IngressClassUnknown  Reason = "IngressClassUnknown"  // nobody is known to honour canary annotations there
	ForeignCanary        Reason = "ForeignCanary"        // another canary Ingress already splits this path
	NameTaken            Reason = "NameTaken"            // an object of ours exists and is not ours
	CanaryIndistinct     Reason = "CanaryIndistinct"     // no label keeps canary pods out of selectors that are not for them
	StableUnavailable    Reason = "StableUnavailable"    // no stable pod serves: nothing to split
	ScaledToZero         Reason = "ScaledToZero"
	RecreateNotSupported Reason = "RecreateNotSupported"
	VolumeNotShared      Reason = "VolumeNotShared"    // canary and stable pods would need one ReadWriteOnce volume
	PreviewHostRefused   Reason = "PreviewHostRefused" // not the user's to take
	JobUnavailable       Reason = "JobUnavailable"     // no CronJob to make the Job of
)

// Results that are worth an event of their own.
const (
	MeasurementPassed       Reason = "MeasurementPassed"
	MeasurementFailed       Reason = "MeasurementFailed"
	MeasurementInconclusive Reason = "MeasurementInconclusive"
	MeasurementError        Reason = "MeasurementError"
	StableUnhealthy         Reason = "StableUnhealthy" // stable breaks the limit itself
	DryRunFailed            Reason = "DryRunFailed"    // a metric that is only tried
	JobPassed               Reason = "JobPassed"       // its result satisfies the condition of the step
	CommandTaken            Reason = "CommandTaken"
	CommandRefused          Reason = "CommandRefused"
	AnalysisSkipped         Reason = "AnalysisSkipped"     // nothing can be measured without traffic
	AnalysisEdited          Reason = "AnalysisEdited"      // the rollout keeps the rules that it began with
	CanaryNotCovered        Reason = "CanaryNotCovered"    // a NetworkPolicy or PodDisruptionBudget misses canary pods
	CanaryNeedsFreeNode     Reason = "CanaryNeedsFreeNode" // a port of the node that a stable pod may have
	ScaleDownHeld           Reason = "ScaleDownHeld"       // an autoscaler may not shrink stable for now
	ScaleDownRestored       Reason = "ScaleDownRestored"   // it may again
	ScaleDownNotHeld        Reason = "ScaleDownNotHeld"    // it may, and a rollback may meet too few pods
	PreviewDropped          Reason = "PreviewDropped"      // the rollout goes on without its preview
	RollingInstead          Reason = "RollingInstead"      // the promotion is a rolling update although it should be an adoption
	CanaryLost              Reason = "CanaryLost"          // traffic went back for now: no canary pod is Available
)

// Warning says whether an event with this reason should stand out. A reason that
// the package does not know is no warning.
func (r Reason) Warning() bool { return explanations[r].Warning }
