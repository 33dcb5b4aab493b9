package main

import (
	"context"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout/controller"
)

// judge is an analysis.Judge as the controller wants it: package analysis cannot
// return the controller's interface, because the two do not import each other.
type judge struct{ *analysis.Judge }

// Resolve returns nil, not an interface that holds a nil pointer, where there is
// no analysis.
func (j judge) Resolve(ctx context.Context, namespace, text string) (controller.Analysis, error) {
	resolved, err := j.Judge.Resolve(ctx, namespace, text)
	if err != nil || resolved == nil {
		return nil, err
	}
	return resolved, nil
}
