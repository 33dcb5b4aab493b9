package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

const (
	perNamespace = 10 // apps of a fleet
	creators     = 16 // apps that are created at a time
	fleetLimit   = 15 * time.Minute
)

// fleet is many apps that a tool manages.
type fleet struct {
	b          *bench
	tool       tool
	apps       []app
	namespaces []string
	end        func() // of the watch

	mu      sync.Mutex
	changed chan struct{}
	states  map[string]state // by app.key
}

// newFleet makes n apps like a, in namespaces of perNamespace each, and waits until all stand
// still. The fleet is never nil, so that it can be removed after an error.
func (b *bench) newFleet(ctx context.Context, t tool, a app, n int) (*fleet, error) {
	f := &fleet{b: b, tool: t, states: map[string]state{}, changed: make(chan struct{})}
	var watching context.Context
	watching, f.end = context.WithCancel(ctx)
	if err := follow(watching, b.client, t.workloads(), "", f.see); err != nil {
		return f, err
	}
	for i := range n {
		if i%perNamespace == 0 {
			f.namespaces = append(f.namespaces, b.newName())
		}
		a.namespace, a.name = f.namespaces[i/perNamespace], fmt.Sprintf("web-%d", i%perNamespace)
		f.apps = append(f.apps, a)
	}
	for _, name := range f.namespaces {
		if err := b.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return f, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, fleetLimit)
	defer cancel()
	if err := errAll(n, creators, func(i int) error { return b.createIn(ctx, t, f.apps[i]) }); err != nil {
		return f, err
	}
	if _, err := f.awaitPromoted(ctx, f.apps, lab.Image("v1")); err != nil {
		return f, err
	}
	return f, b.quiet(ctx, "", f.has(), 3*time.Second)
}

func (f *fleet) has() func(namespace string) bool { return only(f.namespaces...) }

func (f *fleet) remove(ctx context.Context) {
	f.end()
	f.b.clear(ctx, f.tool, f.namespaces)
}

func (f *fleet) see(e watch.Event, _ time.Time) {
	o, ok := e.Object.(client.Object)
	if !ok || e.Type == watch.Deleted {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states[o.GetNamespace()+"/"+o.GetName()] = f.tool.read(o)
	close(f.changed)
	f.changed = make(chan struct{})
}

// update gives each of apps another version, all at once.
func (f *fleet) update(ctx context.Context, apps []app, image string) error {
	return errAll(len(apps), len(apps), func(i int) error {
		_, err := f.b.update(ctx, f.tool, apps[i], image)
		return err
	})
}

// awaitPromoted returns when the last of apps was seen promoted with image.
func (f *fleet) awaitPromoted(ctx context.Context, apps []app, image string) (time.Time, error) {
	for {
		f.mu.Lock()
		changed, left := f.changed, 0
		var failed error
		for _, a := range apps {
			s := f.states[a.key()]
			if s.image != image || !s.promoted {
				left++
			}
			if s.image == image && s.failed != "" {
				failed = fmt.Errorf("%s: %s", a.key(), s.failed)
			}
		}
		f.mu.Unlock()
		if left == 0 || failed != nil {
			return time.Now(), failed
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%d of %d apps are not promoted to %s: %w", left, len(apps), image, context.Cause(ctx))
		case <-changed:
		}
		// A look at every app costs: not at each of the many changes.
		time.Sleep(20 * time.Millisecond)
	}
}

// count says where the rollouts to image are.
func (f *fleet) count(image string) (busy, promoted, failed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.apps {
		switch s := f.states[a.key()]; {
		case s.image == image && s.failed != "":
			failed++
		case s.image == image && s.promoted:
			promoted++
		default:
			busy++
		}
	}
	return busy, promoted, failed
}

// burst measures a fleet at rest, and then the update of a part of it at once.
func burst(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	fleet, err := b.newFleet(ctx, t, app{steps: ladder(wait), interval: measureEvery, replicas: 1}, b.Fleet)
	defer fleet.remove(ctx)
	if err != nil {
		return f, err
	}
	if err := b.atRest(ctx, t, f); err != nil {
		return f, err
	}
	apps := fleet.apps[:min(b.Burst, len(fleet.apps))]
	before, err := usageOf(t.program())
	if err != nil {
		return f, err
	}
	ctx, cancel := context.WithTimeout(ctx, fleetLimit)
	defer cancel()
	began := time.Now()
	if err := fleet.update(ctx, apps, lab.Image("v2")); err != nil {
		return f, err
	}
	at, err := fleet.awaitPromoted(ctx, apps, lab.Image("v2"))
	if err != nil {
		return f, err
	}
	f.seconds(nameBurst, at.Sub(began))
	select {
	case <-ctx.Done():
		return f, context.Cause(ctx)
	case <-time.After(afterwards):
	}
	return f, b.cost(t, f, fleet, before, began)
}

// cost says what a burst that began then has cost the manager and everybody.
func (b *bench) cost(t tool, f *findings, fleet *fleet, before usage, began time.Time) error {
	after, err := usageOf(t.program())
	if err != nil {
		return err
	}
	if fmt.Sprint(after.pids) != fmt.Sprint(before.pids) {
		return fmt.Errorf("%s has restarted during the burst", t.name())
	}
	f.seconds(nameBurstCPU, after.cpu-before.cpu)
	f.note(nameBurstCPU, fmt.Sprintf("processes: %d, RSS afterwards %d MB", len(after.pids), after.rss>>20))
	for name, user := range map[string]string{nameBurstWrites: t.user(), nameBurstFollowing: controllerManager} {
		writes, err := b.writesBetween(user, fleet.has(), began, time.Now())
		if err != nil {
			return err
		}
		f.add(name, float64(len(writes)))
		f.note(name, tally(writes))
	}
	return nil
}

// rest is how long a fleet is watched that nobody touches.
const rest = time.Minute

// stillWriting is how long a tool may go on to write about what has ended: events wait in a
// queue.
const stillWriting = 3 * time.Minute

// atRest counts what the tool writes, anywhere, while nothing changes.
func (b *bench) atRest(ctx context.Context, t tool, f *findings) error {
	everywhere := func(string) bool { return true }
	waiting, cancel := context.WithTimeout(ctx, stillWriting)
	defer cancel()
	_ = b.quiet(waiting, t.user(), everywhere, 5*time.Second) // one that never ends is measured as it is
	before, err := usageOf(t.program())
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(rest):
	}
	writes, err := b.writesBetween(t.user(), everywhere, began, time.Now())
	if err != nil {
		return err
	}
	after, err := usageOf(t.program())
	if err != nil {
		return err
	}
	f.add(nameRest, float64(len(writes)))
	f.note(nameRest, fmt.Sprintf("%.2f CPU-seconds in %s, RSS %d MB, processes: %d",
		(after.cpu-before.cpu).Seconds(), rest, after.rss>>20, len(after.pids)))
	if len(writes) > 0 {
		f.note(nameRest, tally(writes))
	}
	return nil
}
