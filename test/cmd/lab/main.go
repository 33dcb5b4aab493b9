// Command lab runs a whole Kubernetes on this machine, with Headgate in it, for people
// who want to try it out. See package lab for what it consists of. The tests do not need
// this command: they start their own labs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/headgate/headgate/test/lab"
)

const usage = `A real Kubernetes control plane, ingress controller and Prometheus on this
machine, without containers, with Headgate installed from its chart.

  lab up      start it, with a sample service to roll out; Ctrl-C stops it
  lab shell   open a shell inside the running lab, with kubectl pointed at it
  lab load    inside the shell: send requests and show who answers, each second

A first look, in two terminals:

  lab up
  lab shell
    kubectl -n demo set image deploy/web app=headgate.dev/lab/app:v2
    lab load

Beside Deployments it runs Jobs (image headgate.dev/lab/smoke:v1 asks the URL in
its first argument), finds Services by name from inside pods, enforces quotas, and
feeds HorizontalPodAutoscalers and "kubectl top pods" with what each pod answers.

The first start builds what is not installed, which takes minutes, once.
"lab COMMAND --help" lists the flags of a command.
`

func main() {
	lab.RunAsPod() // first: in a pod, the arguments are the container's
	err := run(os.Args[1:])
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &exit): // the shell's own
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	commands := map[string]func([]string) error{"up": up, "shell": shell, "load": sendLoad}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		_, err := io.WriteString(os.Stdout, usage)
		return err
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("unknown command %q: write \"lab up\", \"lab shell\" or \"lab load\"", args[0])
	}
	return command(args[1:])
}

// dirFlag is where the lab is found again by "lab shell".
func dirFlag(flags *flag.FlagSet) *string {
	return flags.String("dir", filepath.Join(os.TempDir(), "headgate-lab"), "directory of the lab's data and logs")
}
