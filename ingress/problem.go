package ingress

import (
	"context"
	"fmt"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// precondition is something that must be true before a split of the traffic does
// what its weight says.
type precondition struct {
	name  string // what must be true
	check check
	place string // why the precondition stands where it does in its table
}

// check returns the problem if the precondition is not met, and nil if it is. An
// error means that the check could not be made.
type check func(context.Context, inspection) (*rollout.Problem, error)

// preconditions are everything that can become Traffic.Problem. A user sees one
// problem at a time, the first one, so the order says what to correct first. A new
// precondition needs a row here, a reason in package rollout/reason, and a step in
// TestPreconditionsAreInOrder.
var preconditions = []precondition{
	{
		name:  "every named Service exists, selects the pods and can be split",
		check: pure(checkNamedServices),
		place: "What the user wrote comes first: a misspelt name can cause each of the problems below.",
	},
	{
		name:  "a Service selects the pods",
		check: pure(checkAnyService),
		place: "Ingresses are judged by the Services that they lead to, so Services come before Ingresses.",
	},
	{
		name:  "every named Ingress exists and leads to the pods",
		check: pure(checkNamedIngresses),
		place: "A misspelt Ingress leaves a Service without a path: name the cause before the effect.",
	},
	{
		name:  "an Ingress leads to every split Service",
		check: pure(checkPaths),
		place: "The rows below look at the Ingresses that lead to the Services, so there must be some.",
	},
	{
		name:  "no Ingress passes TLS through",
		check: pure(checkPassthrough),
		place: "The user can correct it in the Ingress itself, whichever controller serves it.",
	},
	{
		name:  "a controller that supports canary annotations serves every Ingress",
		check: pure(checkClasses),
		place: "Other canaries on a path matter only if the controller supports canaries at all.",
	},
	{
		name:  "no canary of somebody else is on a path to a split Service",
		check: checkForeignCanaries,
		place: "It needs only objects that exist before a rollout, and the next row needs the labels of canary pods.",
	},
	{
		name:  "no Service of somebody else selects the canary pods",
		check: pure(checkSelectors),
		place: "It makes the weights wrong on every path; the next row is about one object that is missing.",
	},
	{
		name:  "the names of the canary objects are free",
		check: pure(checkCanaryNames),
		place: "SetWeight writes all other objects in spite of it, so every row about wrong weights comes first.",
	},
}

// previewPreconditions are everything that can become Traffic.PreviewRefused.
// Somebody who may annotate a Deployment may not therefore take a host of somebody
// else.
var previewPreconditions = []precondition{
	{
		name:  "the first stable Ingress requires no client certificates",
		check: pure(checkClientCertificates),
		place: "If it does, no host is allowed, so it comes before the questions about the host.",
	},
	{
		name:  "the host is in a domain that the Deployment may use",
		check: pure(checkPreviewDomain),
		place: "If it is not, the user must choose another host, and who serves this one does not matter.",
	},
	{
		name:  "the names of the preview objects are free",
		check: pure(checkPreviewNames),
		place: "It needs only this namespace, which is already read.",
	},
	{
		name:  "nobody else serves the host",
		check: checkPreviewHost,
		place: "It searches the Ingresses of all namespaces, so only for a preview that is allowed otherwise.",
	},
}

// firstProblem returns the problem of the first row that is not met, nil if all are.
func firstProblem(ctx context.Context, table []precondition, in inspection) (*rollout.Problem, error) {
	for _, row := range table {
		if p, err := row.check(ctx, in); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// pure makes a check of a function that reads nothing but the inspection.
func pure(find func(inspection) *rollout.Problem) check {
	return func(_ context.Context, in inspection) (*rollout.Problem, error) { return find(in), nil }
}

func newProblem(reason reason.Reason, format string, args ...any) *rollout.Problem {
	return &rollout.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// checkCanaryNames reports what the plan found.
func checkCanaryNames(in inspection) *rollout.Problem { return in.plan.nameConflict }
