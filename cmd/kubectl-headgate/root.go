package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
)

// streams are what a command reads and writes.
type streams struct {
	in       *os.File
	out, err io.Writer
	environ  func(string) string
}

// env is what every command works with.
type env struct {
	streams
	flags *genericclioptions.ConfigFlags

	client *clients // nil: not connected yet
}

const long = `See the rollouts of Headgate, steer them, and know why they are where they are.

Every command works with your own rights. Those that steer one rollout write the
annotation headgate.dev/command, as "kubectl annotate" does, and wait for the answer
of the manager. lint and "plan -f" read files and no cluster.`

const rootExample = `  kubectl headgate list -A
  kubectl headgate status web --watch
  kubectl headgate explain web
  kubectl headgate promote web
  kubectl headgate abort web
  kubectl headgate status web --wait --timeout 30m   # for CI: 0 promoted, 2 rolled back`

// newRoot returns the command with all others below it. c is nil, or what takes the place
// of the cluster that the kubeconfig names.
func newRoot(s streams, c *clients) *cobra.Command {
	e := &env{streams: s, flags: genericclioptions.NewConfigFlags(true), client: c}
	root := &cobra.Command{
		Use: "kubectl-headgate", Short: "See, steer and explain rollouts of Headgate", Long: long, Example: rootExample,
		SilenceUsage: true, SilenceErrors: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl headgate"},
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	e.flags.AddFlags(root.PersistentFlags())
	root.AddGroup(&cobra.Group{ID: "see", Title: "See:"}, &cobra.Group{ID: "steer", Title: "Steer:"},
		&cobra.Group{ID: "check", Title: "Check:"})
	for _, c := range []*cobra.Command{e.list(), e.status(), e.explain(), e.history(), e.events()} {
		c.GroupID = "see"
		root.AddCommand(c)
	}
	for _, c := range append(e.steering(), e.cleanup()) {
		c.GroupID = "steer"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{e.lint(), e.plan(), e.doctor()} {
		c.GroupID = "check"
		root.AddCommand(c)
	}
	root.AddCommand(e.convert(), e.version())
	e.addCompletion(root)
	return root
}

// connect makes the client that the flags and the kubeconfig say.
func (e *env) connect() error {
	if e.client != nil {
		return nil
	}
	config, err := e.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	// A status reads six kinds at the same time; the default limit is 5 requests per second.
	config.QPS, config.Burst = 50, 100
	e.client, err = newClients(config)
	return err
}

// namespace is that of the flag, or of the present context.
func (e *env) namespace() (string, error) {
	if e.flags.Namespace != nil && *e.flags.Namespace != "" {
		return *e.flags.Namespace, nil
	}
	namespace, _, err := e.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// look says how to draw for the stream out.
func (e *env) look() draw.Look {
	l := draw.Look{}
	f, ok := e.out.(*os.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return l
	}
	l.Signs = e.environ("TERM") != "dumb"
	l.Colour = l.Signs && e.environ("NO_COLOR") == ""
	if width, height, err := term.GetSize(f.Fd()); err == nil {
		l.Width, l.Height = width, height
	}
	return l
}

// interactive says whether a person can be asked.
func (e *env) interactive() bool { return e.in != nil && term.IsTerminal(e.in.Fd()) }

// nameOf accepts web, deployment/web and deploy/web, as kubectl does.
func nameOf(arg string) (string, error) {
	kind, name, found := strings.Cut(arg, "/")
	if !found {
		return arg, nil
	}
	switch strings.ToLower(kind) {
	case "deployment", "deployments", "deploy", "deployment.apps", "deployments.apps":
		return name, nil
	}
	return "", fmt.Errorf("%q is no Deployment: want a name, for example web or deployment/web", arg)
}
