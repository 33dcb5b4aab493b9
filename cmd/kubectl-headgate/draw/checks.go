package draw

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/cmd/kubectl-headgate/doctor"
)

// nameWidth is the width of the names of checks.
const nameWidth = 24

// Checks draws a line for each check, and what to do below it.
func Checks(checks []doctor.Check, l Look) string {
	var b strings.Builder
	for _, c := range checks {
		level := fmt.Sprintf("%-12s", c.Level)
		level = strings.Replace(level, string(c.Level), Level(l, string(c.Level)), 1)
		indent := strings.Repeat(" ", 4)
		if l.width() >= 100 {
			indent = strings.Repeat(" ", 12+nameWidth)
			fmt.Fprintf(&b, "%s%-*s%s\n", level, nameWidth, c.Name, wrap(c.Message, l.width(), indent))
		} else {
			fmt.Fprintf(&b, "%s%s\n%s%s\n", level, c.Name, indent, wrap(c.Message, l.width(), indent))
		}
		if c.Do != "" && c.Level != doctor.OK {
			fmt.Fprintf(&b, "%s%s\n", indent, wrap("do: "+c.Do, l.width(), indent))
		}
	}
	return b.String()
}
