package bench

import (
	"fmt"
	"strings"
	"time"

	"github.com/headgate/headgate/test/bench/page"
)

// WritePage replaces the report in a page by r.
func (r *Report) WritePage(file string) error { return page.Replace(file, "bench", r.markdown()) }

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
