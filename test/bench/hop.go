package bench

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/headgate/headgate/test/lab"
)

// hop measures how long it takes to create a Deployment and, for the Deployment controller, to
// make its ReplicaSet. No tool has anything to do with it.
func hop(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	namespace := b.newName()
	if err := b.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return f, err
	}
	defer b.clear(ctx, t, []string{namespace})
	watching, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	seen := make(chan time.Time, 10*b.Runs)
	err := follow(watching, b.client, &appsv1.ReplicaSetList{}, namespace, func(e watch.Event, at time.Time) {
		if e.Type == watch.Added {
			seen <- at
		}
	})
	if err != nil {
		return f, err
	}
	for i := range b.Runs {
		dep := lab.Sample{Namespace: namespace, Name: fmt.Sprintf("web-%d", i), Version: "v1"}.Deployment()
		began := time.Now()
		if err := b.client.Create(ctx, dep); err != nil {
			return f, err
		}
		select {
		case <-watching.Done():
			return f, fmt.Errorf("no ReplicaSet for %s/%s: %w", namespace, dep.Name, context.Cause(watching))
		case at := <-seen:
			f.seconds(nameHop, at.Sub(began))
		}
	}
	return f, nil
}
