package analysis

import (
	"encoding/json"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
)

// record is what comparisons know of a rollout. It is part of the state of the rollout,
// as a text that only this package reads. A manager that has lost the last part of it
// asks Prometheus about the same looks again, and comes to the same evidence.
type record struct {
	At      time.Time          `json:"at"`    // every look until then is in the evidence
	Since   time.Time          `json:"since"` // since when the weight of the last look is in force
	Metrics map[string]*judged `json:"metrics"`
}

// judged is what is known of one metric.
type judged struct {
	Comparison string            `json:"comparison"`      // fingerprint of the comparison that the evidence is for
	Limit      string            `json:"limit,omitempty"` // label of the bound above which an answer is slow
	Evidence   evidence.Evidence `json:"evidence"`
}

// decodeRecord reads a record. One that cannot be read, or "", is an empty record: the
// evidence starts anew.
func decodeRecord(text string) record {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		r = record{}
	}
	if r.Metrics == nil {
		r.Metrics = map[string]*judged{}
	}
	return r
}

func (r record) encode() (string, error) {
	text, err := json.Marshal(r)
	return string(text), err
}

// beginWeight drops what happened while the weight changed: it is of neither weight.
func (r *record) beginWeight(since time.Time) {
	if r.Since.Equal(since) {
		return
	}
	r.Since = since
	r.At = gridBetween(since, since).from
	for _, m := range r.Metrics {
		m.Evidence.NewWeight()
	}
}

// limits are those that other metrics than name have.
func (r *record) limits(name string) map[string]bool {
	taken := map[string]bool{}
	for other, m := range r.Metrics {
		if other != name {
			taken[m.Limit] = true
		}
	}
	return taken
}
