package bench

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/test/lab/parts"
)

// Report is the result of a run; its JSON is for scripts.
type Report struct {
	Time     time.Time `json:"time"`
	CPUs     int       `json:"cpus"`
	Load     string    `json:"load"` // of the machine at the start, over 1, 5 and 15 minutes
	Versions []string  `json:"versions"`
	Settings Settings  `json:"settings"`
	Figures  []*Row    `json:"figures"`

	rows map[string]*Row
}

// Settings are the sizes of the run.
type Settings struct {
	Runs        int    `json:"runs"`
	Fleet       int    `json:"fleet"`
	Burst       int    `json:"burst"`
	Busy        int    `json:"busy"`
	Soak        string `json:"soak"`
	SoakFleet   int    `json:"soakFleet"`
	SoakRolling int    `json:"soakRolling"`
	Deployments int    `json:"deployments"`
	Settle      string `json:"settle"`
}

// Row is one figure.
type Row struct {
	Name    string `json:"name"`
	Text    string `json:"text"`
	Unit    string `json:"unit,omitempty"`
	Bound   *Bound `json:"bound,omitempty"`
	Verdict string `json:"verdict,omitempty"` // "met", "missed" or ""
	// Missed is how far Headgate's value is above the bound.
	Missed   float64 `json:"missedBy,omitempty"`
	Headgate *Value  `json:"headgate,omitempty"`
	Argo     *Value  `json:"argoRollouts,omitempty"`
	// Ratio is Headgate's value divided by that of Argo Rollouts.
	Ratio *float64 `json:"ratio,omitempty"`
}

// Value is what was measured for one tool: the median and all runs.
type Value struct {
	Median float64   `json:"median"`
	All    []float64 `json:"all,omitempty"`
	Notes  []string  `json:"notes,omitempty"`
	Error  string    `json:"error,omitempty"` // why it could not be measured
}

func newReport(o Options) *Report {
	load, _ := os.ReadFile("/proc/loadavg") // "" where there is none
	fields := strings.Fields(string(load))
	r := &Report{
		Time: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Load: strings.Join(fields[:min(3, len(fields))], " "),
		Versions: []string{"Kubernetes " + parts.Version(parts.APIServer)},
		Settings: Settings{
			Runs: o.Runs, Fleet: o.Fleet, Burst: o.Burst, Busy: o.Busy,
			Soak: o.Soak.String(), SoakFleet: o.SoakFleet, SoakRolling: o.SoakRolling,
			Deployments: o.Deployments, Settle: o.Settle.String(),
		},
		rows: map[string]*Row{},
	}
	if o.Argo != nil {
		r.Versions = append(r.Versions, "Argo Rollouts "+parts.Version(parts.ArgoRollouts))
	}
	return r
}

func (r *Report) row(name string) *Row {
	if r.rows[name] == nil {
		r.rows[name] = &Row{Name: name}
	}
	return r.rows[name]
}

// add takes what an experiment has found about t. An error counts for each of its figures
// that has no value.
func (r *Report) add(t tool, e experiment, found *findings, err error) {
	for _, name := range e.figures {
		v := &Value{All: found.values[name], Notes: found.notes[name]}
		switch {
		case err != nil:
			v.Error = err.Error()
		case len(v.All) == 0:
			continue // another experiment measures it
		}
		if len(v.All) > 0 {
			v.Median = median(v.All)
		}
		if t.name() == (headgate{}).name() {
			r.row(name).Headgate = v
		} else {
			r.row(name).Argo = v
		}
	}
}

// median returns the middle of values, the mean of the middle two of an even number.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// median returns Headgate's value of a figure, nil where it has none.
func (r *Report) median(name string) *float64 { return r.row(name).Headgate.measured() }

func (v *Value) measured() *float64 {
	if v == nil || v.Error != "" {
		return nil
	}
	return &v.Median
}

