package analysis

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/rollout"
)

// countsLabel is a label that a query for own counters adds: which of the two counters a
// series is.
const countsLabel = "headgate_counts"

// trackVariable stands for the track in a selector of own counters. Each selector is
// asked twice, once for each track.
const trackVariable = "{{track}}"

const ownExample = `{name: tasks, total: 'tasks_ended_total{{{track-label}}="{{track}}"}', ` +
	`good: 'tasks_completed_total{{{track-label}}="{{track}}"}'}`

// ownCounters are two counters that the user's pods have: of all events, and of the good
// or of the bad ones among them. Both must count an event at the same moment.
type ownCounters struct {
	total, part string // selectors with {{track}}
	good        bool   // part counts the good ones

	// ofPods says that they are built in: total is the name of a metric, and part further
	// label matchers.
	ofPods bool
}

// comparesOwn returns the metric, if d has counters of its own.
func (d documentMetric) comparesOwn() (Metric, error) {
	bare := documentMetric{
		Name: d.Name, Total: d.Total, Good: d.Good, Bad: d.Bad,
		Margin: d.Margin, FalseAlarm: d.FalseAlarm, AtMost: d.AtMost, Strict: d.Strict, WarmUp: d.WarmUp,
	}
	switch {
	case d != bare:
		return Metric{}, fmt.Errorf("metric %q: total belongs to good or bad, and not to a query or a condition: write for example %s",
			d.Name, ownExample)
	case d.Total == "" || (d.Good == "") == (d.Bad == ""):
		return Metric{}, fmt.Errorf("metric %q: want total, and good or bad: write for example %s", d.Name, ownExample)
	case namesComparison(d.Name):
		return Metric{}, fmt.Errorf("metric %q: the name is that of a built-in comparison: choose another one", d.Name)
	}
	rule, err := parseOptions(d.options())
	if err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", d.Name, err)
	}
	own := &ownCounters{total: d.Total, part: d.Good + d.Bad, good: d.Good != ""}
	return Metric{Name: d.Name, compared: &comparison{own: own, rule: rule}}, nil
}

// check says whether both are selectors that can be asked.
func (o ownCounters) check(p counterProvider) error {
	if o.ofPods {
		return nil
	}
	for _, selector := range []string{o.total, o.part} {
		if !strings.Contains(selector, trackVariable) {
			return fmt.Errorf("%s has no {{track}}, which tells stable from canary: write for example %s", selector, ownExample)
		}
		if err := p.CheckSelector(forTrack(selector, stableTrack)); err != nil {
			return err
		}
	}
	return nil
}

// forTrack is selector with the variable of one track.
func forTrack(selector, track string) string {
	return strings.ReplaceAll(selector, trackVariable, "{{"+track+"-track}}")
}

// query is countersQuery for own counters.
func (o ownCounters) query(p counterProvider, s rollout.Subject) (string, error) {
	var sides []string
	for _, track := range []string{stableTrack, canaryTrack} {
		for _, counter := range []struct{ counts, selector string }{{"all", o.total}, {"part", o.part}} {
			filled, err := o.series(p, counter.selector, track, s)
			if err != nil {
				return "", err
			}
			sides = append(sides, fmt.Sprintf(`label_replace(label_replace(sum by (job, instance) (%s), %q, %q, "", ""), %q, %q, "", "")`,
				filled, trackLabel, track, countsLabel, counter.counts))
		}
	}
	return strings.Join(sides, " or "), nil
}

// series selects the series of a counter for one track.
func (o ownCounters) series(p counterProvider, selector, track string, s rollout.Subject) (string, error) {
	if !o.ofPods {
		return p.Selector(forTrack(selector, track), s)
	}
	if err := checkPods(s); err != nil {
		return "", err
	}
	further := ""
	if selector == o.part {
		further = o.part
	}
	return podSide{s, track}.each("%s", further, o.total), nil
}

func (o ownCounters) classify(labels map[string]string) (all, part bool) {
	return labels[countsLabel] == "all", labels[countsLabel] == "part"
}

// goodToBad turns looks whose errors are the good ones into looks whose errors are the
// rest.
func goodToBad(looks []evidence.Look) {
	for i, k := range looks {
		looks[i].StableErrors, looks[i].CanaryErrors = k.StableRequests-k.StableErrors, k.CanaryRequests-k.CanaryErrors
	}
}
