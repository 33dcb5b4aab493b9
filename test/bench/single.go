package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

const (
	replicas = 4 // of an app that is rolled out alone

	// A rollout with 16 s of waits is measured about ten times: not in the settle time of 1 s
	// after each weight, and then two or three times in the other 3 s of each wait.
	measureEvery = 1500 * time.Millisecond
	wait         = 4 * time.Second

	slowPod = 3 * time.Second

	oneLimit = 5 * time.Minute // for one rollout
	// Argo Rollouts keeps the old pods for 30 s.
	afterwards = 40 * time.Second
)

// trial is one app that is ready to be updated.
type trial struct {
	app
	*timeline
	end func() // of the watches
}

// trials makes as many apps like a, each in a namespace of its own, and waits until all stand
// still. remove deletes them.
func (b *bench) trials(ctx context.Context, t tool, a app, n int) (made []trial, remove func(), err error) {
	var namespaces []string
	remove = func() {
		for _, m := range made {
			m.end()
		}
		b.clear(ctx, t, namespaces)
	}
	for range n {
		a.namespace, a.name = b.newName(), "web"
		namespaces = append(namespaces, a.namespace)
		m := trial{app: a}
		if err := b.create(ctx, t, a); err != nil {
			return made, remove, err
		}
		var watching context.Context
		watching, m.end = context.WithCancel(ctx)
		if m.timeline, err = b.watchApp(watching, t, a); err != nil {
			m.end()
			return made, remove, err
		}
		made = append(made, m)
	}
	ctx, cancel := context.WithTimeout(ctx, oneLimit)
	defer cancel()
	for _, m := range made {
		if _, err := m.awaitPromoted(ctx, lab.Image("v1")); err != nil {
			return made, remove, err
		}
	}
	return made, remove, b.quiet(ctx, "", only(namespaces...), 2*time.Second)
}

// create makes the namespace of a and its objects.
func (b *bench) create(ctx context.Context, t tool, a app) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}}
	if err := b.client.Create(ctx, ns); err != nil {
		return err
	}
	return b.createIn(ctx, t, a)
}

func (b *bench) createIn(ctx context.Context, t tool, a app) error {
	for _, obj := range t.objects(a) {
		if err := b.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("create %s: %w", a.key(), err)
		}
	}
	return nil
}

// clear deletes what t works on in the namespaces, and waits until no pod is left there, so
// that the next experiment finds a lab at rest. The namespaces stay, empty: their deletion
// would take minutes. What cannot be deleted is left.
func (b *bench) clear(ctx context.Context, t tool, namespaces []string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, namespace := range namespaces {
		for _, obj := range []client.Object{t.workload(app{}), &netv1.Ingress{}, &corev1.Service{}} {
			_ = b.client.DeleteAllOf(ctx, obj, client.InNamespace(namespace), client.PropagationPolicy(metav1.DeletePropagationBackground))
		}
	}
	_ = lab.Poll(ctx, func() error {
		for _, namespace := range namespaces {
			var pods corev1.PodList
			if err := b.client.List(ctx, &pods, client.InNamespace(namespace), client.Limit(1)); err != nil || len(pods.Items) > 0 {
				return errors.Join(err, fmt.Errorf("%s still has pods", namespace))
			}
		}
		return nil
	})
	_ = b.quiet(ctx, "", only(namespaces...), 2*time.Second)
}

// eachTrial makes Runs apps like a, and measures one after the other.
func (b *bench) eachTrial(ctx context.Context, t tool, a app, measure func(context.Context, trial) error) error {
	a.replicas = replicas
	made, remove, err := b.trials(ctx, t, a, b.Runs)
	defer remove()
	if err != nil {
		return err
	}
	for _, m := range made {
		ctx, cancel := context.WithTimeout(ctx, oneLimit)
		err := measure(ctx, m)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// firstWeight measures the time from an update to the first weight, with pods that are ready
// at once.
func firstWeight(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	return f, b.eachTrial(ctx, t, app{steps: []step{{weight: 10}, pause}}, func(ctx context.Context, m trial) error {
		accepted, err := b.update(ctx, t, m.app, lab.Image("v2"))
		if err != nil {
			return err
		}
		at, err := m.awaitWeight(ctx, accepted, 1)
		f.seconds(nameFirstWeight, at.Sub(accepted))
		return err
	})
}

// slowPods measures the time from the last pod that the first weight needs to that weight.
func slowPods(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	a := app{steps: []step{{weight: 50}, pause}, delay: slowPod}
	return f, b.eachTrial(ctx, t, a, func(ctx context.Context, m trial) error {
		accepted, err := b.update(ctx, t, m.app, lab.Image("v2"))
		if err != nil {
			return err
		}
		at, err := m.awaitWeight(ctx, accepted, 1)
		if err != nil {
			return err
		}
		last := m.lastReady(accepted, at)
		if last.IsZero() {
			return fmt.Errorf("%s has a weight before any new pod is ready", m.key())
		}
		f.seconds(nameSlowPods, at.Sub(last))
		return nil
	})
}

// wholeRollout measures a rollout without measurements.
func wholeRollout(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	return f, b.eachTrial(ctx, t, app{steps: ladder(wait)}, func(ctx context.Context, m trial) error {
		took, err := b.rollOut(ctx, t, m)
		f.seconds(nameRollout, took)
		return err
	})
}

// rollOut updates an app and returns how long it took until it was promoted.
func (b *bench) rollOut(ctx context.Context, t tool, m trial) (time.Duration, error) {
	accepted, err := b.update(ctx, t, m.app, lab.Image("v2"))
	if err != nil {
		return 0, err
	}
	at, err := m.awaitPromoted(ctx, lab.Image("v2"))
	return at.Sub(accepted), err
}

// judgedRollout measures a rollout with about ten measurements, and what was written for it.
func judgedRollout(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	began := map[string]time.Time{}
	a := app{steps: ladder(wait), interval: measureEvery, replicas: replicas}
	made, remove, err := b.trials(ctx, t, a, b.Runs)
	defer remove()
	if err != nil {
		return f, err
	}
	for _, m := range made {
		one, cancel := context.WithTimeout(ctx, oneLimit)
		began[m.namespace] = time.Now()
		took, err := b.rollOut(one, t, m)
		cancel()
		if err != nil {
			return f, err
		}
		f.seconds(nameJudged, took)
		f.add(nameMeasurements, float64(b.metrics.Queries(m.target())))
	}
	select {
	case <-ctx.Done():
		return f, context.Cause(ctx)
	case <-time.After(afterwards):
	}
	for i, m := range made {
		if err := b.countWrites(f, t, m.namespace, began[m.namespace], i == 0); err != nil {
			return f, err
		}
	}
	return f, nil
}

// countWrites counts what was written in a namespace since from, and the pods that were
// started. A note tells what was written.
func (b *bench) countWrites(f *findings, t tool, namespace string, from time.Time, note bool) error {
	own, err := b.writesBetween(t.user(), only(namespace), from, time.Now())
	if err != nil {
		return err
	}
	theirs, err := b.writesBetween(controllerManager, only(namespace), from, time.Now())
	if err != nil {
		return err
	}
	started := 0
	for _, w := range theirs {
		if w.Verb == "create" && w.Resource == "pods" && w.Subresource == "" && w.Code < 300 {
			started++
		}
	}
	f.add(nameWrites, float64(len(own)))
	f.add(nameFollowing, float64(len(theirs)))
	f.add(namePods, float64(started))
	if note {
		f.note(nameWrites, tally(own))
		f.note(nameFollowing, tally(theirs))
	}
	return nil
}
