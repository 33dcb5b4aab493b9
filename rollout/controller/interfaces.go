package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Router moves traffic between stable and canary. Every method is idempotent
// and writes nothing that is already so.
type Router interface {
	// Observe finds what t's traffic goes through and how it is split now. It
	// reads caches only and writes nothing. A precondition that does not hold is
	// Traffic.Problem, not an error.
	Observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error)

	// SetWeight makes the canary Services and Ingresses exist, be derived from
	// the stable ones as they are now, and carry weight (0..100) and match; and the
	// preview, if Target.Spec wants one. Ingresses whose stable
	// one no longer routes to t are deleted, after the others were written.
	SetWeight(ctx context.Context, t rollout.Target, weight int, match spec.Match) error

	// Remove deletes every canary Ingress of t, and the preview's: all traffic is
	// stable's again.
	// It works whatever else is broken.
	Remove(ctx context.Context, t rollout.Target) error

	// Cleanup deletes the canary Services of t. Call it after Remove has
	// settled.
	Cleanup(ctx context.Context, t rollout.Target) error
}

// Gatekeeper asks HTTP gates.
type Gatekeeper interface {
	// Ask asks those of gates that stand before q.Before, in their order, until one
	// is closed. It does not fail: a gate that does not answer, or that the operator
	// does not allow, is closed. It may answer from memory for a few seconds.
	Ask(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) rollout.GateAnswer
}

// Judge looks at metrics.
type Judge interface {
	// Plan parses the headgate.dev/analysis annotation of a Deployment in namespace.
	// "" has no plan: nil, nil. The text may name a ConfigMap, which is read.
	Plan(ctx context.Context, namespace, analysis string) (*rollout.AnalysisPlan, error)

	// Measure takes one measurement of every metric that analysis names and
	// returns the worst. It does not fail: what cannot be measured is an Error
	// verdict.
	Measure(ctx context.Context, analysis string, s rollout.Subject) rollout.Measurement
}

// Autoscalers holds autoscalers: it switches their scale-down off so that they
// cannot shrink stable, and puts back what was there. Every method is idempotent
// and writes nothing that is already so.
type Autoscalers interface {
	// Gaps returns a note for each autoscaler that may shrink deployment because it
	// cannot be held. It reads caches only.
	Gaps(ctx context.Context, deployment types.NamespacedName) ([]rollout.Note, error)

	// Hold holds every autoscaler of deployment and calls report after each write.
	Hold(ctx context.Context, deployment types.NamespacedName, report func(rollout.Note)) error

	// Free frees the autoscalers that are held for deployment, and calls report
	// after each write. Those that goal keeps stay held; kept says whether there are
	// any. deployment need not exist any more.
	Free(ctx context.Context, deployment types.NamespacedName, goal rollout.ScaleDownGoal, report func(rollout.Note)) (kept bool, err error)

	// HeldFor returns the Deployments for which autoscaler is held, existing or not.
	HeldFor(autoscaler client.Object) []types.NamespacedName

	// Changed says whether an update of an autoscaler matters to a rollout.
	Changed(before, after client.Object) bool
}