// judge completes the rows of the chosen figures and drops the others.
func (r *Report) judge(chosen []figure) {
	for _, f := range chosen {
		row := r.row(f.name)
		row.Text, row.Unit = f.text, f.unit
		own, argo := row.Headgate.measured(), row.Argo.measured()
		if f.bound != nil {
			row.Bound = f.bound(r, argo)
		}
		if own != nil && row.Bound != nil {
			row.Verdict = "met"
			if *own > row.Bound.Value {
				row.Verdict, row.Missed = "missed", *own-row.Bound.Value
			}
		}
		if own != nil && argo != nil && *argo > 0 {
			row.Ratio = new(*own / *argo)
		}
		if f.bound != nil && own == nil {
			row.Verdict = "missed" // what could not be measured was not reached
		}
		r.Figures = append(r.Figures, row)
	}
}

// Missed are the names of the figures that do not reach what they must.
func (r *Report) Missed() []string {
	var names []string
	for _, row := range r.Figures {
		if row.Verdict == "missed" {
			names = append(names, row.Name)
		}
	}
	return names
}

// Table is the report for a person: a line for each figure, then the notes.
func (r *Report) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs, load %s, %s\n", r.Time.Format(time.DateTime), r.CPUs, r.Load, strings.Join(r.Versions, ", "))
	fmt.Fprintf(&b, "median of %d runs where there is more than one\n\n", r.Settings.Runs)
	width := 0
	for _, row := range r.Figures {
		width = max(width, len([]rune(row.Text)))
	}
	const line = "%-*s  %12s  %12s  %7s  %-12s  %s\n"
	fmt.Fprintf(&b, line, width, "figure", "Headgate", "Argo", "ratio", "must be ≤", "verdict")
	for _, row := range r.Figures {
		fmt.Fprintf(&b, line, width, row.Text, row.cell(row.Headgate), row.cell(row.Argo), ratio(row.Ratio), row.must(), row.verdict())
	}
	r.writeNotes(&b)
	return b.String()
}

func (row *Row) number(v float64) string {
	if row.Unit == "" {
		return fmt.Sprintf("%.0f", v)
	}
	if v < 1 {
		return fmt.Sprintf("%.3f %s", v, row.Unit)
	}
	return fmt.Sprintf("%.1f %s", v, row.Unit)
}

func (row *Row) cell(v *Value) string {
	switch {
	case v == nil:
		return "–"
	case v.Error != "":
		return "error"
	}
	return row.number(v.Median)
}

func ratio(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f", *v)
}

func (row *Row) must() string {
	if row.Bound == nil {
		return "–"
	}
	return row.number(row.Bound.Value)
}

func (row *Row) verdict() string {
	if row.Missed > 0 {
		return "missed by " + row.number(row.Missed)
	}
	return row.Verdict
}

// writeNotes tells the name of each figure, its bound, its runs and what belongs to it.
func (r *Report) writeNotes(b *strings.Builder) {
	for _, row := range r.Figures {
		var lines []string
		if row.Bound != nil {
			lines = append(lines, "must be at most "+row.Bound.Text)
		}
		values := map[string]*Value{"Headgate": row.Headgate, "Argo Rollouts": row.Argo}
		for _, tool := range slices.Sorted(maps.Keys(values)) {
			lines = append(lines, values[tool].lines(tool, row)...)
		}
		fmt.Fprintf(b, "\n%s\n", row.Name)
		for _, line := range lines {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
}

func (v *Value) lines(tool string, row *Row) []string {
	if v == nil {
		return nil
	}
	var lines []string
	if len(v.All) > 1 {
		var all []string
		for _, value := range v.All {
			all = append(all, row.number(value))
		}
		lines = append(lines, tool+": "+strings.Join(all, ", "))
	}
	for _, note := range v.Notes {
		lines = append(lines, tool+": "+note)
	}
	if v.Error != "" {
		lines = append(lines, tool+" could not be measured: "+v.Error)
	}
	return lines
}
