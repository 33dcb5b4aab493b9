// Command demo shows Headgate at work. It starts a lab, ships a good version and a bad
// one under steady load, and prints what happens. The last line of its output is JSON,
// for scripts. It exits with 1 if anything goes wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/headgate/headgate/test/lab"
)

const usage = `Ships a good version and a bad one (5% of its answers are 500s, its health
checks are fine) through Headgate, under steady load, on a real control plane
and a real ingress controller, and prints a timeline.

The first run builds what is not installed, which takes minutes, once.

`

// limit is far longer than the demo takes. A demo that hangs ends then, with an error.
const limit = 10 * time.Minute

func main() {
	err := run(os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	rate := flags.Int("rate", 300, "requests per second")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := lab.Options{Node: true, Ingress: true, Prometheus: true, Headgate: true}
	if err := lab.Prepare(options); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not over after %s", limit))
	defer cancel()
	return demo(ctx, options, *rate)
}

func demo(ctx context.Context, options lab.Options, rate int) error {
	out := newTimeline(os.Stdout)
	began := time.Now()
	out.say("starting etcd, the API server and its controllers, an ingress controller and Prometheus ...")
	l, err := lab.Start(ctx, options)
	if err != nil {
		return err
	}
	defer l.Stop()
	out.say("installing Headgate from its chart ...")
	if err := l.InstallHeadgate(ctx, map[string]string{
		"prometheus.address": l.Prometheus.URL(), "prometheus.metricsSource": "traefik",
	}); err != nil {
		return err
	}
	out.say("ready after %s", time.Since(began).Round(time.Second))

	s := &story{lab: l, out: out, rate: rate}
	if err := s.tell(ctx); err != nil {
		return err
	}
	return s.summary.print(os.Stdout)
}
