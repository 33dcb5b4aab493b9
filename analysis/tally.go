package analysis

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// tally is what the measurements of one metric have said so far. It counts only what its
// metric has a limit for.
//
//	verdict        Pass  Fail  Inconclusive  Fail  Error  Fail  Pass  Fail
//	failures        0     1        1          2      2     3     3     4
//	in a row        0     1        1          2      2     3     0     1
//
// A Pass ends a row of Fail. Inconclusive and Error say nothing about the canary: they
// neither count nor end the row.
type tally struct {
	Failures     int `json:"failures,omitempty"`     // in the rollout
	InRow        int `json:"inRow,omitempty"`        // Fail
	Inconclusive int `json:"inconclusive,omitempty"` // in a row

	// Last is what stands until the metric is measured again. nil: it was not measured at
	// this weight, or is measured every time.
	Last *last `json:"last,omitempty"`
}

// last is the last measurement of a metric that is not measured every time.
type last struct {
	At      time.Time       `json:"at"`
	Count   int             `json:"count"` // of measurements at this weight
	Verdict rollout.Verdict `json:"verdict"`
	Text    string          `json:"text"`
}

// due says whether m is to be measured now. Its window must not reach back to an earlier
// weight, so the first measurement is one interval after the weight came into force. A last
// verdict that is no Pass does not stand, whatever the count: the weight would never rise.
func (r *record) due(m Metric, now time.Time) bool {
	s, t := m.settings, r.Tallies[m.key()]
	if now.Before(r.Begun.Add(s.initialDelay)) || now.Before(r.Since.Add(s.interval)) {
		return false
	}
	if t == nil || t.Last == nil {
		return true
	}
	over := s.count > 0 && t.Last.Count >= s.count && t.Last.Verdict == rollout.Pass
	return !over && !now.Before(t.Last.At.Add(s.interval))
}

// standing is what the last measurement of m said, which is not due now.
func (r *record) standing(m Metric) finding {
	t := r.Tallies[m.key()]
	switch {
	case t != nil && t.Last != nil:
		return finding{t.Last.Verdict, t.Last.Text}
	case m.settings.initialDelay > 0 && r.Since.Before(r.Begun.Add(m.settings.initialDelay)):
		return finding{rollout.Inconclusive,
			fmt.Sprintf("%s: not measured in the first %s", m.Name, spec.FormatDuration(m.settings.initialDelay))}
	}
	return finding{rollout.Inconclusive, m.Name + ": not measured at this weight yet"}
}

// count adds what a measurement of m found, and returns what follows from it by the limits
// of m.
func (r *record) count(m Metric, found finding, now time.Time) finding {
	if !m.hasTally() {
		return found
	}
	t := r.Tallies[m.key()]
	if t == nil {
		t = &tally{}
		r.Tallies[m.key()] = t
	}
	before := *t
	found = t.limit(m.settings, found)
	r.changed = r.changed || t.Failures != before.Failures || t.InRow != before.InRow || t.Inconclusive != before.Inconclusive
	if s := m.settings; s.interval > 0 || s.count > 0 {
		t.Last = &last{At: now, Count: 1, Verdict: found.verdict, Text: clip(found.text)}
		if before.Last != nil {
			t.Last.Count += before.Last.Count
		}
	}
	if *t == (tally{}) {
		delete(r.Tallies, m.key())
	}
	return found
}

// limit counts found and applies the limits of s.
func (t *tally) limit(s settings, found finding) finding {
	switch found.verdict {
	case rollout.Pass:
		t.InRow, t.Inconclusive = 0, 0
	case rollout.Fail:
		t.Inconclusive = 0
		return t.limitFail(s, found)
	case rollout.Inconclusive, rollout.StableUnhealthy:
		return t.limitInconclusive(s, found)
	case rollout.Error:
	}
	return found
}

func (t *tally) limitFail(s settings, found finding) finding {
	if s.failures != nil {
		t.Failures++
	}
	if s.consecutive != nil {
		t.InRow++
	}
	switch {
	case s.failures == nil && s.consecutive == nil:
		return found
	case s.failures != nil && t.Failures > *s.failures:
		if t.Failures > 1 {
			found.text += fmt.Sprintf(": %d failures", t.Failures)
		}
		return found
	case s.consecutive != nil && t.InRow > *s.consecutive:
		if t.InRow > 1 {
			found.text += fmt.Sprintf(": %d times in a row", t.InRow)
		}
		return found
	}
	found.verdict = rollout.Inconclusive
	if s.consecutive != nil {
		found.text += fmt.Sprintf(": %d in a row, %d are tolerated", t.InRow, *s.consecutive)
	} else {
		found.text += fmt.Sprintf(": %d failed, %d are tolerated", t.Failures, *s.failures)
	}
	return found
}

func (t *tally) limitInconclusive(s settings, found finding) finding {
	if s.inconclusive == 0 {
		return found
	}
	if t.Inconclusive++; t.Inconclusive <= s.inconclusive {
		return found
	}
	times := fmt.Sprintf(": %d times in a row", t.Inconclusive)
	switch s.then {
	case passThen:
		return finding{rollout.Pass, found.text + times + ", and onInconclusive: pass"}
	case holdThen:
		return finding{rollout.Inconclusive, found.text + times + ", and onInconclusive: hold"}
	case abortThen, "":
	}
	return finding{rollout.Fail, found.text + times}
}

// settle is found, or what a dry run makes of it: it decides nothing.
func (r *record) settle(m Metric, found finding) finding {
	switch {
	case !m.settings.dryRun:
		return found
	case found.verdict == rollout.Pass:
		return finding{rollout.Pass, found.text + " (dry run)"}
	case found.verdict == rollout.Fail:
		r.wouldFail = append(r.wouldFail, found.text)
	}
	return finding{rollout.Pass, fmt.Sprintf("%s (dry run, would be %s)", found.text, found.verdict)}
}
