package analysis

import (
	"fmt"

	"github.com/headgate/headgate/analysis/evidence"
)

// The steps of a release: each weight for 5 minutes, and 100% after the last.
var releaseWeights = []float64{0.10, 0.25, 0.50, 0.75}

const stepLooks = 5 * inMinute

// longest is how long a release may take before it counts as held.
const longest = 2 * inHour

// End is how a release ends.
type End int

// The ends.
const (
	Promoted End = iota
	RolledBack
	Held // not decided after two hours, at the weight where it was
)

// ReleaseResult is what one rule did with many releases.
type ReleaseResult struct {
	Rule string `json:"rule"`
	Runs int    `json:"runs"`
	// Promoted, RolledBack and Held are how many releases ended so.
	Promoted   int `json:"promoted"`
	RolledBack int `json:"rolledBack"`
	Held       int `json:"held"`
	// Minutes is the mean time until the end, and Bad the mean number of errors that the canary
	// had served by then.
	Minutes float64 `json:"minutes"`
	Bad     float64 `json:"bad"`
}

// pacer is a judge that also says whether the weight may rise once its time is over.
type pacer interface {
	judge
	mayRise() bool
	newWeight()
}

// A window may always rise: what failed has been counted.
func (w *windows) mayRise() bool { return true }
func (w *windows) newWeight()    {}

func (t *test) newWeight() { t.evidence.NewWeight() }

func (t *test) mayRise() bool {
	switch t.evidence.Verdict(t.rule).Outcome {
	case evidence.Cleared, evidence.Pass:
		return true
	default:
		return false
	}
}

// release runs one release.
func (r Rule) release(s *stream) (end End, looks int, bad int64) {
	p := r.begin(s.history()).(pacer)
	for i, inStep := 0, 0; looks < longest; {
		k := s.next(releaseWeights[i])
		looks++
		inStep++
		bad += k.CanaryErrors
		if p.add(k) {
			return RolledBack, looks, bad
		}
		if inStep < stepLooks || !p.mayRise() {
			continue
		}
		if i++; i == len(releaseWeights) {
			return Promoted, looks, bad
		}
		inStep = 0
		p.newWeight()
	}
	return Held, looks, bad
}

// releases runs many releases of a service under one rule.
func releases(s Service, r Rule, runs int, seed uint64) ReleaseResult {
	type outcome struct {
		end   End
		looks int
		bad   int64
	}
	outcomes := make([]outcome, runs)
	parallel(runs, func(run int) {
		o := &outcomes[run]
		o.end, o.looks, o.bad = r.release(s.stream(seed, uint64(run)))
	})
	result := ReleaseResult{Rule: r.Name, Runs: runs}
	for _, o := range outcomes {
		switch o.end {
		case Promoted:
			result.Promoted++
		case RolledBack:
			result.RolledBack++
		default:
			result.Held++
		}
		result.Minutes += float64(o.looks) * lookSeconds / 60 / float64(runs)
		result.Bad += float64(o.bad) / float64(runs)
	}
	return result
}

func (r ReleaseResult) text() string {
	share := func(n int) float64 { return 100 * float64(n) / float64(r.Runs) }
	return fmt.Sprintf("%.0f / %.0f / %.0f, %.0f min, %s",
		share(r.Promoted), share(r.RolledBack), share(r.Held), r.Minutes, number(r.Bad))
}

func releaseTables(o Options) []Table {
	t := newTable("release", "Whole releases: promoted / rolled back / held after two hours (%), mean time, errors served by the canary")
	traffics := []float64{0.2, 1, 10, 100, 1000}
	t.Head = []string{"errors", "rule"}
	for _, traffic := range traffics {
		t.Head = append(t.Head, fmt.Sprintf("%g requests/s", traffic))
	}
	for _, s := range []Service{
		{Kind: Plain, Base: 0.001},
		{Kind: Burst, Base: 0.001},
		{Kind: Cold, Base: 0.001},
		{Kind: Cluster, Base: 0.001},
		{Kind: Plain, Base: 0.01},
		{Kind: Plain, Base: 0.001, Rise: 0.005},
		{Kind: Plain, Base: 0.001, Rise: 0.01},
		{Kind: Plain, Base: 0.001, Rise: 0.01, After: 10 * inMinute},
		{Kind: Plain, Base: 0.001, Rise: 0.05},
		{Kind: Plain, Base: 0.001, Rise: 0.2},
		{Kind: Plain, Base: 0.01, Rise: 0.01},
		{Kind: Plain, Base: 0.01, Rise: 0.05},
	} {
		for _, rule := range append([]Rule{standard}, peers...) {
			row := []string{s.fault(), rule.Name}
			for _, s.Traffic = range traffics {
				result := releases(s, rule, o.badRuns(), o.Seed)
				t.Cells = append(t.Cells, Cell{Service: s, Releases: &result})
				row = append(row, result.text())
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return []Table{*t}
}

// reaching waits for an outcome, or a better one.
func reaching(outcome evidence.Outcome) Rule {
	return Rule{outcome.String(), func(history []evidence.Counts) judge {
		return &wait{standard.begin(history).(*test), outcome}
	}}
}

type wait struct {
	*test
	outcome evidence.Outcome
}

func (w *wait) add(k evidence.Look) bool {
	w.test.add(k)
	switch w.evidence.Verdict(w.rule).Outcome {
	case evidence.Pass:
		return true
	case evidence.Cleared:
		return w.outcome == evidence.Cleared
	default:
		return false
	}
}

func passTables(o Options) []Table {
	t := newTable("pass", "Healthy versions at a weight of 10%: seconds until Cleared, and until Pass, median / 95%")
	t.Head = []string{"errors", "until"}
	for _, traffic := range traffics {
		t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
	}
	for _, base := range bases {
		for _, rule := range []Rule{reaching(evidence.Cleared), reaching(evidence.Pass)} {
			row := []string{percent(base), rule.Name}
			for _, traffic := range traffics {
				s := Service{Kind: Plain, Traffic: traffic, Base: base}
				row = append(row, t.cell(s, watch(s, always(usual), []Rule{rule}, o.badRuns(), o.Seed), seconds))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return []Table{*t}
}
