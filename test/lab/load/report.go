package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Answer is what became of one request.
type Answer struct {
	Due  time.Time // when it was to be sent; a busy machine sends later
	Sent time.Time // read before it is sent: it reaches nobody earlier
	Took time.Duration

	Version   string // "" when no version answered: the ingress controller itself did, or nobody
	Code      int    // HTTP status; 0 when none came
	OnPurpose bool   // the version was told to fail
	Err       error  // a reset, a refusal, a timeout, a body cut short
}

// Bad reports whether the client did not get a good answer, for any reason.
func (a Answer) Bad() bool { return a.Err != nil || a.Code >= 400 }

// FailedByRollout reports whether the answer is bad and not because a version was told to
// fail: a pod was gone, the ingress controller had no endpoint, a connection broke.
func (a Answer) FailedByRollout() bool { return a.Bad() && !a.OnPurpose }

func (a Answer) String() string {
	s := fmt.Sprintf("%s version %q status %d after %s", a.Sent.Format("15:04:05.000"), a.Version, a.Code, a.Took.Round(time.Millisecond))
	if a.Err != nil {
		s += ": " + a.Err.Error()
	}
	return s
}

// Report is every answer of a load, in the order in which they came in. The zero value is an empty one.
type Report struct {
	Answers []Answer
	Skipped int // requests not sent because Concurrency were in flight
}

// Came is when the whole answer was there, or the error.
func (a Answer) Came() time.Time { return a.Sent.Add(a.Took) }

// Between keeps the answers to requests sent at from or later, and answered before to:
// whatever changed before from had an effect on them, and nothing that changed after to.
func (r Report) Between(from, to time.Time) Report {
	return r.where(func(a Answer) bool { return !a.Sent.Before(from) && a.Came().Before(to) })
}

// Since keeps the answers to requests sent at from or later.
func (r Report) Since(from time.Time) Report {
	return r.where(func(a Answer) bool { return !a.Sent.Before(from) })
}

func (r Report) where(keep func(Answer) bool) Report {
	var kept []Answer
	for _, a := range r.Answers {
		if keep(a) {
			kept = append(kept, a)
		}
	}
	return Report{Answers: kept}
}

// Versions counts the answers by version; "" counts those of no version.
func (r Report) Versions() map[string]int {
	n := map[string]int{}
	for _, a := range r.Answers {
		n[a.Version]++
	}
	return n
}

// Share is the part of the versions' answers that version gave, 0..1; 0 when there is none.
func (r Report) Share(version string) float64 {
	n, all := 0, 0
	for _, a := range r.Answers {
		if a.Version == version {
			n++
		}
		if a.Version != "" {
			all++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}

// FailedByRollout returns the answers that failed because of the rollout.
func (r Report) FailedByRollout() []Answer { return r.where(Answer.FailedByRollout).Answers }

// Bad returns all bad answers, whatever the reason.
func (r Report) Bad() []Answer { return r.where(Answer.Bad).Answers }

// LastOf returns when the last request that version answered was sent; the zero time if there
// is none.
func (r Report) LastOf(version string) time.Time {
	return r.last(func(a Answer) bool { return a.Version == version })
}

// LastBad is when the last request was sent that got a bad answer; the zero time when there is none.
func (r Report) LastBad() time.Time { return r.last(Answer.Bad) }

func (r Report) last(is func(Answer) bool) time.Time {
	var last time.Time
	for _, a := range r.Answers {
		if is(a) && a.Sent.After(last) {
			last = a.Sent
		}
	}
	return last
}

// latest returns by how much the latest request was sent late, in whole milliseconds. It
// tells a busy machine from a slow version.
func (r Report) latest() time.Duration {
	var latest time.Duration
	for _, a := range r.Answers {
		latest = max(latest, a.Sent.Sub(a.Due))
	}
	return latest.Truncate(time.Millisecond)
}

// String counts by version and quotes the first failures: it is made for a test's message.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d answers", len(r.Answers))
	versions := r.Versions()
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, ", %q %d", v, versions[v])
	}
	failed := r.FailedByRollout()
	fmt.Fprintf(&b, "; %d bad, %d of them failed by the rollout, %d not sent", len(r.Bad()), len(failed), r.Skipped)
	if late := r.latest(); late > 0 {
		fmt.Fprintf(&b, "; sent up to %s late", late)
	}
	for _, a := range failed[:min(len(failed), 5)] {
		fmt.Fprintf(&b, "\n\t%s", a)
	}
	return b.String()
}
