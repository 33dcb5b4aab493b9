// Package process runs one program of the lab: its output goes to a file, its
// end is seen by whoever waits, and an error about it quotes what it said last.
//
// It starts nothing again by itself: test/lab/node does that for pods. The
// control plane, the ingress controller, Prometheus and the pods all run through it.
package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Spec says what to run. Name appears in errors; Path, Args and Env are as in
// exec.Cmd (Env nil: the lab's own environment).
type Spec struct {
	Name string
	Path string
	Args []string
	Env  []string

	// Log is the file that stdout and stderr are appended to.
	Log string

	// Within, when set, is called with the function that starts the process, to call it
	// in a network namespace (netns.Namespace.Do).
	Within func(start func() error) error
}

// Process is a running or ended program.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	from int64 // size of the log when it started
	done chan struct{}
}

// Start runs the program in a process group of its own, so that a Ctrl-C on the lab's
// terminal reaches the lab alone, which stops its parts in order.
func Start(s Spec) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(s.Log), 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env = s.Env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	within := s.Within
	if within == nil {
		within = func(start func() error) error { return start() }
	}
	if err := within(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &Process{spec: s, cmd: cmd, from: before.Size(), done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its result is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the exit code after Done: 128+N for death by signal N, as a shell counts.
func (p *Process) ExitCode() int {
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Kill ends the program at once, and waits for that.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the program to end and kills it when grace has passed.
func (p *Process) Stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.Kill()
	}
}

// signal ignores the error of a process that has ended: its callers want it to end.
func (p *Process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// WaitReady calls check every 50 ms until it returns nil. The error when the
// program ends or ctx is over quotes the end of its log.
func (p *Process) WaitReady(ctx context.Context, check func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended with exit code %d before it was ready\n%s", p.spec.Name, p.ExitCode(), p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.spec.Name, err, p.Tail())
		case <-tick.C:
		}
	}
}

// tailLines is how many lines fit on a screen together with the error.
const tailLines = 20

// Tail is the end of the program's log, with the log's path.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.spec.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return "last lines of " + p.spec.Log + ":\n\t" + strings.Join(lines, "\n\t")
}

// Output is the end of what the program has written, at most limit bytes; unlike Tail without
// what an earlier program has written to the same log. It is "" when the log cannot be read.
func (p *Process) Output(limit int64) string {
	f, err := os.Open(p.spec.Log)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(p.from, size-limit)
	said := make([]byte, size-from)
	n, _ := f.ReadAt(said, from) // nobody shortens a log
	return strings.TrimSpace(string(said[:n]))
}
