package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/backtest"
	"github.com/headgate/headgate/rollout"
)

const backtestUsage = `Usage: headgate backtest --namespace NAME --service NAME [flags]

Tries an analysis on the past, before it judges a release. In each hour of the past a rollout
begins, and a part of stable's own requests is its canary. Such a canary is healthy, so whenever
the analysis rolls back, that is a false alarm. Then some of the canary's good answers are turned
into bad ones, and the time until they are found is measured.

It reads counters of the ingress controller from Prometheus, and writes nothing anywhere:

  kubectl -n monitoring port-forward service/prometheus 9090 &
  headgate backtest --prometheus http://localhost:9090 --source ingress-nginx \
    --namespace shop --service web --last 30d --svg web.svg

  headgate backtest ... --analysis 'errors: margin 10% + 0.05%'     another margin
  headgate backtest ... --weight 25 --inject 0.5%                   more traffic, a smaller fault
  headgate backtest ... --analysis @analysis.yaml                   an analysis in a file

The variables HEADGATE_PROMETHEUS_ADDRESS, HEADGATE_METRICS_SOURCE, HEADGATE_QUERY_TIMEOUT (here 1m
by default), HEADGATE_NAMESPACE_LABEL and HEADGATE_PROVIDERS_FILE mean what they mean for the manager:
headgate --help explains them. The file says how to log in to Prometheus.

Flags:
`

// backtestFlags are the flags of headgate backtest.
type backtestFlags struct {
	prometheus, source           string
	namespace, deployment        string
	service, port                string
	ingresses                    texts
	track, analysis, output, svg string
	last, every, length          period
	to                           moment
	at                           moments
	weight, inject               share
	seed                         uint64
}

// newBacktestFlags returns the flags with their defaults, and where they are read.
func newBacktestFlags() (*backtestFlags, *flag.FlagSet) {
	f := &backtestFlags{
		last: period(7 * 24 * time.Hour), every: period(time.Hour), length: period(time.Hour), weight: 0.1, inject: 0.01,
	}
	set := flag.NewFlagSet("headgate backtest", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.prometheus, "prometheus", "", "`URL` of Prometheus (HEADGATE_PROMETHEUS_ADDRESS)")
	set.StringVar(&f.source, "source", "", "the `name` of the ingress controller: ingress-nginx or traefik (HEADGATE_METRICS_SOURCE)")
	set.StringVar(&f.namespace, "namespace", "", "the `name` of the Deployment's namespace")
	set.StringVar(&f.deployment, "deployment", "", "the `name` of the Deployment, for queries of your own (default the name of the Service)")
	set.StringVar(&f.service, "service", "", "the `name` of its first Service")
	set.StringVar(&f.port, "service-port", "80", "the `port` of the Service as the Ingress has it")
	set.Var(&f.ingresses, "ingress", "the `name` of an Ingress, once for each (default the name of the Service)")
	set.StringVar(&f.track, "track", "", "`LABEL=VALUE` of stable's pods, for metrics of your own, e.g. app=web")
	set.StringVar(&f.analysis, "analysis", "auto", "`text` of headgate.dev/analysis, or @file")
	set.Var(&f.last, "last", "`time` to look back from --to")
	set.Var(&f.to, "to", "`end` of the past, e.g. 2026-03-04T12:00:00Z (default now)")
	set.Var(&f.every, "every", "`time` between the beginnings of two rollouts")
	set.Var(&f.at, "at", "`begin` of one rollout, once for each, e.g. of past releases, instead of --last, --to and --every")
	set.Var(&f.length, "for", "`time` that each rollout takes")
	set.Var(&f.weight, "weight", "`percentage` of the requests that go to the canary")
	set.Var(&f.inject, "inject", "`percentage` of the canary's good answers to turn into bad ones")
	set.Uint64Var(&f.seed, "seed", 1, "`number`; the same one chooses the same requests")
	set.StringVar(&f.output, "o", "table", "`format`: table or json")
	set.StringVar(&f.svg, "svg", "", "`file` to draw a picture into")
	return f, set
}

