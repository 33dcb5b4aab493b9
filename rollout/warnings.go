package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/rollout/reason"
)

// Warnings counts the warnings that a rollout began with. The message of the rollout
// says how many there are: an event is easily missed and is deleted after an hour.
type Warnings struct {
	Count   int             `json:"count"`
	Reasons []reason.Reason `json:"reasons"` // of their events, sorted, each once
}

// warningsOf counts those of notes that are warnings.
func warningsOf(notes []Note) Warnings {
	var w Warnings
	for _, n := range notes {
		if n.Reason.Warning() {
			w.Count++
			w.Reasons = append(w.Reasons, n.Reason)
		}
	}
	slices.Sort(w.Reasons)
	w.Reasons = slices.Compact(w.Reasons)
	return w
}

// IsZero says whether there are none.
func (w Warnings) IsZero() bool { return w.Count == 0 }

// after returns message with the warnings behind it, such as
// "(2 warnings, see the events CanaryNotCovered, UpdateGap)". They are the same
// at every look.
func (w Warnings) after(message string) string {
	if w.IsZero() {
		return message
	}
	warnings, events := "1 warning", "event"
	if w.Count > 1 {
		warnings, events = fmt.Sprintf("%d warnings", w.Count), "events"
	}
	names := make([]string, len(w.Reasons))
	for i, r := range w.Reasons {
		names[i] = string(r)
	}
	return fmt.Sprintf("%s (%s, see the %s %s)", message, warnings, events, strings.Join(names, ", "))
}
