package controller

import (
	"context"

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

// Judge reads analyses.
type Judge interface {
	// Resolve parses the headgate.dev/analysis annotation of a Deployment in
	// namespace, and reads the ConfigMap that it may name. nil, nil: the text is
	// empty, so no analysis is configured.
	Resolve(ctx context.Context, namespace, text string) (Analysis, error)
}

// Analysis is what an annotation and its ConfigMap said at one moment. Its plan
// and its measurements are of the same version.
type Analysis interface {
	// Plan is what the decision needs to know: the interval and the limits.
	Plan() rollout.AnalysisPlan

	// Measure takes one measurement of every metric and returns the worst. It
	// does not fail: what cannot be measured is an Error verdict.
	Measure(ctx context.Context, s rollout.Subject) rollout.Measurement
}
