package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Remove deletes the canary and preview Ingresses of t, so that all traffic goes to
// the stable pods again. It deletes and does not write weight 0, because a delete
// always works: no validating webhook is asked, users with a sticky session leave
// the canary, and it needs nothing of the stable Services and Ingresses.
//
// It tries to delete every Ingress even if one fails, and returns every error. An
// Ingress that is already gone is no error.
func (r *Router) Remove(ctx context.Context, t rollout.Target) error {
	err := errors.Join(
		r.deleteOwn(ctx, t, &netv1.IngressList{}, &netv1.IngressList{}),
		r.emptyTerminating(ctx, t),
	)
	if err != nil {
		return fmt.Errorf("removing the canary Ingresses of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return nil
}

// emptyTerminating takes the traffic from canary Ingresses that are being deleted
// and still exist: a finalizer that nobody removes would keep their weight for
// ever.
func (r *Router) emptyTerminating(ctx context.Context, t rollout.Target) error {
	s, err := readSnapshot(ctx, r.client, r.dialect, t)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range s.terminating() {
		ing := s.canaries()[name]
		if w := (write{was: ing, want: s.withSplit(ing, trafficSplit{})}); w.isNeeded() {
			errs = append(errs, r.writeOne(ctx, w))
		}
	}
	return errors.Join(errs...)
}

// Cleanup deletes the canary and preview Services of t, in the same way. Call it
// when the settle time has passed since Remove: a controller that still routes to a
// Service which is gone may answer 503.
func (r *Router) Cleanup(ctx context.Context, t rollout.Target) error {
	if err := r.deleteOwn(ctx, t, &corev1.ServiceList{}, &corev1.ServiceList{}); err != nil {
		return fmt.Errorf("removing the canary Services of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return nil
}

// deleteOwn deletes the own objects in the cache and those on the API server. The
// cache may be behind and lack an Ingress that was created a moment ago. The API
// server may be too busy to list and still able to delete.
func (r *Router) deleteOwn(ctx context.Context, t rollout.Target, cached, live client.ObjectList) error {
	found := map[string]client.Object{}
	marked := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	errs := []error{
		collect(ctx, r.client, t, cached, found, client.MatchingFields{ownerIndex: string(t.Deployment.UID)}),
		collect(ctx, r.live, t, live, found, marked),
	}
	own := slices.Collect(byName(found))
	return errors.Join(append(errs, r.deleteAll(ctx, own))...)
}

// collect lists with c what selected finds, and adds to found, by name, the own objects
// that are not being deleted already.
func collect(
	ctx context.Context, c client.Reader, t rollout.Target, list client.ObjectList, found map[string]client.Object, selected client.ListOption,
) error {
	if err := c.List(ctx, list, client.InNamespace(t.Deployment.Namespace), selected); err != nil {
		return fmt.Errorf("listing what Headgate made: %w", err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		obj, ok := item.(client.Object)
		if ok && rollout.Owns(t.Deployment, obj) && obj.GetDeletionTimestamp().IsZero() {
			found[obj.GetName()] = obj
		}
		return nil
	})
}
