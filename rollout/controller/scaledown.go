package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout"
)

func (r *Reconciler) observeScaleDown(context.Context, *seen) error { return nil }

func (r *Reconciler) holdScaleDown(context.Context, *seen, rollout.Decision) error { return nil }

func (r *Reconciler) freeScaleDown(context.Context, *seen, rollout.Decision) error { return nil }

func (r *Reconciler) restoreScaleDown(context.Context, types.NamespacedName) error { return nil }
