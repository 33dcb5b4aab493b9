package controller

import (
	"context"
	"sync"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// maxDrift is by how much the clock may differ from one that nobody can set before it
// counts as set. What is protected from a clock that is set takes seconds.
const maxDrift = time.Second

// steady finds out whether somebody has set the clock.
type steady struct {
	lock    sync.Mutex
	now     time.Time // at the last look
	elapsed time.Duration
	since   time.Time // see rollout.Observation.SteadySince
}

// look reads the clock for s.
func (r *Reconciler) look(ctx context.Context, s *snapshot) {
	c := &r.steady
	c.lock.Lock()
	defer c.lock.Unlock()
	now, elapsed := r.now(), r.elapsed()
	drift := now.Sub(c.now) - (elapsed - c.elapsed)
	switch {
	case c.since.IsZero():
		c.since = now
	case drift.Abs() > maxDrift:
		c.since = now
		ctrl.LoggerFrom(ctx).Info("the clock was set", "by", drift.Round(time.Second).String())
	}
	c.now, c.elapsed = now, elapsed
	s.Now, s.SteadySince, s.looked = now, c.since, elapsed
}

// started is when this process was. It has a reading of the monotonic clock.
var started = time.Now()

func (r *Reconciler) elapsed() time.Duration {
	if r.Elapsed != nil {
		return r.Elapsed()
	}
	return time.Since(started)
}
