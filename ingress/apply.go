package ingress

import (
	"context"
	"errors"
	"fmt"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// apply carries p out, in this order:
//
//  1. the canary Services, so that no Ingress leads to a Service that does not exist
//  2. every canary Ingress, even if one of them fails
//  3. the deletions of canary objects, only if nothing failed
//  4. the preview, if nothing failed: its error is a *rollout.PreviewError
func (r *Router) apply(ctx context.Context, p plan) error {
	if err := r.applyCanary(ctx, p); err != nil {
		return err
	}
	if err := r.applyPreview(ctx, p.preview); err != nil {
		return &rollout.PreviewError{Err: err}
	}
	return nil
}

func (r *Router) applyCanary(ctx context.Context, p plan) error {
	if err := r.writeInOrder(ctx, p.services); err != nil {
		return err
	}
	var errs []error
	for _, w := range p.ingresses {
		errs = append(errs, r.writeOne(ctx, w))
	}
	if p.nameConflict != nil {
		errs = append(errs, p.nameConflict)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.deleteAll(ctx, p.stale)
}

func (r *Router) applyPreview(ctx context.Context, p previewPlan) error {
	if err := r.writeInOrder(ctx, p.writes); err != nil {
		return err
	}
	return r.deleteAll(ctx, p.stale)
}

// writeInOrder stops at the first write that fails.
func (r *Router) writeInOrder(ctx context.Context, writes []write) error {
	for _, w := range writes {
		if err := r.writeOne(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) writeOne(ctx context.Context, w write) error {
	if w.was == nil {
		if err := r.client.Create(ctx, w.want); err != nil {
			return fmt.Errorf("creating %s: %w", describe(w.want), err)
		}
		return nil
	}
	patch := client.MergeFromWithOptions(w.was, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, w.want, patch); err != nil {
		return fmt.Errorf("updating %s: %w", describe(w.want), err)
	}
	return nil
}

// deleteAll tries to delete every object, even if one fails. It deletes by UID, so
// that an object which was created again under the same name stays.
func (r *Router) deleteAll(ctx context.Context, objects []client.Object) error {
	var errs []error
	for _, obj := range objects {
		err := r.client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID())})
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("deleting %s: %w", describe(obj), err))
		}
	}
	return errors.Join(errs...)
}

func describe(obj client.Object) string {
	kind := "Service"
	if _, ok := obj.(*netv1.Ingress); ok {
		kind = "Ingress"
	}
	return fmt.Sprintf("%s %q", kind, client.ObjectKeyFromObject(obj))
}
