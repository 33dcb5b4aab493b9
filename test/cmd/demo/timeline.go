package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
)

// timeline prints what happens. Each line has the time since its chapter began. Colours
// are used on a terminal only, and not if NO_COLOR is set.
type timeline struct {
	mu    sync.Mutex
	w     io.Writer
	began time.Time
}

func newTimeline(w io.Writer) *timeline { return &timeline{w: w} }

// say prints a line without a time.
func (t *timeline) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, format+"\n", args...)
}

// chapter begins a part of the story; its times count from now.
func (t *timeline) chapter(title string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = time.Now()
	fmt.Fprintf(t.w, "\n%s\n", color.New(color.Bold).Sprint(title))
}

var inks = map[string]*color.Color{
	"weight":   color.New(color.FgCyan),
	"Pass":     color.New(color.FgGreen),
	"promoted": color.New(color.FgGreen, color.Bold),
	"Fail":     color.New(color.FgRed),
	"rollback": color.New(color.FgRed, color.Bold),
}

// at prints one moment: its time, one word for what happened, and a sentence.
func (t *timeline) at(when time.Time, what, format string, args ...any) {
	word := fmt.Sprintf("%-9s", what)
	if ink, ok := inks[what]; ok {
		word = ink.Sprint(word)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%7.1fs  %s  %s\n", when.Sub(t.began).Seconds(), word, fmt.Sprintf(format, args...))
}

// bar draws share, 0..1, in ten cells.
func bar(share float64) string {
	full := min(10, int(share*10+0.5))
	return strings.Repeat("█", full) + strings.Repeat("░", 10-full)
}
