// Command bench measures what a rollout costs, with Headgate and with Argo Rollouts, in a lab
// of its own. See package test/bench, and docs/benchmark.md for what the figures mean.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/headgate/headgate/test/bench"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/netns"
)

const usage = `Measures what a rollout costs, with Headgate and with Argo Rollouts, one after
the other on the same API server, and compares each figure with what it must
reach. Pods are not run, only shown as ready, so the figures are those of the
controllers. docs/benchmark.md explains them.

  bench                                 everything; it takes about half an hour
  bench -only first-weight,failing      two figures, in a few minutes
  bench -without-argo -runs 1           a quick look at Headgate alone
  bench -json result.json -check        for scripts: exits with 1 if a figure is missed
  bench -cold                           what "make demo" costs after a fresh clone, and nothing else

Let the machine do nothing else meanwhile: times grow with its load, which the
report shows. The first run builds what is not there, which takes minutes, once.

The figures:

`

// withoutArgo tells the program, once it runs in the lab's namespaces, why Argo Rollouts could
// not be built. There is no network inside.
const withoutArgo = "HEADGATE_BENCH_WITHOUT_ARGO"

func main() {
	lab.RunAsPod() // first: in a pod, the arguments are the container's
	err := run(os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	bench.Options
	json, page  string
	dir         string
	check       bool
	cold        bool
	withoutArgo bool
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "`names` of the figures to measure, separated by commas; default all")
	flags.IntVar(&s.Runs, "runs", 3, "how often a figure about one rollout is measured; its median is compared")
	flags.IntVar(&s.Fleet, "fleet", 500, "managed applications of the figures rest and burst")
	flags.IntVar(&s.Burst, "burst", 100, "how many of them are updated at once")
	flags.IntVar(&s.Busy, "busy", 200, "other rollouts of the figure failing-busy")
	flags.DurationVar(&s.Soak, "soak", 2*time.Minute, "how `long` the soak lasts, beside what it prepares and ends")
	flags.IntVar(&s.SoakFleet, "soak-fleet", 1000, "managed applications of the soak")
	flags.IntVar(&s.SoakRolling, "soak-rolling", 200, "how many of them roll at any time")
	flags.IntVar(&s.Deployments, "deployments", 10_000, "Deployments in the cluster of the figure memory; one in ten is managed")
	flags.DurationVar(&s.Settle, "settle", time.Second, "settle `time` of Headgate in the figures about rollouts with measurements;\n"+
		"the others have the default of the chart, which is longer than the waits of the steps")
	flags.StringVar(&s.json, "json", "", "also write the report as JSON to this `file`; - is stdout, and the table goes to stderr")
	flags.StringVar(&s.page, "page", "", "also replace the last run in this `file`, for example docs/benchmark.md")
	flags.StringVar(&s.dir, "dir", "", "keep the lab's logs in this `directory`, new or empty; default: they are removed")
	flags.BoolVar(&s.check, "check", false, "exit with 1 if a figure does not reach what it must")
	flags.BoolVar(&s.cold, "cold", false, "measure only the CPU time of \"make demo\" with empty build caches; it takes a quarter of an hour")
	flags.BoolVar(&s.withoutArgo, "without-argo", false, "measure Headgate alone")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage, bench.Explain(), "\nThe flags:\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q: it takes flags only, see bench --help", flags.Arg(0))
	}
	if *only != "" {
		s.Only = strings.Split(*only, ",")
	}
	if err := bench.Known(s.Only); err != nil {
		return s, fmt.Errorf("-only: %w", err)
	}
	if s.Runs < 1 {
		return s, fmt.Errorf("-runs %d: give at least 1", s.Runs)
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) > 0 && !netns.Inside() {
		return s, fmt.Errorf("-dir %s is not empty: a lab begins without data", s.dir)
	}
	return s, nil
}

func run(args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	began := time.Now()
	s.Progress = func(line string) {
		fmt.Fprintf(os.Stderr, "%7s  %s\n", time.Since(began).Round(time.Second), line)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.cold {
		report, err := bench.Cold(ctx, s.Options)
		if err != nil {
			return err
		}
		return tell(report, s)
	}
	if !s.withoutArgo {
		s.Argo = findArgo(ctx, s.Progress)
	}
	options := bench.LabOptions()
	if err := lab.Prepare(options); err != nil {
		return err
	}
	return measure(ctx, s, options)
}

// findArgo returns nil, and says why, if Argo Rollouts cannot be built.
func findArgo(ctx context.Context, say func(string)) *bench.ArgoRollouts {
	if os.Getenv(withoutArgo) != "" {
		return nil
	}
	argo, err := bench.FindArgoRollouts(ctx)
	if err == nil {
		return argo
	}
	say("Argo Rollouts is left out: " + err.Error())
	if !netns.Inside() {
		_ = os.Setenv(withoutArgo, "yes") // inside, it would be tried again, without a network
	}
	return nil
}

func measure(ctx context.Context, s settings, options lab.Options) error {
	report, err := bench.Run(ctx, func(ctx context.Context, name string) (*lab.Lab, func(), error) {
		s.Progress("starting a lab")
		if s.dir != "" {
			options.Dir = filepath.Join(s.dir, name)
		}
		l, err := lab.Start(ctx, options)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Stop, nil
	}, s.Options)
	if err != nil {
		return err
	}
	return tell(report, s)
}

// tell writes the report. It returns an error if a figure is missed and -check was given.
func tell(report *bench.Report, s settings) error {
	if err := write(report, s.json); err != nil {
		return err
	}
	if s.page != "" {
		if err := report.WritePage(s.page); err != nil {
			return err
		}
	}
	if missed := report.Missed(); s.check && len(missed) > 0 {
		return fmt.Errorf("missed: %s", strings.Join(missed, ", "))
	}
	return nil
}

func write(report *bench.Report, file string) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	switch file {
	case "":
		fmt.Print(report.Table())
		return nil
	case "-":
		fmt.Fprint(os.Stderr, report.Table())
		fmt.Println(string(text))
		return nil
	}
	fmt.Print(report.Table())
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
