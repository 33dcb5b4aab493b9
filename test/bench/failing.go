package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/headgate/headgate/test/bench/metrics"
	"github.com/headgate/headgate/test/lab"
)

// inForce is longer than the default settle time: what is measured then counts.
const inForce = 6 * time.Second

// failing measures the time from the answer with a bad value to the end of the canary's
// traffic, when nothing else goes on.
func failing(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	return f, b.failEach(ctx, t, f, nameFailing)
}

func (b *bench) failEach(ctx context.Context, t tool, f *findings, name string) error {
	a := app{steps: []step{{weight: 50}, pause}, interval: time.Second}
	return b.eachTrial(ctx, t, a, func(ctx context.Context, m trial) error {
		accepted, err := b.update(ctx, t, m.app, lab.Image("v2"))
		if err != nil {
			return err
		}
		if _, err := m.awaitWeight(ctx, accepted, 50); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(inForce):
		}
		b.metrics.Set(m.target(), 0)
		answered, err := b.answered(ctx, m.target())
		if err != nil {
			return err
		}
		at, err := m.awaitAway(ctx, answered)
		f.seconds(name, at.Sub(answered))
		return err
	})
}

// answered waits until the present value of target was answered, and returns when.
func (b *bench) answered(ctx context.Context, target metrics.Target) (time.Time, error) {
	for {
		at, next := b.metrics.Answered(target)
		if !at.IsZero() {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("nobody asked for the bad value: %w", context.Cause(ctx))
		case <-next:
		}
	}
}

// failingBusy measures the same while Busy other rollouts go on. Of their queries every
// second one hangs.
func failingBusy(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	const weights, between = 45, 8 * time.Second // six minutes of steps
	a := app{interval: measureEvery, replicas: 1}
	for weight := range weights {
		a.steps = append(a.steps, step{weight: weight + 1}, step{wait: between})
	}
	fleet, err := b.newFleet(ctx, t, a, b.Busy)
	defer fleet.remove(ctx)
	if err != nil {
		return f, err
	}
	inFleet := fleet.has()
	var queries atomic.Int64
	b.metrics.Hang(func(m metrics.Target) bool { return inFleet(m.Namespace) && queries.Add(1)%2 == 0 })
	defer b.metrics.Hang(func(metrics.Target) bool { return false })
	if err := fleet.update(ctx, fleet.apps, lab.Image("v2")); err != nil {
		return f, err
	}
	if err := b.failEach(ctx, t, f, nameFailingBusy); err != nil {
		return f, err
	}
	busy, promoted, failed := fleet.count(lab.Image("v2"))
	f.note(nameFailingBusy, fmt.Sprintf("of the %d others %d still rolled at the end, %d were promoted, %d had failed; they asked %d times",
		len(fleet.apps), busy, promoted, failed, queries.Load()))
	return f, nil
}
