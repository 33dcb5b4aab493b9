package main

import (
	"context"
	"iter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/headgate/headgate/rollout/status"
)

// rereadEvery is how often pods and events are read again while the Deployment does not
// change.
const rereadEvery = 5 * time.Second

// changes yields the Status now, after each change of the Deployment, and every few
// seconds. It ends when ctx is done or after an error.
func (e *env) changes(ctx context.Context, namespace, name string) iter.Seq2[status.Status, error] {
	return func(yield func(status.Status, error) bool) {
		for ctx.Err() == nil {
			events, err := e.watchDeployment(ctx, namespace, name)
			if err != nil {
				yield(status.Status{}, err)
				return
			}
			goOn := e.yieldChanges(ctx, namespace, name, events, yield)
			events.Stop()
			if !goOn {
				return
			}
		}
	}
}

func (e *env) watchDeployment(ctx context.Context, namespace, name string) (watch.Interface, error) {
	one := fields.OneTermEqualSelector("metadata.name", name).String()
	return e.client.apps.Deployments(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: one})
}

// yieldChanges goes on until the watch ends. It says whether to watch again.
func (e *env) yieldChanges(
	ctx context.Context, namespace, name string, events watch.Interface, yield func(status.Status, error) bool,
) bool {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		s, err := e.read(ctx, namespace, name)
		if ctx.Err() != nil || !yield(s, err) || err != nil {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		case _, open := <-events.ResultChan():
			if !open {
				return true
			}
		}
	}
}
