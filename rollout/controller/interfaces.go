package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Router moves traffic between stable and canary. Every method is idempotent: it
// writes only what differs.
type Router interface {
	// Observe finds the Services and Ingresses of t and how they split the traffic
	// now. It reads caches only and writes nothing. A precondition that is not met
	// is Traffic.Problem, not an error.
	Observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error)

	// CheckPods finds pods of others behind the Services of t: their traffic would be
	// split too. nil: there are none. It lists pods from the API server, so it is
	// called once before a rollout begins and not at every look.
	CheckPods(ctx context.Context, t rollout.Target) (*rollout.Problem, error)

	// SetWeight creates or updates the canary Services and Ingresses of t: copies of
	// the stable ones as they are now, with weight (0..100) and match. It does the
	// same for the preview Ingress, if Target.Spec asks for one. Last it deletes the
	// canary Ingresses whose stable Ingress no longer routes to t. If only the preview
	// could not be written, the error is a *rollout.PreviewError.
	SetWeight(ctx context.Context, t rollout.Target, weight int, match spec.Match) error

	// Remove deletes every canary Ingress of t and the preview Ingress, so that
	// stable gets all traffic. It does so also where a precondition is not met.
	Remove(ctx context.Context, t rollout.Target) error

	// Cleanup deletes the canary Services of t. Call it once routers act on what
	// Remove did, which takes the settle time.
	Cleanup(ctx context.Context, t rollout.Target) error

	// Affected says for which rollouts obj, a Service or an Ingress, may change what
	// Observe finds, except those that obj itself names: its owner, and those with an
	// annotation that names it. It is called for each event: it reads caches only and
	// waits for no write.
	Affected(ctx context.Context, obj client.Object) (rollout.Affected, error)
}

// Gatekeeper asks HTTP gates.
type Gatekeeper interface {
	// Ask asks the gates of the point q.Before, one after the other, until one is
	// closed. It does not fail: a gate that does not answer, or that the operator
	// does not allow, counts as closed. An answer may be a few seconds old.
	Ask(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) rollout.GateAnswer
}

// Judge reads analyses.
type Judge interface {
	// Resolve parses the headgate.dev/analysis annotation of a Deployment in
	// namespace, and reads the ConfigMap that it may name. It takes Analysis.Rules too.
	// nil, nil: the text is empty, so no analysis is configured.
	Resolve(ctx context.Context, namespace, text string) (Analysis, error)
}

// Analysis is what an annotation and its ConfigMap said at one moment. Its plan
// and its measurements are of the same version.
type Analysis interface {
	// Rules are the text of the analysis, with the values of its parameters. Resolve
	// understands it, and asks nobody.
	Rules() string

	// Plan is what the decision needs to know: the interval and the limits.
	Plan() rollout.AnalysisPlan

	// Measure takes one measurement of every metric and returns the worst. It
	// does not fail: where it cannot measure, the verdict is Error.
	Measure(ctx context.Context, s rollout.Subject) rollout.Measurement
}

// Autoscalers holds autoscalers: it switches their scale-down off so that they
// cannot shrink stable. It frees them by putting the old value back. Every method
// is idempotent: it writes only what differs.
type Autoscalers interface {
	// Gaps returns a note for each autoscaler that may shrink deployment because it
	// cannot be held. It reads caches only.
	Gaps(ctx context.Context, deployment types.NamespacedName) ([]rollout.Note, error)

	// Hold holds every autoscaler of deployment and calls report after each write.
	Hold(ctx context.Context, deployment types.NamespacedName, report func(rollout.Note)) error

	// Free frees the autoscalers that are held for deployment, and calls report
	// after each write. Those that goal keeps stay held; kept says whether there are
	// any. deployment need not exist any more.
	Free(
		ctx context.Context, deployment types.NamespacedName, goal rollout.ScaleDownGoal, report func(rollout.Note),
	) (kept bool, err error)

	// HeldFor returns the Deployments for which autoscaler is held, existing or not.
	HeldFor(autoscaler client.Object) []types.NamespacedName

	// Changed says whether an update of an autoscaler matters to a rollout.
	Changed(before, after client.Object) bool
}
