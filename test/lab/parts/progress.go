package parts

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells a person what takes so long: on a terminal in one line that is
// written anew each second, elsewhere (a CI log) in a new line every half minute.
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

// during shows line, which is given the time so far, while work goes on, and returns
// the error of work.
func (p progress) during(line func(time.Duration) string, work func() error) error {
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(p.interval())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.show(line(time.Since(start)))
		case err := <-done:
			p.clear()
			return err
		}
	}
}

// constantly is a line that says what goes on and for how long.
func constantly(what string) func(time.Duration) string {
	return func(d time.Duration) string { return fmt.Sprintf("%s: %s", what, d.Round(time.Second)) }
}

func (p progress) interval() time.Duration {
	if p.terminal {
		return time.Second
	}
	return 30 * time.Second
}

func (p progress) show(line string) {
	if p.terminal {
		p.write("\r\033[K  %s", line)
		return
	}
	p.say("  %s", line)
}

// clear removes the line of a terminal.
func (p progress) clear() {
	if p.terminal {
		p.write("\r\033[K")
	}
}
