package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/headgate/headgate/test/lab"
)

// upFlags are the flags of "lab up".
type upFlags struct {
	pods     int
	headgate bool
	lab.Options
}

func parseUp(args []string) (upFlags, error) {
	f := upFlags{Options: lab.Options{Node: true, Ingress: true}}
	flags := flag.NewFlagSet("lab up", flag.ContinueOnError)
	dir := dirFlag(flags)
	none := flags.Bool("no-headgate", false, "do not install Headgate")
	flags.IntVar(&f.pods, "pods", 3, "pods of the sample service; 0 for no sample service")
	flags.BoolVar(&f.Hollow, "hollow", false, "do not run the sample's pods, only show them as ready: for thousands of them")
	flags.BoolVar(&f.Prometheus, "prometheus", true, "run Prometheus")
	flags.BoolVar(&f.Metrics, "metrics", true, "serve the metrics API, for autoscalers and kubectl top")
	flags.DurationVar(&f.Throttle, "throttle", 200*time.Millisecond, "how long the ingress controller collects changes before it applies them")
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	if flags.NArg() > 0 {
		return f, fmt.Errorf("lab up: unexpected argument %q: it takes flags only, see lab up --help", flags.Arg(0))
	}
	f.headgate, f.Options.Headgate, f.Dir = !*none, !*none, *dir
	return f, nil
}

// up starts a lab and runs until Ctrl-C or SIGTERM.
func up(args []string) error {
	f, err := parseUp(args)
	if err != nil {
		return err
	}
	if err := unclaimed(f.Dir); err != nil {
		return err
	}
	if err := lab.Prepare(f.Options); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	release, err := claim(f.Dir)
	if err != nil {
		return err
	}
	defer release()
	fmt.Println("starting the lab …")
	l, err := lab.Start(ctx, f.Options)
	if err != nil {
		return err
	}
	defer l.Stop()
	if err := furnish(ctx, l, f); err != nil {
		return err
	}
	fmt.Print(welcome(l, f))
	<-ctx.Done()
	fmt.Println("\nstopping …")
	return nil
}

// furnish installs Headgate and the sample service.
func furnish(ctx context.Context, l *lab.Lab, f upFlags) error {
	if f.headgate {
		fmt.Println("installing Headgate …")
		values := map[string]string{"prometheus.metricsSource": "traefik", "ingress.previewBelowOwnHosts": "true"}
		if l.Prometheus != nil {
			values["prometheus.address"] = l.Prometheus.URL()
		}
		if err := l.InstallHeadgate(ctx, values); err != nil {
			return err
		}
	}
	if f.pods == 0 {
		return nil
	}
	return demo(ctx, l, f)
}
