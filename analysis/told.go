package analysis

import (
	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout"
)

// Told is what the state of a rollout tells of one metric, to be shown to a person.
type Told struct {
	Name    string
	Wanted  string          // the condition as it was written; "" for a comparison
	Verdict rollout.Verdict // "": the state keeps no verdict of this metric
	Text    string          // the verdict in words, with its numbers

	// Compared has the numbers of a comparison, and Counted the requests behind them. nil: the
	// metric is no comparison, or nothing was compared yet.
	Compared *rollout.Compared
	Counted  *evidence.Verdict
}

// Tell reads record, the evidence in the state of a rollout, by the rules that the rollout
// began with. It asks nobody, so a number that no state keeps is not there: that of a metric
// that is measured each time.
func Tell(rules, text string) ([]Told, error) {
	a, err := Parse(rules)
	if err != nil {
		return nil, err
	}
	rec := decodeRecord(text)
	var all []Told
	for _, m := range a.Metrics {
		all = append(all, rec.tell(m))
	}
	return all, nil
}

func (r *record) tell(m Metric) Told {
	told := Told{Name: m.key()}
	if !m.isComparison() {
		told.Wanted = m.Condition.String()
		if t := r.Tallies[m.key()]; t != nil && t.Last != nil {
			told.Verdict, told.Text = t.Last.Verdict, t.Last.Text
		}
		return told
	}
	known := r.Metrics[m.key()]
	if known == nil || known.Comparison != m.compared.fingerprint() {
		if why := r.Waits[m.key()]; why != "" {
			told.Verdict, told.Text = rollout.Inconclusive, why
		}
		return told
	}
	v := known.Evidence.Verdict(known.rule(m.compared.rule))
	found := m.compared.describe(m.Name, known.Limit, v)
	if known.Alone != nil && found.verdict != rollout.Fail {
		found = m.compared.describeAlone(m.Name, known)
	}
	numbers := numbersOf(m.key(), v)
	told.Verdict, told.Text, told.Compared, told.Counted = found.verdict, found.text, &numbers, &v
	return told
}
