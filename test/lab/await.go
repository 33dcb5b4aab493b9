package lab

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Await reads obj by its namespace and name, and again after every change, until done
// returns nil. An object that does not exist is waited for. When ctx is done, the
// error quotes the last error of done.
func (l *Lab) Await(ctx context.Context, obj client.Object, done func() error) error {
	gvk, err := l.client.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	for {
		err := l.awaitOnce(ctx, gvk, obj, done)
		if !errors.Is(err, errWatchEnded) {
			return err
		}
	}
}

var errWatchEnded = errors.New("watch ended")

func (l *Lab) awaitOnce(ctx context.Context, gvk schema.GroupVersionKind, obj client.Object, done func() error) error {
	// The watch begins before the read, so no change between the two is missed.
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	w, err := l.client.Watch(ctx, list, client.InNamespace(obj.GetNamespace()), client.MatchingFields{"metadata.name": obj.GetName()})
	if err != nil {
		return fmt.Errorf("watch %s %s/%s: %w", gvk.Kind, obj.GetNamespace(), obj.GetName(), err)
	}
	defer w.Stop()
	for {
		err := l.client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if err == nil {
			err = done()
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s %s/%s: %w: %w", gvk.Kind, obj.GetNamespace(), obj.GetName(), context.Cause(ctx), err)
		case _, open := <-w.ResultChan():
			if !open {
				return errWatchEnded
			}
		}
	}
}

// AwaitGone waits until obj does not exist.
func (l *Lab) AwaitGone(ctx context.Context, obj client.Object) error {
	found := obj.DeepCopyObject().(client.Object)
	for {
		err := l.client.Get(ctx, client.ObjectKeyFromObject(obj), found)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for the end of %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s/%s still exists: %w", obj.GetNamespace(), obj.GetName(), err)
		}
	}
}

// Available waits until every replica of dep is updated and available, and no old one
// is left.
func (l *Lab) Available(ctx context.Context, dep *appsv1.Deployment) error {
	return l.Await(ctx, dep, func() error {
		s := dep.Status
		want := *dep.Spec.Replicas
		if s.ObservedGeneration >= dep.Generation && s.UpdatedReplicas == want && s.AvailableReplicas == want && s.Replicas == want {
			return nil
		}
		return fmt.Errorf("%d of %d replicas updated, %d available, %d in all", s.UpdatedReplicas, want, s.AvailableReplicas, s.Replicas)
	})
}
