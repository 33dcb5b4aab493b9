package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/status"
)

type listOptions struct {
	everywhere bool
	selector   string
	output     string
}

func (e *env) list() *cobra.Command {
	var o listOptions
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the Deployments that are opted in, and their rollouts", Args: cobra.NoArgs,
		Example: "  kubectl headgate list\n  kubectl headgate list -A -o wide\n  kubectl headgate list -o name",
		RunE:    func(c *cobra.Command, _ []string) error { return e.runList(c.Context(), o) },
	}
	c.Flags().BoolVarP(&o.everywhere, "all-namespaces", "A", false, "in every namespace")
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "only Deployments with these labels")
	addOutput(c, &o.output, "wide, name, json, yaml")
	return c
}

func (e *env) runList(ctx context.Context, o listOptions) error {
	namespace, err := e.namespace()
	if err != nil {
		return err
	}
	if o.everywhere {
		namespace = metav1.NamespaceAll
	}
	if err := e.connect(); err != nil {
		return err
	}
	deployments, err := e.client.apps.Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: o.selector})
	if err != nil {
		return err
	}
	now, all := time.Now(), []status.Status{}
	for i := range deployments.Items {
		if s := summary(&deployments.Items[i], now); s.OptedIn {
			all = append(all, s)
		}
	}
	switch o.output {
	case "name":
		for _, s := range all {
			fmt.Fprintln(e.out, "deployment.apps/"+s.Name)
		}
		return nil
	case "", "wide":
		return e.table(all, o)
	}
	return encode(e.out, o.output, map[string]any{"schema": status.Schema, "items": all})
}

// table writes a row for each rollout, those that need a person first.
func (e *env) table(all []status.Status, o listOptions) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(e.err, "No Deployment here has the annotation headgate.dev/strategy. Opt one in:\n"+
			"  kubectl annotate deployment NAME headgate.dev/strategy=canary")
		return err
	}
	slices.SortStableFunc(all, func(a, b status.Status) int { return urgency(a) - urgency(b) })
	w := tabwriter.NewWriter(e.out, 0, 0, 3, ' ', 0)
	header := []string{"NAME", "PHASE", "STEP", "WEIGHT", "SINCE", "REASON"}
	if o.everywhere {
		header = slices.Insert(header, 0, "NAMESPACE")
	}
	if o.output == "wide" {
		header = append(header, "NEXT", "MESSAGE")
	}
	line(w, header)
	for _, s := range all {
		row := []string{s.Name, string(s.Phase), "-", "-", "-", string(s.Reason)}
		if s.Step != nil {
			row[2] = fmt.Sprintf("%d/%d", s.Step.Number, s.Step.Of)
		}
		if s.Weight != nil {
			row[3] = fmt.Sprintf("%d%%", s.Weight.Granted)
		}
		if s.Since != nil {
			row[4] = draw.Span(s.At.Sub(*s.Since))
		}
		if o.everywhere {
			row = slices.Insert(row, 0, s.Namespace)
		}
		if o.output == "wide" {
			row = append(row, nextOf(s), s.Message)
		}
		line(w, row)
	}
	return w.Flush()
}

func line(w io.Writer, cells []string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }

func nextOf(s status.Status) string {
	if s.Next == nil {
		return "-"
	}
	return s.Next.What
}

// urgency sorts: what a person should look at first comes first.
func urgency(s status.Status) int {
	switch {
	case s.Problem:
		return 0
	case s.Next != nil && s.Next.Person:
		return 1
	case s.Phase != status.Idle:
		return 2
	}
	return 3
}
