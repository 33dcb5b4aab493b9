package rollout_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// story is a script of what persons and fate do. Everybody else acts by himself.
type story struct {
	steps string // judged by metrics
	tell  func(*world)
}

var stories = together(commonStories, strategyStories, adoptionStories, waitStories, unseenStories, refusedStories, rulesStories)

func together(parts ...map[string]story) map[string]story {
	all := map[string]story{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

const (
	usual = "10%, 1m, 50%, 1m, 100%, 1m"
	brief = "50%, 1m"
)

// Each story reads as what a person would have seen. Rewrite them with:
// go test ./rollout -run Story -update
func TestStory(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			w := s.begin(t)
			s.tell(w)
			got := w.log.String() + "\nin the end: " + w.ending() + "\n"
			checkStory(t, name, fmt.Sprintf("%s\nsteps: %s\n\n%s", name, s.steps, got))
		})
	}
}

// What the caches leave out changes no story: with whole objects it is the same.
func TestStoriesAreTheSameWithWholeObjects(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trimmed, whole := s.begin(t), s.begin(t)
			whole.whole = true
			whole.startManager()
			s.tell(trimmed)
			s.tell(whole)
			if diff := cmp.Diff(strings.Split(whole.log.String(), "\n"), strings.Split(trimmed.log.String(), "\n")); diff != "" {
				t.Errorf("(-whole objects +trimmed objects)\n%s", diff)
			}
		})
	}
}

// A kill between any two writes changes nothing but time.
func TestStoriesEndTheSameWhereverTheManagerIsKilled(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.begin(t)
			s.tell(w)
			want, warned := w.ending(), w.oracle.events
			for _, n := range points(w.manager.tried, t) {
				w := s.begin(t)
				w.manager.killAfter, w.manager.downFor = n, 7*time.Second
				s.tell(w)
				if got := w.ending(); !sameEnd(want, got) {
					t.Errorf("killed after %d writes, it ends: %s\nwant: %s\n%s", n, got, want, w.log.String())
				}
				for r := range w.oracle.events {
					if r.Warning() && r != reason.CanaryRoutesDeleted && warned[r] == 0 {
						t.Errorf("killed after %d writes, it warns of %s\n%s", n, r, w.log.String())
					}
				}
			}
		})
	}
}

// A rollout whose canary was never created has its phase for a record. A kill right after
// that was written leaves a condition that says what is tried again, and nothing is.
func TestRollbackOfWhatWasRefusedIsTold(t *testing.T) {
	s := stories["the canary is refused"]
	w := s.begin(t)
	w.afterWrites(1, func() {
		w.manager.dirty = true
		panic(killed{})
	})
	s.tell(w)
	if w.web.phase != spec.RolledBack || w.web.reason != reason.ProgressDeadlineExceeded {
		w.fail("it ends: %s", w.ending())
	}
}

func (s story) begin(t *testing.T) *world {
	w := newWorld(t, s.steps, true)
	w.run(time.Second)
	w.start, w.manager.writes, w.manager.tried = w.now, 0, 0
	w.log.Reset()
	return w
}

// sameEnd forgives one thing: killed between taking the traffic away and writing
// down the reason, the manager finds the traffic gone without a reason.
func sameEnd(want, got string) bool {
	// While the record of a template hung, that template went out: it is reported late.
	got = strings.Replace(got, string(reason.BypassFound), string(reason.Ready), 1)
	want = strings.Replace(want, string(reason.BypassFound), string(reason.Ready), 1)
	lost := regexp.MustCompile(`RolledBack, \w+`)
	return got == want || strings.Contains(got, string(reason.CanaryRoutesDeleted)) &&
		lost.ReplaceAllString(got, "") == lost.ReplaceAllString(want, "")
}

// ending is what is left, without what depends on time.
func (w *world) ending() string {
	var parts []string
	for _, s := range w.web.sets {
		if n := len(s.pods); n > 0 {
			parts = append(parts, fmt.Sprintf("%d pods of %s, %d Available", n, s.template, s.available(w.now)))
		}
	}
	if w.web.hold != "" {
		parts = append(parts, w.web.template+" is held")
	}
	if w.web.phase != "" {
		parts = append(parts, string(w.web.phase))
	}
	parts = append(parts, string(w.web.reason))
	if w.canary != nil {
		parts = append(parts, fmt.Sprintf("a canary of size %d", len(w.canary.set.pods)))
	}
	if w.routed() {
		parts = append(parts, fmt.Sprintf("weight %s", w.written()))
	}
	return strings.Join(parts, ", ")
}

// rest lets time pass until nobody has anything left to do.
func (w *world) rest() { w.until("nobody has anything left to do", w.quiet) }

// checkStory compares what was seen with the golden file of that name.
func checkStory(t *testing.T, name, got string) {
	t.Helper()
	golden.Assert(t, got, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".golden")
}

// Every golden file is told by a story.
func TestStoryFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) != len(stories) {
		t.Errorf("%d golden files for %d stories, %v", len(files), len(stories), err)
	}
}
