package parts

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells a person what takes so long: on a terminal in one line that
// counts seconds, elsewhere (a CI log) in a new line every half minute.
type progress struct {
	w        io.Writer
	terminal bool
}

// newProgress reports to w; nil reports to nobody.
func newProgress(w io.Writer) progress {
	if w == nil {
		w = io.Discard
	}
	return progress{w: w, terminal: isTerminal(w)}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// say writes one line.
func (p progress) say(format string, args ...any) {
	p.write(format+"\n", args...)
}

func (p progress) write(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // a build does not fail because nobody could read about it
}

// during shows how long work has been going on, and returns its error.
func (p progress) during(what Part, work func() error) error {
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(p.interval())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.elapsed(what, time.Since(start))
		case err := <-done:
			p.clear()
			return err
		}
	}
}

func (p progress) interval() time.Duration {
	if p.terminal {
		return time.Second
	}
	return 30 * time.Second
}

func (p progress) elapsed(what Part, d time.Duration) {
	if p.terminal {
		p.write("\r  %s: %s", what, d.Round(time.Second))
		return
	}
	p.say("  %s: still building after %s", what, d.Round(time.Second))
}

// clear removes the line that counts.
func (p progress) clear() {
	if p.terminal {
		p.write("\r\033[K")
	}
}
