package bench

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The lines in a page between which WritePage puts the report.
const (
	pageBegin = "<!-- last run: bench -page -->\n"
	pageEnd   = "<!-- /last run -->\n"
)

// WritePage replaces the report in a page by r.
func (r *Report) WritePage(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), pageBegin)
	_, after, ends := strings.Cut(rest, pageEnd)
	if !begins || !ends {
		return fmt.Errorf("%s has no lines %q and %q, between which the report belongs", file, pageBegin, pageEnd)
	}
	return os.WriteFile(file, []byte(before+pageBegin+r.markdown()+pageEnd+after), 0o644)
}

func (r *Report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs, load of the machine at the start %s. %s.\n\n",
		r.Time.Format(time.DateOnly), r.CPUs, r.Load, strings.Join(r.Versions, ", "))
	b.WriteString("| figure | Headgate | Argo Rollouts | ratio | at most | |\n|---|---|---|---|---|---|\n")
	for _, row := range r.Figures {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
			row.Name, row.cell(row.Headgate), row.cell(row.Argo), ratio(row.Ratio), row.must(), row.verdict())
	}
	return b.String()
}
