// Command kubectl-headgate is a plugin of kubectl: "kubectl headgate status web" shows a
// rollout, and other commands steer it and explain it. It reads and writes with the rights
// of the person who runs it, and needs nothing but the rights to read Deployments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := newRoot(streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Getenv}, nil)
	if err := command.ExecuteContext(ctx); err != nil {
		os.Exit(report(err, os.Stderr))
	}
}

// report prints err, if it is not printed yet, and returns the exit code.
func report(err error, out io.Writer) int {
	if e, ok := errors.AsType[*exit](err); ok {
		if e.message != "" {
			fmt.Fprintln(out, e.message)
		}
		return e.code
	}
	fmt.Fprintln(out, "error:", printableText(explainError(err)))
	return 1
}

// The exit codes of "status --wait" and of the commands that steer a rollout. 1 is for
// everything else.
const (
	exitRolledBack = 2
	exitTimeout    = 3
	exitPerson     = 4
)

// exit is an error with an exit code of its own.
type exit struct {
	code    int
	message string // "": everything was said
}

func (e *exit) Error() string { return e.message }
