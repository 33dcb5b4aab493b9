package analysis

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout"
)

// record is what comparisons know of a rollout. It is part of the state of the rollout,
// as a text that only this package reads. A manager that has lost the last part of it
// asks Prometheus about the same looks again, and comes to the same evidence.
type record struct {
	At      time.Time          `json:"at"`             // every look until then is in the evidence
	Begun   time.Time          `json:"begun,omitzero"` // when the first weight came into force
	Since   time.Time          `json:"since"`          // since when the weight of the last look is in force
	Metrics map[string]*judged `json:"metrics"`
	Waits   map[string]string  `json:"waits,omitempty"` // why a metric is not begun
	Tallies map[string]*tally  `json:"tallies,omitempty"`

	changed   bool     // something was counted that cannot be asked again
	wouldFail []string // what dry runs found
}

// judged is what is known of one metric.
type judged struct {
	Comparison string            `json:"comparison"`      // fingerprint of the comparison that the evidence is for
	Every      int               `json:"every"`           // how many looks are between two scrapes
	Limit      string            `json:"limit,omitempty"` // label of the bound above which an answer is slow
	Evidence   evidence.Evidence `json:"evidence"`
	Alone      *alone            `json:"alone,omitempty"` // nil: stable has traffic
}

// alone is what is known of a canary that has all the traffic: there is no stable to
// compare it with at the same moment, and a comparison alone would never fail it. It is
// compared with what stable did before, by a line that only a disaster crosses: the
// moments differ, so a smaller difference says nothing.
type alone struct {
	Bound    float64           `json:"bound"` // share of bad answers
	Evidence evidence.Evidence `json:"evidence"`
}

// newAlone fixes the line by what stable did until now. The user's own limit is the line
// if stable kept it.
func newAlone(r evidence.Rule, stable []evidence.Counts) *alone {
	var before evidence.Evidence
	before.History(r, stable)
	level := before.Verdict(r).Level
	a := &alone{Bound: evidence.DisasterBound(level), Evidence: before}
	if r.Strict || r.Bound > 0 && level <= r.Bound { // stable kept the limit
		a.Bound = r.Bound
	}
	return a
}

// rule is r for looks that are as far apart as scrapes.
func (j *judged) rule(r evidence.Rule) evidence.Rule {
	r.Interval = time.Duration(j.Every) * lookInterval
	return r
}

// maxEvery is how many looks are between two scrapes at most: a minute.
const maxEvery = int(time.Minute / lookInterval)

// looksPerScrape tells from looks how rarely there is something in them: scrapes are
// rarer than looks, or requests are. 1: there is something in each.
//
// Example: Prometheus scrapes every 30 s, so of 720 looks in an hour 120 have requests: 6.
func looksPerScrape(looks []evidence.Look) int {
	seen, first, last := 0, 0, 0
	for i, k := range looks {
		if k != (evidence.Look{}) {
			if seen++; seen == 1 {
				first = i
			}
			last = i
		}
	}
	if seen < 2 {
		return 1
	}
	return max(1, min((last-first+(seen-1)/2)/(seen-1), maxEvery))
}

// rule is that of a canary alone.
func (a alone) rule(r evidence.Rule) evidence.Rule {
	r.Bound, r.Strict, r.WarmUp = a.Bound, true, evidence.NoWarmUp
	return r
}

// add adds looks to the evidence. A scrape may be rarer than a look: then there is nothing
// in it.
func (j *judged) add(r evidence.Rule, looks []evidence.Look) {
	for _, k := range looks {
		if k == (evidence.Look{}) {
			continue
		}
		if j.Evidence.Add(r, k); j.Alone != nil {
			j.Alone.Evidence.Add(j.Alone.rule(r), evidence.Look{CanaryRequests: k.CanaryRequests, CanaryErrors: k.CanaryErrors})
		}
	}
}

// decodeRecord reads a record. One that cannot be read, or "", is an empty record: the
// evidence starts anew. What encode never writes counts as not there: at the beginning of
// a rollout the record is in an annotation, which others may edit.
func decodeRecord(text string) record {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		r = record{}
	}
	maps.DeleteFunc(r.Metrics, func(_ string, j *judged) bool { return j == nil || j.Every < 1 || j.Every > maxEvery })
	maps.DeleteFunc(r.Tallies, func(_ string, t *tally) bool { return t == nil })
	if r.Metrics == nil {
		r.Metrics = map[string]*judged{}
	}
	if r.Tallies == nil {
		r.Tallies = map[string]*tally{}
	}
	if r.Waits == nil {
		r.Waits = map[string]string{}
	}
	return r
}

// restore takes back what was learned of comparisons since the last measurement. Tallies
// stay.
func (r *record) restore(s rollout.Subject) {
	before := decodeRecord(s.Evidence)
	before.beginWeight(s.Since)
	r.At, r.Metrics, r.Waits = before.At, before.Metrics, before.Waits
}

// isEmpty says that nothing is known but the times.
func (r record) isEmpty() bool { return len(r.Metrics)+len(r.Waits)+len(r.Tallies) == 0 }

func (r record) encode() (string, error) {
	text, err := json.Marshal(r)
	return string(text), err
}

// beginWeight drops what happened while the weight changed: it is of neither weight.
func (r *record) beginWeight(since time.Time) {
	if r.Since.Equal(since) {
		return
	}
	if r.Begun.IsZero() {
		r.Begun = since
	}
	r.Since = since
	r.At = gridBetween(since, since).from
	for _, t := range r.Tallies {
		t.Last = nil
	}
	for _, m := range r.Metrics {
		m.Evidence.NewWeight()
	}
}
