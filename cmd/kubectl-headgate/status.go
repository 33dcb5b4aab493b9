package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/status"
)

type statusOptions struct {
	watch, wait bool
	timeout     time.Duration
	output      string
}

const statusExample = `  kubectl headgate status web
  kubectl headgate status web --watch
  kubectl headgate status web -o json | jq .weight
  kubectl headgate status web --wait --timeout 30m`

const statusLong = `Show where the rollout of a Deployment is: its steps, traffic, pods and metrics, what
happens next, and what can be typed.

--wait is for CI. It ends when the rollout has ended or waits for a person, and exits with
  0  the version was promoted, or there is no rollout
  2  it was rolled back
  3  --timeout is over
  4  it waits for a person
  1  anything else, such as a newer version that took its place`

func (e *env) status() *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use: "status NAME", Short: "Show where a rollout is", Long: statusLong, Example: statusExample,
		Args: cobra.ExactArgs(1), ValidArgsFunction: e.completeNames(everyName),
		RunE: func(c *cobra.Command, args []string) error {
			return e.runStatus(c.Context(), args[0], o)
		},
	}
	c.Flags().BoolVarP(&o.watch, "watch", "w", false, "show it anew whenever something changes, until Ctrl-C")
	c.Flags().BoolVar(&o.wait, "wait", false, "wait for the end of the rollout; the exit code says how it ended")
	c.Flags().DurationVar(&o.timeout, "timeout", 0, "the longest wait of --wait, for example 30m; 0: no limit")
	addOutput(c, &o.output, "json, yaml")
	return c
}

func addOutput(c *cobra.Command, output *string, forms string) {
	c.Flags().StringVarP(output, "output", "o", "", "form of the output: "+forms)
	completeOutput(c, forms)
}

func (e *env) runStatus(ctx context.Context, arg string, o statusOptions) error {
	namespace, name, err := e.target(arg)
	if err != nil {
		return err
	}
	switch {
	case o.wait:
		return e.waitForEnd(ctx, namespace, name, o.timeout)
	case o.watch && e.look().Signs:
		return e.watchPicture(ctx, namespace, name)
	case o.watch:
		return e.watchLines(ctx, namespace, name)
	}
	s, err := e.read(ctx, namespace, name)
	if err != nil {
		return err
	}
	if o.output != "" {
		return encode(e.out, o.output, s)
	}
	_, err = fmt.Fprint(e.out, draw.Status(s, e.look()))
	return err
}

// target connects, and returns the Deployment that arg names.
func (e *env) target(arg string) (namespace, name string, err error) {
	if name, err = nameOf(arg); err != nil {
		return "", "", err
	}
	if namespace, err = e.namespace(); err != nil {
		return "", "", err
	}
	return namespace, name, e.connect()
}

// ended says how the rollout that was seen first has ended, as an exit code. Done is false
// while it goes on.
func ended(first, s status.Status) (code int, done bool) {
	switch {
	case first.Rollout != "" && s.Rollout != "" && s.Rollout != first.Rollout:
		return 1, true
	case s.Phase == status.RolledBack:
		return exitRolledBack, true
	case s.Phase == status.Idle || s.Phase == status.Unmanaged:
		if first.Rollout == "" || slices.Contains(promoted, s.Reason) {
			return 0, true
		}
		return 1, true
	case s.Next != nil && s.Next.Person:
		return exitPerson, true
	}
	return 0, false
}

// promoted are the reasons of a version that users have.
var promoted = []reason.Reason{reason.Promoted, reason.PromotedEarly, reason.WithinRollbackWindow, reason.Ready}

// waitForEnd waits until the present rollout has ended, and tells each change meanwhile.
func (e *env) waitForEnd(ctx context.Context, namespace, name string, timeout time.Duration) error {
	if timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	var first, last status.Status
	for s, err := range e.changes(ctx, namespace, name) {
		if err != nil {
			return err
		}
		if first.Name == "" {
			first = s
		}
		if line := lineOf(s); line != lineOf(last) {
			fmt.Fprintf(e.out, "%s  %s\n", s.At.Format(time.TimeOnly), line)
		}
		if last = s; s.Name == "" {
			continue
		}
		if code, done := ended(first, s); done {
			if code == 0 {
				return nil
			}
			return &exit{code: code}
		}
	}
	if timeout > 0 && ctx.Err() == context.DeadlineExceeded {
		return &exit{exitTimeout, fmt.Sprintf("not over after %s: %s", timeout, lineOf(last))}
	}
	return &exit{code: 1}
}

// watchLines prints one line for each change.
func (e *env) watchLines(ctx context.Context, namespace, name string) error {
	last := ""
	for s, err := range e.changes(ctx, namespace, name) {
		if err != nil {
			return err
		}
		if line := lineOf(s); line != last {
			fmt.Fprintf(e.out, "%s  %s\n", s.At.Format(time.TimeOnly), line)
			last = line
		}
	}
	return nil
}

// lineOf is a Status in one line, without what changes by the passing of time.
func lineOf(s status.Status) string {
	if s.Name == "" {
		return ""
	}
	words := []string{string(s.Phase)}
	if s.Rollout != "" {
		words = append(words, "rollout "+s.Rollout)
	}
	if s.Step != nil {
		words = append(words, fmt.Sprintf("step %d of %d", s.Step.Number, s.Step.Of))
	}
	if s.Weight != nil {
		words = append(words, fmt.Sprintf("weight %d", s.Weight.Granted))
	}
	text := strings.Join(words, ", ")
	if s.Message != "" {
		text += ": " + s.WithoutRollout(s.Message)
	}
	return text
}
