package rollout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// setClock sets the manager's clock.
func (w *world) setClock(by time.Duration) {
	w.say("fate", "sets the clock of the manager by %s", by)
	w.skew += by
	w.forward += max(by, 0)
}

// afterWrites lets something happen right after a write of the manager: 0 is the first.
func (w *world) afterWrites(n int, happens func()) {
	w.manager.between = func() {
		if n == 0 {
			happens()
			return
		}
		w.afterWrites(n-1, happens)
	}
}

// anew is longer than any wait of the stories.
const anew = 20 * time.Minute

// A clock that is set by an hour changes nothing but time, and little of that: no rollout
// waits until the clock has caught up. So it is if the next leader has such a clock.
// TestAWaitEndsEarly has what it does change.
func TestStoriesEndTheSameWheneverTheClockIsSet(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.begin(t)
			s.tell(w)
			want, took, deadline := w.ending(), w.now.Sub(w.start), w.web.rolloutDeadline
			for _, n := range points(w.manager.writes, t) {
				for i, by := range []time.Duration{time.Hour, -time.Hour, time.Hour, -time.Hour} {
					if !*everywhere && i != (n+len(name))%4 || by > 0 && deadline != "" {
						continue
					}
					w := s.begin(t)
					w.afterWrites(n, func() {
						w.setClock(by)
						if w.manager.dirty = true; i > 1 {
							panic(killed{})
						}
					})
					s.tell(w)
					if got := w.ending(); !sameEnd(want, got) {
						t.Errorf("after write %d, it ends: %s\nwant: %s\n%s", n, got, want, w.log.String())
					}
					if now := w.now.Sub(w.start); now > took+anew {
						t.Errorf("after write %d, it takes %s, not %s\n%s", n, now, took, w.log.String())
					}
				}
			}
		})
	}
}

// The oracle finds nothing wrong after any write, whatever the clock says and whatever goes
// wrong besides; and every rollout comes to an end.
func TestInvariantsHoldWhateverTheClockSays(t *testing.T) {
	by := rapid.SampledFrom([]time.Duration{time.Hour, -time.Hour, 4 * time.Minute, -4 * time.Minute, 3 * time.Second})
	check(t, 80, func(t *rapid.T) {
		w := drawWorld(t)
		acts := w.actsOfFate()
		acts["the clock"] = func(t *rapid.T) { w.setClock(by.Draw(t, "by")) }
		acts["the clock in the middle of a pass"] = func(t *rapid.T) {
			set := by.Draw(t, "by")
			w.manager.between = func() { w.setClock(set) }
		}
		names := rapid.SampledFrom([]string{
			"the clock", "the clock in the middle of a pass", "a kill", "a write fails", "canary pods die", "a verdict changes", "a resync",
		})
		w.apply("v2")
		for range rapid.IntRange(3, 12).Draw(t, "acts") {
			acts[names.Draw(t, "act")](t)
			w.run(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		}
		w.heal()
		w.ends()
	})
}

// A wait of the steps is the only thing that a clock which is set forward ends early, and
// the next weight still needs its Pass.
func TestAWaitEndsEarly(t *testing.T) {
	w := newWorld(t, "10%, 1h, 50%", true)
	w.apply("v2")
	w.untilReason(reason.Waiting)
	w.verdicts["v2"] = rollout.Inconclusive
	w.setClock(time.Hour)
	w.manager.dirty = true
	w.run(10 * time.Minute)
	if w.written().weight != 10 {
		w.fail("without a Pass the weight is %d", w.written().weight)
	}
	clear(w.verdicts)
	began := w.now
	w.untilShare(50)
	if waited := w.now.Sub(began); waited > 2*time.Minute {
		w.fail("it waits %s more", waited)
	}
}

// Old pods stay until routers had their time, by the present clock: an hour may not have
// passed since they were told.
func TestHandOverWaitsForRouters(t *testing.T) {
	for _, at := range []int{50, 100} {
		for _, c := range []struct {
			steady time.Duration
			want   rollout.AdoptGoal
		}{{settle - time.Second, rollout.PrepareAdoption}, {settle, rollout.HandOver}} {
			o := running()
			o.SteadySince = o.Now.Add(-c.steady)
			s := &o.Canary.State
			s.Mode, s.Step, s.Weight, s.Steps[0] = rollout.ModeAdopting, len(s.Steps), at, weight(at)
			o.Traffic.Weight, o.Traffic.Lowest, o.Traffic.Since = at, at, o.Now.Add(-time.Hour)
			o.Canary.Filled, o.Canary.FilledSince = true, o.Now.Add(-time.Hour)
			if d := rollout.Next(o); d.Adopt != c.want {
				t.Errorf("at weight %d, %s after the clock was set: %d, want %d: %s", at, c.steady, d.Adopt, c.want, d.Message)
			}
		}
	}
}
