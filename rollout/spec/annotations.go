package spec

// What a user writes on a Deployment. AnnotationStrategy opts in; every other key
// is optional and has no effect without it.
const (
	AnnotationStrategy         = "headgate.dev/strategy"
	AnnotationSteps            = "headgate.dev/steps"
	AnnotationAnalysis         = "headgate.dev/analysis"
	AnnotationService          = "headgate.dev/service"
	AnnotationIngress          = "headgate.dev/ingress"
	AnnotationTrackLabel       = "headgate.dev/track-label"
	AnnotationProgressDeadline = "headgate.dev/progress-deadline"
	AnnotationRolloutDeadline  = "headgate.dev/rollout-deadline"
	AnnotationPreviewHost      = "headgate.dev/preview-host"
	AnnotationGates            = "headgate.dev/gates"
	AnnotationRollbackWindow   = "headgate.dev/rollback-window"
	AnnotationRestart          = "headgate.dev/restart"
	AnnotationPromotion        = "headgate.dev/promotion"
	AnnotationReportStatus     = "headgate.dev/report-status"
	AnnotationCommand          = "headgate.dev/command"
)

// What Headgate writes.
const (
	// AnnotationRollout is the hold. Its value names the rollout: the Deployment's
	// old metadata.generation plus one. It is on the user's Deployment as long as
	// the template there is held. LabelRollout has the same value.
	AnnotationRollout = "headgate.dev/rollout"

	// AnnotationPhase is on the user's Deployment; see Phase.
	AnnotationPhase = "headgate.dev/phase"

	// AnnotationState is on the canary Deployment: the state that the rollout began
	// with. What comes after it is in ConditionState.
	AnnotationState = "headgate.dev/state"

	// AnnotationAnalysisRules is on the canary Deployment: the text of the analysis that
	// its rollout began with, with the values of its parameters. A rollout that began without
	// an analysis has no such annotation.
	AnnotationAnalysisRules = "headgate.dev/analysis-rules"

	// AnnotationScaleDown is on a HorizontalPodAutoscaler while Headgate keeps its
	// scale-down off, that is until the rollout is over. It holds as JSON which
	// Deployment rolls out and what was there before. Headgate puts that back; a
	// person does where Headgate is gone.
	AnnotationScaleDown = "headgate.dev/scale-down"
)

// AnnotationAdoptedBy is on the ReplicaSet that has the canary's pods until it belongs
// to the Deployment of this name.
const AnnotationAdoptedBy = "headgate.dev/adopted-by"

// AnnotationRestartedAt is on a pod template. kubectl rollout restart and Argo
// CD's restart action write the time there and change nothing else.
const AnnotationRestartedAt = "kubectl.kubernetes.io/restartedAt"

// LabelRollout carries the value of AnnotationRollout, on canary pods and on
// every canary object. It keeps the pods of two successive canaries apart: the
// canary Service of rollout 8 must not reach a pod of rollout 7 that has not
// been collected yet.
const LabelRollout = "headgate.dev/rollout"

// LabelCanary is on canary pods, with the name of their Deployment, cut to 63
// characters. It stays when they become pods of the Deployment, until no route leads to
// the canary Service any more, which selects by it.
const LabelCanary = "headgate.dev/canary"

// LabelTrack is the pod label whose value differs on canary pods, if a Service
// selects on it; see rollout.ChooseTrack.
const LabelTrack = "headgate.dev/track"

// LabelManagedBy and ManagedBy mark every object that Headgate creates.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "headgate"
)

// FieldOwner is the field manager of every write. It must not begin with
// "kubectl": Flux undoes the writes of such managers.
const FieldOwner = "headgate"

// ConditionType is the condition on the user's Deployment that says in one
// sentence where the rollout is. The Deployment controller keeps conditions that
// it does not know (measured on Kubernetes 1.37).
const ConditionType = "headgate.dev/Rollout"

// ConditionKnown is the type of the condition on the user's Deployment that records the
// last template which Headgate knows of; see rollout.KnownTemplate.
const ConditionKnown = "headgate.dev/KnownTemplate"

// ConditionState is the type of the condition on the user's Deployment that holds the
// state of a rollout; see rollout.State.
const ConditionState = "headgate.dev/State"

// ConditionReconciling and ConditionStalled are the types of the conditions that kstatus
// reads on every object, before it looks at anything else (checkGenericProperties in
// pkg/kstatus/status/generic.go of its repository). Headgate writes them only where
// AnnotationReportStatus asks for it.
const (
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
)

// Phase is the coarse state of a rollout, for scripts and dashboards.
// No phase at all means that nothing is being rolled out.
type Phase string

// The phases; Phases says what each means. The webhook resets to Pending, so that
// the verdict on an old template is never read as one on the new.
const (
	Pending     Phase = "Pending"
	Progressing Phase = "Progressing"
	Paused      Phase = "Paused"
	Promoting   Phase = "Promoting"
	RolledBack  Phase = "RolledBack"
)

// PhaseMeaning says in a few words what a phase tells a person.
type PhaseMeaning struct {
	Phase   Phase
	Meaning string
}

// Phases are all phases that a user can see, in the order in which a rollout passes
// them. It must not be changed.
var Phases = []PhaseMeaning{
	{Pending, "a new template is held and its canary has not begun"},
	{Progressing, "the canary goes through its steps"},
	{Paused, "the canary keeps its weight until a person decides: at a `pause` step, or after the command `pause`"},
	{Promoting, "the template is released, and stable becomes the new version"},
	{RolledBack, "stable serves all traffic, and the new template stays held"},
}
