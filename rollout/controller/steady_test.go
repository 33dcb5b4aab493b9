package controller

import (
	"testing"
	"time"
)

func TestSteadySince(t *testing.T) {
	now, elapsed := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Hour
	r := &Reconciler{Now: func() time.Time { return now }, Elapsed: func() time.Duration { return elapsed }}
	pass := func(d time.Duration) { now, elapsed = now.Add(d), elapsed+d }
	began := now
	for _, step := range []struct {
		what string
		do   func()
		want func() time.Time
	}{
		{"at first", func() {}, func() time.Time { return began }},
		{"a day later", func() { pass(24 * time.Hour) }, func() time.Time { return began }},
		{"with the clock corrected a little", func() { pass(time.Second); now = now.Add(-maxDrift) }, func() time.Time { return began }},
		{"with the clock set back", func() { now = now.Add(-time.Hour) }, func() time.Time { return now }},
		{"with the clock set forward", func() { now = now.Add(time.Hour) }, func() time.Time { return now }},
	} {
		step.do()
		var s snapshot
		if r.look(t.Context(), &s); !s.SteadySince.Equal(step.want()) || !s.Now.Equal(now) {
			t.Errorf("%s: at %s steady since %s, want %s", step.what, s.Now, s.SteadySince, step.want())
		}
	}
}

// A time that was decided before the clock was set is as far away as it was.
func TestRequeueAfterWhenTheClockIsSet(t *testing.T) {
	now, elapsed := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Hour
	r := &Reconciler{Now: func() time.Time { return now }, Elapsed: func() time.Duration { return elapsed }}
	var s snapshot
	r.look(t.Context(), &s)
	in := now.Add(5 * time.Minute)
	now, elapsed = now.Add(-time.Hour), elapsed+time.Minute
	if got := r.requeueAfter(&s, in); got != 4*time.Minute {
		t.Errorf("looks again in %s, want 4m", got)
	}
}
