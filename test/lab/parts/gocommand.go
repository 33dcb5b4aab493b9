package parts

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// flags are go build's for all programs alike: what they share is compiled once. Nobody
// runs a debugger on these programs, and what it needs takes a sixth of the compiler's time.
const flags = "-gcflags=all=-dwarf=false"

// lean is the environment for programs of this checkout. Nothing here needs a C compiler.
// And a compiler is gone before its garbage fills the memory: the largest package needs
// 1.1 GB then, and all together take a quarter less time.
func lean() []string {
	env := append(os.Environ(), "CGO_ENABLED=0")
	if own := os.Getenv("GOFLAGS"); !strings.Contains(own, flags) { // the Makefile has them already
		env = append(env, "GOFLAGS="+strings.TrimSpace(own+" "+flags))
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		env = append(env, "GOGC=off", "GOMEMLIMIT=2GiB")
	}
	return env
}

// hermetic is lean without what would make a build module resolve differently than
// its go.mod says.
func hermetic() []string { return append(lean(), "GOFLAGS="+flags, "GOWORK=off") }

// goCommand runs the go command and returns what it printed. It tells saw, which
// may be nil, each line of stderr at once. The error ends with the last lines.
func goCommand(ctx context.Context, dir string, env []string, saw func(line string), args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets it stop its compilers and tidy up
	cmd.WaitDelay = 10 * time.Second
	var stdout bytes.Buffer
	stderr := lines{saw: saw}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("in %s: %s: %w%s", dir, strings.Join(cmd.Args, " "), err, tail(stderr.all.String()+stdout.String(), 15))
	}
	return stdout.String(), nil
}

// lines keeps what is written and tells each line when it is complete.
type lines struct {
	saw  func(line string)
	all  bytes.Buffer
	rest []byte // the line that is not complete
}

func (l *lines) Write(text []byte) (int, error) {
	l.all.Write(text)
	l.rest = append(l.rest, text...)
	for {
		line, rest, complete := bytes.Cut(l.rest, []byte("\n"))
		if !complete {
			return len(text), nil
		}
		l.rest = rest
		if l.saw != nil {
			l.saw(string(line))
		}
	}
}

// tail is the last n lines without the go command's news of downloads and of the
// packages it compiles, each on a new line.
func tail(output string, n int) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "go: downloading ") && !isPackage(line) {
			lines = append(lines, "\n\t"+line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// isPackage tells an import path, which go build -v prints, from a sentence.
func isPackage(line string) bool { return line != "" && !strings.ContainsAny(line, " \t:#") }
