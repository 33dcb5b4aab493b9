// Command bench-analysis simulates how canaries are judged, by Headgate and by the rules that
// other tools document. See package test/bench/analysis, and docs/benchmark-analysis.md for
// what the tables mean.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/headgate/headgate/test/bench/analysis"
)

const usage = `Simulates how canaries are judged, by Headgate and by the rules that other tools
document, all on the same requests. docs/benchmark-analysis.md explains the
tables. It needs no cluster.

  bench-analysis                                everything, in about ten minutes on two cores
  bench-analysis -only healthy -runs 200        one table, in seconds
  bench-analysis -json result.json -check       for scripts: exits with 1 if a target is missed
  bench-analysis -picture evidence.svg          only draws the picture of docs/analysis.md

The tables:

`

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-analysis:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	analysis.Options
	json, page, picture string
	check               bool
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench-analysis", flag.ContinueOnError)
	only := flags.String("only", "", "`names` of the tables to make, separated by commas; default all")
	flags.IntVar(&s.Runs, "runs", 2000, "rollouts of a healthy version for each cell; of a bad one, a fifth of it")
	flags.Uint64Var(&s.Seed, "seed", 1, "another seed makes other requests")
	flags.StringVar(&s.json, "json", "", "also write the report as JSON to this `file`; - is stdout, and the tables go to stderr")
	flags.StringVar(&s.page, "page", "", "also replace the last run in this `file`, for example docs/benchmark-analysis.md")
	flags.StringVar(&s.picture, "picture", "", "draw the evidence of a good and of a bad version into this SVG `file`, and make no table")
	flags.BoolVar(&s.check, "check", false, "exit with 1 if a target is missed")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage, analysis.Explain(), "\nThe flags:\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q: it takes flags only, see bench-analysis --help", flags.Arg(0))
	}
	if *only != "" {
		s.Only = strings.Split(*only, ",")
	}
	if err := analysis.Known(s.Only); err != nil {
		return s, fmt.Errorf("-only: %w", err)
	}
	if s.Runs < 1 {
		return s, fmt.Errorf("-runs %d: give at least 1", s.Runs)
	}
	return s, nil
}

func run(args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.picture != "" {
		return os.WriteFile(s.picture, analysis.Picture(s.Seed), 0o644)
	}
	began := time.Now()
	s.Progress = func(line string) {
		fmt.Fprintf(os.Stderr, "%7s  %s\n", time.Since(began).Round(time.Second), line)
	}
	report, err := analysis.Run(s.Options)
	if err != nil {
		return err
	}
	if err := write(report, s.json); err != nil {
		return err
	}
	if s.page != "" {
		if err := report.WritePage(s.page); err != nil {
			return err
		}
	}
	if s.check && len(report.Missed) > 0 {
		return fmt.Errorf("%d targets are missed", len(report.Missed))
	}
	return nil
}

func write(report *analysis.Report, file string) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	switch file {
	case "":
		fmt.Print(report.Text())
		return nil
	case "-":
		fmt.Fprint(os.Stderr, report.Text())
		fmt.Println(string(text))
		return nil
	}
	fmt.Print(report.Text())
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
