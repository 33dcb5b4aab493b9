package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/status"
)

func (e *env) history() *cobra.Command {
	return &cobra.Command{
		Use: "history NAME", Short: "List the versions of a Deployment and how their rollouts ended", Args: cobra.ExactArgs(1),
		ValidArgsFunction: e.completeNames(everyName),
		Long: "List the revisions that the Deployment still has, the newest first, and how rollouts ended as far as there are events.\n" +
			"Kubernetes keeps events for an hour, unless the cluster says otherwise.",
		RunE: func(c *cobra.Command, args []string) error { return e.runHistory(c.Context(), args[0]) },
	}
}

func (e *env) runHistory(ctx context.Context, arg string) error {
	namespace, name, err := e.target(arg)
	if err != nil {
		return err
	}
	dep, err := e.client.apps.Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	sets, err := e.client.apps.ReplicaSets(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(dep.Spec.Selector),
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 3, ' ', 0)
	line(w, []string{"REVISION", "PODS", "AGE", "IMAGES"})
	for _, rs := range (status.Objects{ReplicaSets: sets.Items}).ReplicaSetsOf(dep) {
		var images []string
		for _, c := range rs.Spec.Template.Spec.Containers {
			images = append(images, c.Image)
		}
		line(w, []string{strconv.Itoa(status.RevisionNumber(&rs)), strconv.Itoa(int(rs.Status.Replicas)),
			draw.Span(time.Since(rs.CreationTimestamp.Time)), printableText(strings.Join(images, ", "))})
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(e.out)
	return e.listEvents(ctx, arg, ends)
}

// ends says whether an event is the end of a rollout.
func ends(e status.Event) bool {
	explained, known := reason.Explain(e.Reason)
	return known && (slices.Contains(explained.Kinds, reason.WentBack) || slices.Contains(explained.Kinds, reason.WithoutCanary) ||
		e.Reason == reason.Promoted || e.Reason == reason.PromotedEarly)
}
