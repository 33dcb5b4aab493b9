package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/analysis/backtest"
)

// pastOfWeb is a Prometheus with the past of one Service behind ingress-nginx: so many
// requests in a second at noon and less at night, scraped every 15 s.
type pastOfWeb struct {
	end       time.Time
	time      time.Duration // how far back it stores
	perSecond float64
	errors    float64 // share of 5xx
	slow      float64 // share of answers that took longer than 0.5 s
	processes int     // of the ingress controller, each with these requests; 0: one
	bursts    bool    // in the minute after eight in the evening a fifth of all requests fails

	once              sync.Once
	all, failed, late []float64 // counters at each scrape
	queries           []string
}

const scrapeInterval = 15 * time.Second

// count makes the counters. The same ones each time.
func (p *pastOfWeb) count() {
	random := rand.New(rand.NewPCG(1, 2))
	var all, failed, late float64
	begin := p.end.Add(-p.time)
	for at := begin; !at.After(p.end); at = at.Add(scrapeInterval) {
		day := 2 * math.Pi * float64(at.Hour()*60+at.Minute()) / (24 * 60)
		requests := math.Round(p.perSecond * scrapeInterval.Seconds() * (0.6 - 0.4*math.Cos(day)))
		all += requests
		errors := p.errors
		if p.bursts && at.Hour() == 20 && at.Minute() == 0 {
			errors = 0.2
		}
		for range int(requests) {
			switch chance := random.Float64(); {
			case chance < errors:
				failed++
			case chance < errors+p.slow:
				late++
			}
		}
		p.all, p.failed, p.late = append(p.all, all), append(p.failed, failed), append(p.late, late)
	}
}

func (p *pastOfWeb) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	p.once.Do(p.count)
	query := req.FormValue("query")
	p.queries = append(p.queries, query)
	less := func(i int) float64 { return p.all[i] - p.late[i] }
	var result []any
	add := func(label, text string, value func(i int) float64) {
		points := p.points(req, value)
		for n := range max(p.processes, 1) {
			metric := map[string]string{"job": "nginx", "instance": fmt.Sprint(n), "headgate_track": "stable", label: text}
			if len(points) > 0 {
				result = append(result, map[string]any{"metric": metric, "values": points})
			}
		}
	}
	switch {
	case strings.HasPrefix(query, "queue_length"):
		add("queue", "orders", func(i int) float64 { return float64(i % 240) })
	case !strings.Contains(query, `namespace="shop",service="web",canary=""`):
	case strings.Contains(query, "_bucket"):
		add("le", "0.1", func(i int) float64 { return math.Floor(less(i) / 2) })
		add("le", "0.5", less)
		add("le", "5", func(i int) float64 { return p.all[i] })
		add("le", "+Inf", func(i int) float64 { return p.all[i] })
	default:
		add("status", "200", func(i int) float64 { return p.all[i] - p.failed[i] })
		add("status", "503", func(i int) float64 { return p.failed[i] })
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
}

func (p *pastOfWeb) points(req *http.Request, value func(i int) float64) (points []any) {
	number := func(name string) float64 {
		v, _ := strconv.ParseFloat(req.FormValue(name), 64)
		return v
	}
	begin := float64(p.end.Add(-p.time).Unix())
	for at := number("start"); at <= number("end"); at += number("step") {
		if i := int((at - begin) / scrapeInterval.Seconds()); at >= begin && i < len(p.all) {
			points = append(points, []any{at, strconv.FormatFloat(value(i), 'f', -1, 64)})
		}
	}
	return points
}

var midnight = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)

// backtestOf runs the command against p for the last day. The lines of its output are joined.
func backtestOf(t *testing.T, p *pastOfWeb, args ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	var out strings.Builder
	args = append([]string{"backtest", "--prometheus", server.URL, "--source", "ingress-nginx", "--namespace", "shop", "--service", "web",
		"--to", midnight.Format(time.RFC3339), "--last", "1d", "--for", "30m"}, args...)
	err := run(t.Context(), args, map[string]string{}, &out)
	return strings.Join(strings.Fields(out.String()), " "), err
}

func newPastOfWeb() *pastOfWeb {
	return &pastOfWeb{end: midnight, time: 26 * time.Hour, perSecond: 60, errors: 0.001, slow: 0.005}
}

func TestBacktest(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "web.svg")
	p := newPastOfWeb()
	out, err := backtestOf(t, p, "--svg", picture)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"23 rollouts of 30m between 2026-03-04 01:00 and 2026-03-04 23:30 UTC.",
		"errors: no false alarm. At this traffic a fault of +1 point is found in ",
		"p99: no false alarm. At this traffic a fault of +1 point is found in ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	drawn, err := os.ReadFile(picture)
	if err != nil || !strings.HasPrefix(string(drawn), "<svg ") {
		t.Errorf("%v, %.20s", err, drawn)
	}
	if longest := 25 * time.Hour / (5 * time.Second); len(p.queries) < 4 || len(p.queries) > int(longest) {
		t.Errorf("%d queries", len(p.queries))
	}
}

// The same command says the same of the same past.
func TestBacktestAsJSON(t *testing.T) {
	var reports [2]backtest.Report
	for i := range reports {
		out, err := backtestOf(t, newPastOfWeb(), "-o", "json", "--analysis", "errors: false-alarm 2%", "--weight", "25")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out), &reports[i]); err != nil {
			t.Fatal(err)
		}
	}
	first, second := reports[0].Comparisons[0], reports[1].Comparisons[0]
	if first.Rollouts != 23 || first.FalseAlarm != 0.02 || reports[0].Weight != 0.25 || first.Injected.Found != 23 {
		t.Errorf("%+v", first)
	}
	if fmt.Sprint(first.Injected) != fmt.Sprint(second.Injected) {
		t.Errorf("another run has %+v, want %+v", second.Injected, first.Injected)
	}
}

