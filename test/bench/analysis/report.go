package analysis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/test/bench/page"
)

// Report is the result of a run; its JSON is for scripts.
type Report struct {
	Runs   int     `json:"runs"`
	Seed   uint64  `json:"seed"`
	Tables []Table `json:"tables"`
	// Missed are the targets that were not reached.
	Missed []string `json:"missed,omitempty"`
}

// Table is one table. Cells has the numbers behind its rows.
type Table struct {
	Name  string     `json:"name"`
	Title string     `json:"title"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
	Cells []Cell     `json:"cells,omitempty"`
}

// Cell is what the rules did with one service.
type Cell struct {
	Service Service  `json:"service"`
	Results []Result `json:"results,omitempty"`
	// Releases are those of one rule.
	Releases *ReleaseResult `json:"releases,omitempty"`
}

func newReport(o Options) *Report { return &Report{Runs: o.Runs, Seed: o.Seed} }

func newTable(name, title string) *Table { return &Table{Name: name, Title: title} }

// cell keeps the numbers and returns their text.
func (t *Table) cell(s Service, results []Result, format func([]Result) string) string {
	t.Cells = append(t.Cells, Cell{Service: s, Results: results})
	return format(results)
}

func join(results []Result, format func(Result) string) string {
	texts := make([]string, len(results))
	for i, r := range results {
		texts[i] = format(r)
	}
	return strings.Join(texts, " / ")
}

func perThousand(results []Result) string {
	return join(results, func(r Result) string { return number(1000 * r.Share()) })
}

func badAnswers(results []Result) string {
	return join(results, func(r Result) string { return number(r.Bad) })
}

// number writes three digits, and no exponent.
func number(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// seconds writes the median and 95%, after the share that was found if not all were.
func seconds(results []Result) string {
	return join(results, func(r Result) string {
		text := or(r.Median) + " / " + or(r.Slow)
		if r.RolledBack < r.Runs {
			text = fmt.Sprintf("%.0f%%: ", 100*r.Share()) + text
		}
		return text
	})
}

func medianSeconds(results []Result) string {
	return join(results, func(r Result) string { return or(r.Median) })
}

func or(seconds float64) string {
	if seconds == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", seconds)
}

func percent(share float64) string { return fmt.Sprintf("%g%%", 100*share) }

const mostFalseAlarms = 0.01

// compare notes the targets that were not reached.
func (r *Report) compare() {
	for _, t := range r.Tables {
		for _, c := range t.Cells {
			r.Missed = append(r.Missed, t.missed(c)...)
		}
	}
	r.Missed = append(r.Missed, r.worseThanPeers()...)
}

func (t Table) missed(c Cell) []string {
	if len(c.Results) == 0 {
		return nil
	}
	first := c.Results[0]
	where := fmt.Sprintf("%s: %s, %g requests/s", t.Name, c.Service.fault(), c.Service.Traffic)
	switch {
	case slices.Contains([]string{"healthy", "new", "latency-healthy"}, t.Name) && first.Share() > mostFalseAlarms:
		return []string{fmt.Sprintf("%s: %.2g%% of healthy versions are rolled back", where, 100*first.Share())}
	case t.Name == "margin" && first.Share() > 5*mostFalseAlarms:
		return []string{fmt.Sprintf("%s: %.2g%% of versions within the margin are rolled back", where, 100*first.Share())}
	case t.Name == "bad" && c.Service == surelyFound && first.RolledBack < first.Runs:
		return []string{fmt.Sprintf("%s: only %.1f%% are found", where, 100*first.Share())}
	}
	return nil
}

// surelyFound is a bad version that must always be found.
var surelyFound = Service{Kind: Plain, Traffic: 100, Base: 0.001, Rise: 0.01}

// worseThanPeers names the cells in which a rule that has no more false alarms than Headgate
// serves fewer errors.
func (r *Report) worseThanPeers() []string {
	var missed []string
	for _, c := range r.cells("bad-answers") {
		calm := r.healthy(c.Service)
		if calm == nil {
			continue
		}
		for _, peer := range c.Results[3:] {
			i := slices.IndexFunc(calm, func(r Result) bool { return r.Rule == peer.Rule })
			if calm[i].RolledBack <= calm[0].RolledBack && peer.Bad < c.Results[0].Bad {
				missed = append(missed, fmt.Sprintf("bad-answers: %s, %g requests/s: %s serves %s errors, Headgate %s",
					c.Service.fault(), c.Service.Traffic, peer.Rule, number(peer.Bad), number(c.Results[0].Bad)))
			}
		}
	}
	return missed
}

func (r *Report) cells(table string) []Cell {
	for _, t := range r.Tables {
		if t.Name == table {
			return t.Cells
		}
	}
	return nil
}

// healthy are the results with a healthy version of the same service.
func (r *Report) healthy(s Service) []Result {
	for _, c := range r.cells("healthy") {
		if c.Service.Kind == s.Kind && c.Service.Base == s.Base && c.Service.Traffic == s.Traffic {
			return c.Results
		}
	}
	return nil
}

// Text is the report for a terminal and for a page.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs for each healthy cell, %d for each bad one, seed %d.\n", r.Runs, Options{Runs: r.Runs}.badRuns(), r.Seed)
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n**%s.** %s\n\n", t.Name, t.Title)
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
		for _, row := range t.Rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	if len(r.Missed) > 0 {
		fmt.Fprintf(&b, "\nTargets that are missed:\n\n- %s\n", strings.Join(r.Missed, "\n- "))
	}
	return b.String()
}

// WritePage replaces the report in a page by r.
func (r *Report) WritePage(file string) error {
	return page.Replace(file, "bench-analysis", r.Text())
}
