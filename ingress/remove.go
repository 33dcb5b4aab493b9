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

// Remove deletes every canary Ingress of t, so that all traffic is stable's
// again, and the preview. Deletion is what always works: no validating webhook is asked, sticky
// sessions end, and nothing of the stable routes has to exist or make sense.
//
// It tries all of them whatever fails, and returns every error. One that is
// gone already is none.
func (r *Router) Remove(ctx context.Context, t rollout.Target) error {
	if err := r.deleteOurs(ctx, t, &netv1.IngressList{}, &netv1.IngressList{}); err != nil {
		return fmt.Errorf("removing the canary Ingresses of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return nil
}

// Cleanup deletes the canary and preview Services of t, as Remove does the
// Ingresses. Call
// it after Remove has settled: a controller that still routes to a Service that
// is gone may answer 503.
func (r *Router) Cleanup(ctx context.Context, t rollout.Target) error {
	if err := r.deleteOurs(ctx, t, &corev1.ServiceList{}, &corev1.ServiceList{}); err != nil {
		return fmt.Errorf("removing the canary Services of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return nil
}

// deleteOurs deletes what either view holds of ours. The cache may lag behind
// and not know an Ingress that was created a moment ago; the API server may be
// too busy to list, and still delete.
func (r *Router) deleteOurs(ctx context.Context, t rollout.Target, cached, live client.ObjectList) error {
	found := map[string]client.Object{}
	errs := []error{
		collect(ctx, r.client, t, cached, found),
		collect(ctx, r.live, t, live, found),
	}
	doomed := slices.Collect(byName(found))
	return errors.Join(append(errs, r.deleteAll(ctx, doomed))...)
}

// collect adds to found, by name, what the list that c reads holds of ours.
func collect(ctx context.Context, c client.Reader, t rollout.Target, list client.ObjectList, found map[string]client.Object) error {
	marked := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	if err := c.List(ctx, list, client.InNamespace(t.Deployment.Namespace), marked); err != nil {
		return fmt.Errorf("listing the objects labelled %v: %w", marked, err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		obj, ok := item.(client.Object)
		if ok && rollout.Owns(t.Deployment, obj) && obj.GetDeletionTimestamp().IsZero() {
			found[obj.GetName()] = obj
		}
		return nil
	})
}
