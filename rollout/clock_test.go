package rollout_test

import (
	"testing"
	"time"
)

// afterWrites lets something happen right after one of the manager's writes: 0 is the
// first.
func (w *world) afterWrites(n int, happens func()) {
	w.manager.between = func() {
		if n == 0 {
			happens()
			return
		}
		w.afterWrites(n-1, happens)
	}
}

func (w *world) setClock(by time.Duration) {
	w.say("fate", "sets the manager's clock by %s", by)
	w.skew += by
}

func TestStoriesEndTheSameWheneverTheClockIsSet(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.begin(t)
			s.tell(w)
			want, took := w.ending(), w.now.Sub(w.start)
			for _, n := range points(w.manager.writes, t) {
				for _, by := range []time.Duration{time.Hour, -time.Hour} {
					w := s.begin(t)
					w.afterWrites(n, func() { w.setClock(by) })
					s.tell(w)
					if got := w.ending(); !sameEnd(want, got) {
						t.Errorf("clock set by %s after %d writes, it ends: %s\nwant: %s\n%s", by, n, got, want, w.log.String())
					}
					if now := w.now.Sub(w.start); now > took+20*time.Minute {
						t.Errorf("clock set by %s after %d writes, it takes %s, not %s\n%s", by, n, now, took, w.log.String())
					}
				}
			}
		})
	}
}
