package analysis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/analysis/evidence"
)

// Options says what is simulated. Every field is required but Only and Progress.
type Options struct {
	// Only are the names of the tables to make; empty: all.
	Only []string
	// Runs is how many rollouts of a healthy service are simulated for each cell. Of a bad
	// one, a fifth of it.
	Runs int
	// Seed makes the same requests each time.
	Seed uint64
	// Progress is called with a line when a table begins.
	Progress func(line string)
}

func (o Options) badRuns() int { return max(1, o.Runs/5) }

// experiment makes one or more tables that share their runs.
type experiment struct {
	name, text string
	run        func(o Options) []Table
}

var experiments = []experiment{
	{"healthy", "how often a healthy version is rolled back, at a weight of 10%", healthyTables},
	{"bad", "how soon a bad version is rolled back, and how many errors it serves until then", badTables},
	{"margin", "versions on the line that the margin draws, and services without a past", marginTables},
	{"weights", "other weights: 1, 5 and 50 percent", weightTables},
	{"pod", "what hits the canary alone and is not its fault", podTables},
	{"latency", "a slower version, by the requests over a bound of the histogram", latencyTables},
	{"pass", "how long a healthy version waits for Cleared and Pass", passTables},
	{"release", "whole releases: 10, 25, 50 and 75 percent for 5 minutes each", releaseTables},
}

// Explain lists the tables.
func Explain() string {
	var b strings.Builder
	for _, e := range experiments {
		fmt.Fprintf(&b, "  %-9s %s\n", e.name, e.text)
	}
	return b.String()
}

// Known returns an error for a name that no table has.
func Known(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(experiments, func(e experiment) bool { return e.name == name }) {
			return fmt.Errorf("no table is named %q: give some of\n%s", name, Explain())
		}
	}
	return nil
}

// Run makes the tables.
func Run(o Options) (*Report, error) {
	if err := Known(o.Only); err != nil {
		return nil, err
	}
	r := newReport(o)
	for _, e := range experiments {
		if len(o.Only) == 0 || slices.Contains(o.Only, e.name) {
			o.Progress(e.name + ": " + e.text)
			r.Tables = append(r.Tables, e.run(o)...)
		}
	}
	r.compare()
	return r, nil
}

var (
	bases    = []float64{0.001, 0.01}
	traffics = []float64{1, 10, 100, 1000, 10000}
)

const usual = 0.10 // the weight of most tables

var (
	standard    = headgate("Headgate", evidence.Rule{})
	noWarmUp    = headgate("Headgate, no warm-up", evidence.Rule{WarmUp: evidence.NoWarmUp})
	smallWarmUp = headgate("Headgate, first minute at 1%", evidence.Rule{})
	peers       = []Rule{argoRollouts, flagger, fixedWindow}
)