// runBacktest is the command headgate backtest. It tells progress how far it is.
func runBacktest(ctx context.Context, args []string, environ map[string]string, out, progress io.Writer) error {
	f, set := newBacktestFlags()
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return writeUsage(out, backtestUsage, set)
	case err != nil:
		return fmt.Errorf("%w; headgate backtest --help lists the flags", err)
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; headgate backtest --help lists the flags", set.Arg(0))
	}
	if err := f.check(); err != nil {
		return err
	}
	times, err := f.times(time.Now())
	if err != nil {
		return err
	}
	past, err := f.past(ctx, environ)
	if err != nil {
		return err
	}
	say := tell(progress, len(times))
	report, err := backtest.Run(ctx, past, backtest.Options{
		At: times, Length: time.Duration(f.length), Weight: float64(f.weight), Inject: float64(f.inject), Seed: f.seed, Progress: say,
	})
	if err != nil {
		return err
	}
	if f.svg != "" {
		if err := os.WriteFile(f.svg, report.Picture(f.service+" in "+f.namespace), 0o644); err != nil {
			return fmt.Errorf("--svg: %w", err)
		}
	}
	if f.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	return report.Write(out)
}

// check says which flags have a value that cannot be used.
func (f *backtestFlags) check() error {
	switch {
	case f.namespace == "" || f.service == "":
		return errors.New("--namespace and --service are required, e.g. --namespace shop --service web")
	case f.output != "table" && f.output != "json":
		return fmt.Errorf("-o %s: want table or json", f.output)
	case f.length < period(time.Minute) || f.every < period(time.Minute):
		return errors.New("--for and --every: want at least 1m, e.g. --for 1h --every 1h")
	case f.inject <= 0 || f.inject >= 1 || f.weight <= 0 || f.weight >= 1:
		return errors.New("--weight and --inject: want more than 0% and less than 100%, e.g. --weight 10 --inject 1%")
	}
	return nil
}

// times are when rollouts begin. Those that are apart by every are on whole hours, or what
// every is, so that the same command says the same of the same past.
func (f *backtestFlags) times(now time.Time) ([]time.Time, error) {
	if len(f.at) > 0 {
		return f.at, nil
	}
	to := time.Time(f.to)
	if to.IsZero() {
		to = now
	}
	every, length := time.Duration(f.every), time.Duration(f.length)
	from := to.Add(-time.Duration(f.last)).Truncate(every).Add(every)
	times := backtest.Hourly(from, to, every, length)
	if len(times) == 0 {
		return nil, fmt.Errorf("no rollout of %s fits into the past of %s: try --last 7d", &f.length, &f.last)
	}
	return times, nil
}

// past reads the analysis and finds the provider.
func (f *backtestFlags) past(ctx context.Context, environ map[string]string) (*analysis.Past, error) {
	settings := map[string]string{"HEADGATE_QUERY_TIMEOUT": "1m"}
	maps.Copy(settings, environ)
	settings["HEADGATE_NAMESPACE"] = f.namespace // of the manager, which does not run here
	for variable, value := range map[string]string{"HEADGATE_PROMETHEUS_ADDRESS": f.prometheus, "HEADGATE_METRICS_SOURCE": f.source} {
		if value != "" {
			settings[variable] = value
		}
	}
	cfg, err := parseConfig(settings)
	if err != nil {
		return nil, err
	}
	if cfg.PrometheusAddress == "" && cfg.ProvidersFile == "" {
		return nil, errors.New("--prometheus is required, e.g. --prometheus http://localhost:9090")
	}
	providers, err := newProviders(cfg)
	if err != nil {
		return nil, err
	}
	text, err := f.text()
	if err != nil {
		return nil, err
	}
	judge := analysis.New(providers, nil, analysis.Options{Source: cfg.MetricsSource})
	resolved, err := judge.Resolve(ctx, f.namespace, text)
	if err != nil {
		return nil, fmt.Errorf("--analysis: %w", err)
	}
	subject, err := f.subject()
	if err != nil {
		return nil, err
	}
	return resolved.Past(subject)
}

