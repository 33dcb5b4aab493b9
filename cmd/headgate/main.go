// Command headgate runs the webhook that holds new templates and the manager that
// rolls them out. It runs in a pod, and environment variables configure it;
// "headgate --help" explains each one. "headgate backtest" tries an analysis on the past
// and needs no cluster. "headgate cleanup" ends every rollout, so that Headgate can go.
//
// It decides nothing itself. It is the only place that knows the concrete types of
// the other packages: serve.go connects the webhook (package webhook), the
// controller (rollout/controller) with its router (ingress), judge (analysis) and
// gates (analysis/gate), and the serving certificate (certs). What happens to a
// rollout is decided in package rollout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/caarlos0/env/v11"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx := ctrl.SetupSignalHandler()
	if err := run(ctx, os.Args[1:], env.ToMap(os.Environ()), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "headgate:", err)
		os.Exit(1)
	}
}

// run does what args say. Without any it serves until ctx is done.
func run(ctx context.Context, args []string, environ map[string]string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "backtest":
			return runBacktest(ctx, args[1:], environ, out, os.Stderr)
		case "cleanup":
			return runCleanup(ctx, args[1:], environ, out, os.Stderr)
		}
	}
	flags := flag.NewFlagSet("headgate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	showVersion := flags.Bool("version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return writeHelp(out)
	case err != nil:
		return fmt.Errorf("%w; headgate --help lists the flags", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: settings are environment variables, headgate --help lists them", flags.Arg(0))
	case *showVersion:
		_, err := fmt.Fprintln(out, "headgate", version)
		return err
	}
	cfg, err := parseConfig(environ)
	if err != nil {
		return err
	}
	return serve(ctx, cfg, out)
}
