package draw

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout/status"
)

// brevity is what a picture leaves out so that it fits on a small terminal. Each value leaves out what those before it do.
type brevity int

const (
	whole       brevity = iota
	oneAction           // the commands are on one line
	fewEvents           // the last two events
	noReadyPods         // of the pods only those that are not ready
	oneDeadline         // the next deadline
	noNumbers           // of a metric what the judge says
	noActions
	noEvents
)

// Fit draws s in at most l.Height lines. What a person can do without is left out first.
func Fit(s status.Status, l Look) string {
	text := Status(s, l)
	for b := oneAction; l.Height > 0 && strings.Count(text, "\n") > l.Height && b <= noEvents; b++ {
		text = drawn(s, l, b)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if l.Height <= 0 || len(lines) <= l.Height {
		return text
	}
	kept := max(0, l.Height-1)
	return strings.Join(lines[:kept], "") + l.paint(faint, fmt.Sprintf("%d more lines do not fit here", len(lines)-kept)) + "\n"
}
