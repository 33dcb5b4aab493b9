package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const weightAnnotation = "nginx.ingress.kubernetes.io/canary-weight"

// follow calls seen for every object of a namespace ("": of all), and for each change, until
// ctx is done. It sees an object again when the API server has ended the watch.
func follow(ctx context.Context, c client.WithWatch, list client.ObjectList, namespace string, seen func(watch.Event, time.Time)) error {
	w, err := c.Watch(ctx, list, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			if err == nil {
				for e := range w.ResultChan() {
					seen(e, time.Now())
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
				w, err = c.Watch(ctx, list, client.InNamespace(namespace))
			}
		}
	}()
	return nil
}

// weightChange is one weight of a canary Ingress; gone is its deletion.
type weightChange struct {
	at     time.Time
	weight int
	gone   bool
}

// timeline is what happened to one app, as watches told it: a time is when the benchmark
// could see the change.
type timeline struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, at every change

	weights []weightChange
	ready   map[string]time.Time // of each pod by its name, when it became ready
	state   state
	stateAt time.Time
}

// watchApp starts the timeline of a, which lasts until ctx is done.
func (b *bench) watchApp(ctx context.Context, t tool, a app) (*timeline, error) {
	l := &timeline{changed: make(chan struct{}), ready: map[string]time.Time{}}
	ingresses := &metav1.PartialObjectMetadataList{}
	ingresses.SetGroupVersionKind(netv1.SchemeGroupVersion.WithKind("IngressList"))
	for _, each := range []struct {
		list client.ObjectList
		seen func(watch.Event, time.Time)
	}{
		{ingresses, func(e watch.Event, at time.Time) { l.seeIngress(e, at, t.canaryIngress(a)) }},
		{&corev1.PodList{}, l.seePod},
		{t.workloads(), func(e watch.Event, at time.Time) { l.seeWorkload(e, at, t, a.name) }},
	} {
		if err := follow(ctx, b.client, each.list, a.namespace, func(e watch.Event, at time.Time) {
			l.mu.Lock()
			defer l.mu.Unlock()
			each.seen(e, at)
			close(l.changed)
			l.changed = make(chan struct{})
		}); err != nil {
			return nil, fmt.Errorf("watch %s: %w", a.key(), err)
		}
	}
	return l, nil
}

func (l *timeline) seeIngress(e watch.Event, at time.Time, name string) {
	o, ok := e.Object.(*metav1.PartialObjectMetadata)
	if !ok || o.Name != name {
		return
	}
	c := weightChange{at: at, gone: e.Type == watch.Deleted}
	if !c.gone {
		c.weight, _ = strconv.Atoi(o.Annotations[weightAnnotation]) // 0 where there is none
	}
	if n := len(l.weights); n == 0 || l.weights[n-1].weight != c.weight || l.weights[n-1].gone != c.gone {
		l.weights = append(l.weights, c)
	}
}

func (l *timeline) seePod(e watch.Event, at time.Time) {
	pod, ok := e.Object.(*corev1.Pod)
	if !ok || !l.ready[pod.Name].IsZero() {
		return
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			l.ready[pod.Name] = at
		}
	}
}

func (l *timeline) seeWorkload(e watch.Event, at time.Time, t tool, name string) {
	if o, ok := e.Object.(client.Object); ok && e.Type != watch.Deleted && o.GetName() == name {
		l.state, l.stateAt = t.read(o), at
	}
}

// await returns when done does, which may read the timeline. It is called again at each change.
func (l *timeline) await(ctx context.Context, what string, done func() bool) error {
	for {
		l.mu.Lock()
		ok, failed, changed := done(), l.state.failed, l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		if failed != "" {
			return fmt.Errorf("waited for %s: %s", what, failed)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		case <-changed:
		}
	}
}

// awaitWeight returns when the first weight of at least least was seen since.
func (l *timeline) awaitWeight(ctx context.Context, since time.Time, least int) (at time.Time, err error) {
	err = l.await(ctx, fmt.Sprintf("a weight of %d", least), func() bool {
		for _, c := range l.weights {
			if !c.gone && c.weight >= least && !c.at.Before(since) {
				at = c.at
				return true
			}
		}
		return false
	})
	return at, err
}

// awaitAway returns when the canary was seen without a weight, at or after since.
func (l *timeline) awaitAway(ctx context.Context, since time.Time) (at time.Time, err error) {
	for {
		l.mu.Lock()
		changed := l.changed
		for _, c := range l.weights {
			if c.weight == 0 && !c.at.Before(since) {
				l.mu.Unlock()
				return c.at, nil
			}
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("waited for the traffic to be taken away: %w", context.Cause(ctx))
		case <-changed:
		}
	}
}

// awaitPromoted returns when the workload was seen promoted with image.
func (l *timeline) awaitPromoted(ctx context.Context, image string) (at time.Time, err error) {
	err = l.await(ctx, "the promotion of "+image, func() bool {
		at = l.stateAt
		return l.state.promoted && l.state.image == image
	})
	return at, err
}

// lastReady is when the last pod became ready in (from, to].
func (l *timeline) lastReady(from, to time.Time) (last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.ready {
		if at.After(from) && !at.After(to) && at.After(last) {
			last = at
		}
	}
	return last
}
