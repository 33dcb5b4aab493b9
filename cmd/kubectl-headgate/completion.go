package main

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/headgate/headgate/rollout/status"
)

// completer is the program that kubectl runs to complete "kubectl headgate".
//
//go:embed kubectl_complete-headgate
var completer string

// completeWithin is how long a shell waits for names from the cluster.
const completeWithin = 3 * time.Second

const completionLong = `Print the program that kubectl runs to complete "kubectl headgate". Put it into a
directory of your PATH:

  kubectl headgate completion kubectl > /usr/local/bin/kubectl_complete-headgate
  chmod +x /usr/local/bin/kubectl_complete-headgate

The shell itself needs the completion of kubectl: kubectl completion --help.`

// addCompletion adds the command "completion", and says what completes flags and arguments.
func (e *env) addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.AddCommand(&cobra.Command{
				Use: "kubectl", Short: "Print the program that completes kubectl headgate", Long: completionLong, Args: cobra.NoArgs,
				RunE: func(*cobra.Command, []string) error {
					_, err := fmt.Fprint(e.out, completer)
					return err
				},
			})
		}
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"namespace": e.completeNamespaces,
		"context":   e.completeConfig(func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Contexts)) }),
		"cluster":   e.completeConfig(func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Clusters)) }),
		"user":      e.completeConfig(func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.AuthInfos)) }),
	} {
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // cannot happen: the flags are there, and each has one function
		}
	}
}

// completeNames completes the name of a Deployment that is opted in and that keep accepts.
func (e *env) completeNames(keep func(status.Status) bool) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		kind, _, found := strings.Cut(begun, "/")
		if found {
			kind += "/"
		} else {
			kind = ""
		}
		if len(args) > 0 || e.connect() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
		defer cancel()
		var names []cobra.Completion
		for _, s := range e.optedIn(ctx) {
			if keep(s) && strings.HasPrefix(kind+s.Name, begun) {
				names = append(names, cobra.CompletionWithDesc(kind+s.Name, brief(s)))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func everyName(status.Status) bool { return true }

// optedIn are the rollouts of the namespace. A shell cannot show an error, so there are none then.
func (e *env) optedIn(ctx context.Context) []status.Status {
	namespace, err := e.namespace()
	if err != nil {
		return nil
	}
	list, err := e.client.apps.Deployments(namespace).List(ctx, fromMemory)
	if err != nil {
		return nil
	}
	var all []status.Status
	for i := range list.Items {
		if s := summary(&list.Items[i], time.Now()); s.OptedIn {
			all = append(all, s)
		}
	}
	return all
}

// brief is a Status in a few words: "Progressing, step 2 of 5".
func brief(s status.Status) string {
	text := string(s.Phase)
	if s.Step != nil {
		text += fmt.Sprintf(", step %d of %d", s.Step.Number, s.Step.Of)
	}
	return text
}

func (e *env) completeNamespaces(c *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if e.connect() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	list, err := e.client.core.Namespaces().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return beginning(names, begun), cobra.ShellCompDirectiveNoFileComp
}

// completeConfig completes what names returns of the kubeconfig.
func (e *env) completeConfig(names func(clientcmdapi.Config) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		config, err := e.flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginning(names(config), begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeOutput completes the flag --output of c, whose help lists its forms: "wide, json; without it …".
func completeOutput(c *cobra.Command, forms string) {
	forms, _, _ = strings.Cut(forms, ";")
	complete := func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return beginning(strings.Split(forms, ", "), begun), cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // cannot happen: the flag is there, and it has one function
	}
}

func beginning(names []string, begun string) []cobra.Completion {
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) })
}
