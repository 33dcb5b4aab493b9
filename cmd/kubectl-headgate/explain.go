package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/status"
)

func (e *env) explain() *cobra.Command {
	return &cobra.Command{
		Use: "explain NAME", Short: "Say why a rollout is where it is, what comes next, and what to type", Args: cobra.ExactArgs(1),
		ValidArgsFunction: e.completeNames(everyName),
		Example:           "  kubectl headgate explain web",
		RunE: func(c *cobra.Command, args []string) error {
			s, err := e.readNamed(c.Context(), args[0])
			if err != nil {
				return err
			}
			explainStatus(e.out, s)
			return nil
		},
	}
}

// explainStatus writes paragraphs: where it is, why, what comes next, what to do.
func explainStatus(out io.Writer, s status.Status) {
	fmt.Fprintf(out, "%s\n", lineOf(s))
	if s.Explained != "" {
		fmt.Fprintf(out, "\nWhy: %s\n  %s\n", s.Reason, strings.ReplaceAll(s.Explained, "`", ""))
	}
	for _, m := range s.Mistakes {
		fmt.Fprintf(out, "\nMistake: %s\n", m)
	}
	if n := s.Next; n != nil {
		fmt.Fprintf(out, "\nNext: %s.\n", n.What)
		if n.At != nil {
			fmt.Fprintf(out, "  Not before %s UTC, in %s.\n", n.At.Format(time.TimeOnly), draw.Span(s.Left(*n.At)))
		}
		if n.Needs != "" {
			who := "It waits for this"
			if n.Person {
				who = "It waits for a person"
			}
			fmt.Fprintf(out, "  %s: %s.\n", who, strings.TrimSuffix(n.Needs, "."))
		}
	}
	for _, d := range s.Deadlines {
		fmt.Fprintf(out, "  It is rolled back in %s if it is not further: the deadline of %s.\n", draw.Span(s.Left(d.At)), d.Name)
	}
	writeActions(out, "Look at:", s.LookAt)
	writeActions(out, "Type:", s.Actions)
	for _, u := range s.Unread {
		fmt.Fprintf(out, "\nUnread: %s\n", u)
	}
}

func writeActions(out io.Writer, title string, actions []status.Action) {
	if len(actions) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	for _, a := range actions {
		fmt.Fprintf(out, "  to %s:\n    %s\n", a.Want, a.Command)
	}
}

func (e *env) events() *cobra.Command {
	return &cobra.Command{
		Use: "events NAME", Short: "List what Headgate said about a Deployment", Args: cobra.ExactArgs(1),
		ValidArgsFunction: e.completeNames(everyName),
		RunE: func(c *cobra.Command, args []string) error {
			return e.listEvents(c.Context(), args[0], func(status.Event) bool { return true })
		},
	}
}

func (e *env) listEvents(ctx context.Context, arg string, keep func(status.Event) bool) error {
	s, err := e.readNamed(ctx, arg)
	if err != nil {
		return err
	}
	for _, event := range s.Events {
		if keep(event) {
			fmt.Fprintf(e.out, "%s  %-24s %s\n", event.At.Format(time.RFC3339), event.Reason, event.Message)
		}
	}
	return nil
}
