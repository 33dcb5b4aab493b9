package draw

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/headgate/headgate/rollout/spec"
)

// Look is how a picture is drawn.
type Look struct {
	// Width of the terminal in columns. 0 means 100. Below 40 it is 40.
	Width int

	// Height of the terminal in lines, for Fit. 0 means that there is no limit.
	Height int

	// Signs says that the text may have signs beyond ASCII, and Colour that it may have colours. Without
	// both every line can be read by a script and by a log viewer.
	Signs, Colour bool

	// Past are the last values of each metric, the newest last, for a small line of their
	// course. nil: none is drawn.
	Past map[string][]float64
}

func (l Look) width() int {
	switch {
	case l.Width == 0:
		return 100
	case l.Width < 40:
		return 40
	}
	return l.Width
}

// The colours mean the same everywhere: green is good, yellow waits, red is bad, blue is
// the canary.
var (
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	waits  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	bad    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	canary = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	faint  = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
)

func (l Look) paint(s lipgloss.Style, text string) string {
	if !l.Colour || text == "" {
		return text
	}
	return s.Render(text)
}

// sign is fancy on a terminal and plain in a pipe.
func (l Look) sign(fancy, plain string) string {
	if l.Signs {
		return fancy
	}
	return plain
}

// bar draws a share of 0 to 1 over width columns.
func (l Look) bar(share float64, width int, s lipgloss.Style) string {
	width = max(0, width)
	full := min(width, max(0, int(share*float64(width)+0.5)))
	return l.paint(s, strings.Repeat(l.sign("█", "#"), full)) + l.paint(faint, strings.Repeat(l.sign("░", "."), width-full))
}

// sparks draws values as a line of the height of one character.
func sparks(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	const levels = "▁▂▃▄▅▆▇█"
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	var b strings.Builder
	for _, v := range values {
		at := 0
		if high > low {
			at = int((v - low) / (high - low) * 7)
		}
		b.WriteRune([]rune(levels)[at])
	}
	return b.String()
}

// Span says how long something takes, in at most two units: "2m10s", "3h5m", "12d".
func Span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= time.Hour:
		d = d.Round(time.Minute)
	}
	return spec.FormatDuration(d)
}

// A line is not broken at these. They are written as a hyphen and a space: -n, web-canary and a step with its sign stay
// together, and what is copied is what is typed.
const (
	keptHyphen = "\u2011"
	keptSpace  = "\u00a0"
)

// wrap breaks text into lines of at most width columns, each after the first indented.
func wrap(text string, width int, indent string) string {
	text = lipgloss.Wrap(strings.ReplaceAll(text, "-", keptHyphen), max(20, width-len(indent)), " ")
	return strings.NewReplacer(keptHyphen, "-", keptSpace, " ", "\n", "\n"+indent).Replace(text)
}
