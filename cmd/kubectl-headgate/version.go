package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (e *env) version() *cobra.Command {
	var clientOnly bool
	c := &cobra.Command{
		Use: "version", Short: "Print the versions of this plugin and of the managers in the cluster", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(e.out, "client ", version)
			if clientOnly {
				return nil
			}
			if err := e.connect(); err != nil {
				return err
			}
			return e.managerVersions(c.Context())
		},
	}
	c.Flags().BoolVar(&clientOnly, "client", false, "only that of this plugin")
	return c
}

// managerVersions prints the version of each installation that may be seen.
func (e *env) managerVersions(ctx context.Context) error {
	list, err := e.client.apps.Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=headgate",
	})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return &exit{1, "there is no Deployment with the label app.kubernetes.io/name=headgate: is Headgate installed?"}
	}
	for _, d := range list.Items {
		number := d.Labels["app.kubernetes.io/version"]
		fmt.Fprintf(e.out, "manager %s  (%s/%s, %d of %d pods available)\n",
			number, d.Namespace, d.Name, d.Status.AvailableReplicas, *d.Spec.Replicas)
		if strings.TrimPrefix(version, "v") != number && version != "dev" {
			fmt.Fprintf(e.err, "this plugin is %s and the manager %s: it may not know everything that the other writes\n", version, number)
		}
	}
	return nil
}