// An answer of more than 4 MiB is refused: then less is asked at once.
func TestBacktestOfManyProcesses(t *testing.T) {
	one, many := newPastOfWeb(), newPastOfWeb()
	many.processes = 8
	var rates []float64
	for _, p := range []*pastOfWeb{one, many} {
		out, err := backtestOf(t, p, "-o", "json", "--analysis", "p99")
		if err != nil {
			t.Fatal(err)
		}
		var report backtest.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		rates = append(rates, report.Comparisons[0].Requests)
	}
	if math.Abs(rates[1]-8*rates[0]) > 1e-6 || len(many.queries) <= len(one.queries) {
		t.Errorf("%v requests in a second, in %d and %d queries", rates, len(one.queries), len(many.queries))
	}
}

func TestBacktestAtReleases(t *testing.T) {
	out, err := backtestOf(t, newPastOfWeb(), "--analysis", "errors", "--at", "2026-03-04T15:00:00Z", "--at", "2026-03-04T09:00:00Z")
	if err != nil || !strings.HasPrefix(out, "2 rollouts of 30m between 2026-03-04 09:00 and 2026-03-04 15:30 UTC. ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The queue has up to 239 in each hour, and more than 200 for its last ten minutes. Of
// another provider nobody knows the past.
func TestBacktestOfConditions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "analysis.yaml")
	const text = `
metrics:
- {name: queue, query: queue_length, condition: "<= 200"}
- {name: pods, query: 'count(up{pod=~"{{canary-pods}}", app="{{canary-track}}"})', condition: "> 0"}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := backtestOf(t, newPastOfWeb(), "--analysis", "@"+file, "--for", "1h")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"queue <= 200, measured in all of stable every 30s: 2760 measurements, ",
		"queue <= 200: with consecutiveFailureLimit 2 it rolls back 23 of 23 healthy versions (2026-03-04 01:00, ",
		`pods > 0: not tested: its query uses {{canary-track}}, which has no value in this rollout.`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestBacktestSaysWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"a flag":      {[]string{"--weights", "3"}, "flag provided but not defined: -weights; headgate backtest --help lists the flags"},
		"an argument": {[]string{"web"}, `unexpected argument "web"; headgate backtest --help lists the flags`},
		"a weight":    {[]string{"--weight", "half"}, `invalid value "half" for flag -weight: want a percentage, e.g. 10%; headgate backtest`},
		"all traffic": {[]string{"--weight", "100"}, "--weight and --inject: want more than 0% and less than 100%"},
		"a time":      {[]string{"--last", "soon"}, `invalid value "soon" for flag -last: want a time, e.g. 1h or 30d`},
		"no rollout":  {[]string{"--last", "10m"}, "no rollout of 30m fits into the past of 10m: try --last 7d"},
		"an analysis": {[]string{"--analysis", "eror"}, `--analysis: "eror" has no condition`},
		"a ConfigMap": {[]string{"--analysis", "configmap/web"}, "--analysis configmap/web: the command reads no cluster: write "},
		"a recipe": {
			[]string{"--analysis", "recipe/web, limit=1%"}, "--analysis recipe/web, limit=1%: the command reads no cluster: write ",
		},
		"a source":       {[]string{"--source", "envoy"}, `HEADGATE_METRICS_SOURCE="envoy": want a string, e.g. ingress-nginx.`},
		"a format":       {[]string{"-o", "yaml"}, "-o yaml: want table or json"},
		"no Service":     {[]string{"--service", ""}, "--namespace and --service are required"},
		"no Prometheus":  {[]string{"--prometheus", ""}, "--prometheus is required, e.g. --prometheus http://localhost:9090"},
		"a track":        {[]string{"--track", "web"}, "--track web: want a label and its value, e.g. app=web"},
		"a short time":   {[]string{"--for", "5s"}, "--for and --every: want at least 1m"},
		"nothing stored": {[]string{"--service", "other"}, "nothing can be tested: stable has no requests in Prometheus at any "},
		"a file":         {[]string{"--svg", "/nowhere/web.svg"}, "--svg: open /nowhere/web.svg: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := backtestOf(t, newPastOfWeb(), append([]string{"--analysis", "errors"}, tt.args...)...)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

const (
	analysisPage    = "../../docs/analysis.md"
	backtestPicture = "../../docs/analysis-backtest.svg"
)

// docs/analysis.md shows a run of the command, and the picture that it draws.
func TestAnalysisPageShowsABacktest(t *testing.T) {
	server := httptest.NewServer(&pastOfWeb{end: midnight, time: 8 * 24 * time.Hour, perSecond: 60, errors: 0.002, slow: 0.008, bursts: true})
	t.Cleanup(server.Close)
	picture := filepath.Join(t.TempDir(), "web.svg")
	var out strings.Builder
	err := run(t.Context(), []string{"backtest", "--namespace", "shop", "--service", "web", "--last", "7d", "--svg", picture,
		"--to", midnight.Format(time.RFC3339)}, map[string]string{
		"HEADGATE_PROMETHEUS_ADDRESS": server.URL, "HEADGATE_METRICS_SOURCE": "ingress-nginx",
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := "```console\n$ headgate backtest --namespace shop --service web --last 7d --svg web.svg\n" + out.String() + "```\n"
	checkPart(t, analysisPage, "back-test", want)
	golden.Assert(t, read(t, picture), filepath.Join("..", backtestPicture))
}

func TestBacktestHelpNamesEveryFlag(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"backtest", "--help"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--namespace name\n", "-o format\n", "--weight percentage\n", "(default 1h)"} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("no %q in\n%s", flag, out.String())
		}
	}
}