// text is the annotation. A ConfigMap is in a cluster, and the command does not read one.
func (f *backtestFlags) text() (string, error) {
	text := f.analysis
	if file, ok := strings.CutPrefix(text, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--analysis: %w", err)
		}
		text = string(content)
	}
	parsed, err := analysis.Parse(text)
	if err != nil {
		return "", fmt.Errorf("--analysis: %w", err)
	}
	if parsed.ConfigMap != "" {
		return "", fmt.Errorf("--analysis %s: the command reads no cluster: write the key analysis of the ConfigMap into a file, with values in "+
			"place of its parameters, and pass --analysis @FILE: kubectl get configmap %s -o jsonpath={.data.analysis} >FILE",
			strings.TrimSpace(text), parsed.ConfigMap)
	}
	return text, nil
}

// subject has the names of a rollout as Headgate gives them.
func (f *backtestFlags) subject() (rollout.Subject, error) {
	ingresses := f.ingresses
	if len(ingresses) == 0 {
		ingresses = texts{f.service}
	}
	deployment := cmp.Or(f.deployment, f.service)
	s := rollout.Subject{
		Namespace: f.namespace, Deployment: deployment, CanaryDeployment: deployment + "-canary",
		Service: f.service, CanaryService: f.service + "-canary", ServicePort: f.port,
		Ingress: ingresses[0], Ingresses: ingresses, CanaryIngress: ingresses[0] + "-canary",
		Weight: max(1, int(100*f.weight+0.5)),
	}
	if f.track == "" {
		return s, nil
	}
	label, value, ok := strings.Cut(f.track, "=")
	if !ok || label == "" || value == "" {
		return s, fmt.Errorf("--track %s: want a label and its value, e.g. app=web", f.track)
	}
	s.TrackLabel, s.StableTrack, s.CanaryTrack = label, value, value+"-canary"
	return s, nil
}

// tell returns a function that says how many rollouts are done, if w is a terminal.
func tell(w io.Writer, total int) func(done int) {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(done int) {
		fmt.Fprintf(w, "\r%d of %d rollouts", done, total)
		if done == total {
			fmt.Fprint(w, "\r\033[K")
		}
	}
}

// The types of flags. Each reads what a person writes, and says what it wants.

// texts is a flag that may be there several times.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

// period is a time such as 1h or 30d.
type period time.Duration

func (p *period) String() string {
	if *p == 0 {
		return ""
	}
	return model.Duration(*p).String()
}

func (p *period) Set(s string) error {
	d, err := model.ParseDuration(s)
	if err != nil {
		return errors.New("want a time, e.g. 1h or 30d")
	}
	*p = period(d)
	return nil
}

// moment is a point of time. The zero value is none.
type moment time.Time

func (m *moment) String() string {
	if time.Time(*m).IsZero() {
		return ""
	}
	return time.Time(*m).Format(time.RFC3339)
}

func (m *moment) Set(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("want a time with its zone, e.g. 2026-03-04T12:00:00Z")
	}
	*m = moment(t)
	return nil
}

// moments are in the order of time.
type moments []time.Time

func (m *moments) String() string { return "" }

func (m *moments) Set(s string) error {
	var one moment
	if err := one.Set(s); err != nil {
		return err
	}
	at := len(*m)
	for at > 0 && (*m)[at-1].After(time.Time(one)) {
		at--
	}
	*m = append((*m)[:at], append(moments{time.Time(one)}, (*m)[at:]...)...)
	return nil
}

// share is a percentage with or without its sign: 10 and 10% are 0.1.
type share float64

func (s *share) String() string { return strconv.FormatFloat(100*float64(*s), 'g', -1, 64) + "%" }

func (s *share) Set(text string) error {
	percentage, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(percentage >= 0 && percentage <= 100) {
		return errors.New("want a percentage, e.g. 10%")
	}
	*s = share(percentage / 100)
	return nil
}