func healthyTables(o Options) []Table {
	t := newTable("healthy", "Healthy versions rolled back, per 1,000: Headgate / Argo Rollouts / Flagger / window")
	t.Head = []string{"errors", "requests/s"}
	for _, kind := range healthy {
		t.Head = append(t.Head, string(kind))
	}
	for _, base := range bases {
		for _, traffic := range traffics {
			row := []string{percent(base), fmt.Sprintf("%.0f", traffic)}
			for _, kind := range healthy {
				s := Service{Kind: kind, Traffic: traffic, Base: base}
				row = append(row, t.cell(s, watch(s, always(usual), append([]Rule{standard}, peers...), o.Runs, o.Seed), perThousand))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return []Table{*t}
}

// faults are the bad versions.
func faults() []Service {
	var all []Service
	for _, base := range bases {
		for _, rise := range []float64{0.001, 0.005, 0.01, 0.05, 0.2} {
			all = append(all, Service{Kind: Plain, Base: base, Rise: rise})
		}
	}
	for _, base := range bases {
		all = append(all,
			Service{Kind: Plain, Base: base, Rise: 0.01, After: 10 * inMinute},
			Service{Kind: Burst, Base: base, Rise: 0.01},
			Service{Kind: Cluster, Base: base, Rise: 0.01})
	}
	return all
}

func (s Service) fault() string {
	text := percent(s.Base)
	if s.Rise > 0 {
		text += fmt.Sprintf(" +%g", 100*s.Rise)
	}
	if s.After > 0 {
		text += " after 10 min"
	}
	if s.Kind != Plain {
		text += ", " + string(s.Kind)
	}
	return text
}

func badTables(o Options) []Table {
	soon := newTable("bad", "Headgate: seconds until the bad version is rolled back, median / 95% (– : not within an hour)")
	peersSoon := newTable("bad-peers", "The others, median seconds: Argo Rollouts / Flagger / window")
	served := newTable("bad-answers", "Errors that the bad version serves until it is rolled back, or in an hour, mean: "+
		"Headgate / no warm-up / first minute at 1% / Argo Rollouts / Flagger / window")
	tables := []*Table{soon, peersSoon, served}
	for _, t := range tables {
		t.Head = []string{"errors"}
		for _, traffic := range traffics {
			t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
		}
	}
	rules := append([]Rule{standard, noWarmUp}, peers...)
	for _, s := range faults() {
		rows := [][]string{{s.fault()}, {s.fault()}, {s.fault()}}
		for _, s.Traffic = range traffics {
			results := watch(s, always(usual), rules, o.badRuns(), o.Seed)
			small := watch(s, after(0.01, usual), []Rule{smallWarmUp}, o.badRuns(), o.Seed)
			rows[0] = append(rows[0], soon.cell(s, results[:1], seconds))
			rows[1] = append(rows[1], peersSoon.cell(s, results[2:], medianSeconds))
			rows[2] = append(rows[2], served.cell(s, slices.Concat(results[:2], small, results[2:]), badAnswers))
		}
		for i, t := range tables {
			t.Rows = append(t.Rows, rows[i])
		}
	}
	return []Table{*soon, *peersSoon, *served}
}

// marginTables shows the versions for which the promise is 5 in 100, and healthy ones of which
// nothing is known.
func marginTables(o Options) []Table {
	line := newTable("margin", "Versions as bad as the margin allows, rolled back by Headgate, per 1,000: it promises at most 50")
	unknown := newTable("new", "Healthy versions of a service without a past, rolled back by Headgate, per 1,000")
	row := func(t *Table, name string, s Service) {
		cells := []string{name}
		for _, s.Traffic = range traffics {
			cells = append(cells, t.cell(s, watch(s, always(usual), []Rule{standard}, o.Runs, o.Seed), perThousand))
		}
		t.Rows = append(t.Rows, cells)
	}
	for _, t := range []*Table{line, unknown} {
		t.Head = []string{"errors"}
		for _, traffic := range traffics {
			t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
		}
	}
	for _, base := range bases {
		for _, kind := range []Kind{Plain, Cluster} {
			rise := base*(evidence.DefaultRatio-1) + evidence.DefaultPoints
			row(line, percent(base)+", "+string(kind), Service{Kind: kind, Base: base, Rise: rise})
		}
		for _, kind := range []Kind{Plain, Burst, Cluster, Jitter} {
			row(unknown, percent(base)+", "+string(kind), Service{Kind: kind, Base: base, New: true})
		}
	}
	return []Table{*line, *unknown}
}

func weightTables(o Options) []Table {
	t := newTable("weights", "Headgate at other weights. Healthy: rolled back per 1,000. Bad: seconds, median / 95%")
	t.Head = []string{"weight", "errors"}
	for _, traffic := range traffics[1:] {
		t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
	}
	for _, weight := range []float64{0.01, 0.05, 0.5} {
		for _, c := range []struct {
			name string
			Service
			format func([]Result) string
			runs   int
		}{
			{"0.1%, healthy", Service{Kind: Plain, Base: 0.001}, perThousand, o.Runs},
			{"0.1%, healthy, cold", Service{Kind: Cold, Base: 0.001}, perThousand, o.Runs},
			{"0.1%, healthy, cluster", Service{Kind: Cluster, Base: 0.001}, perThousand, o.Runs},
			{"0.1% +1", Service{Kind: Plain, Base: 0.001, Rise: 0.01}, seconds, o.badRuns()},
			{"1% +1", Service{Kind: Plain, Base: 0.01, Rise: 0.01}, seconds, o.badRuns()},
		} {
			row := []string{percent(weight), c.name}
			for _, c.Traffic = range traffics[1:] {
				row = append(row, t.cell(c.Service, watch(c.Service, always(weight), []Rule{standard}, c.runs, o.Seed), c.format))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return []Table{*t}
}

func podTables(o Options) []Table {
	t := newTable("pod", "Rolled back though the version is healthy, per 1,000: Headgate / Argo Rollouts / Flagger / window")
	t.Head = []string{"what happens"}
	for _, traffic := range traffics {
		t.Head = append(t.Head, fmt.Sprintf("%.0f requests/s", traffic))
	}
	for _, c := range []struct {
		name string
		kind Kind
	}{
		{"all requests to the canary fail for 5 s", Blip},
		{"one of two canary pods fails 20% for 5 min", BadNode},
	} {
		row := []string{c.name}
		for _, traffic := range traffics {
			s := Service{Kind: c.kind, Traffic: traffic, Base: 0.001}
			row = append(row, t.cell(s, watch(s, always(usual), append([]Rule{standard}, peers...), o.badRuns(), o.Seed), perThousand))
		}
		t.Rows = append(t.Rows, row)
	}
	return []Table{*t}
}
