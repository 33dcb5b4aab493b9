package controller

import (
	"context"

	"github.com/headgate/headgate/rollout"
)

func (r *Reconciler) observeJob(context.Context, *seen) error { return nil }

func (r *Reconciler) runJob(context.Context, *seen, rollout.Decision) error { return nil }
