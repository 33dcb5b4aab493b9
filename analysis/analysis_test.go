package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func condition(t interface{ Fatal(...any) }, text string) spec.Condition {
	c, err := spec.ParseCondition(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// threeInARow are the settings of a question of the user's without any.
var threeInARow = settings{consecutive: ptr.To(2)}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		text string
		want Analysis
	}{
		"One line names built-in metrics and gets every default": {
			text: "success-rate >= 100%, p99 > 1ms",
			want: Analysis{
				Plan:        rollout.AnalysisPlan{Interval: 30 * time.Second, NeedsTraffic: true},
				MinRequests: 10,
				Metrics: []Metric{
					{Name: "success-rate", Condition: condition(t, ">= 100%"), builtIn: successRate{}},
					{Name: "p99", Condition: condition(t, "> 1ms"), builtIn: percentile{99}},
				},
			},
		},
		"A limit is judged by counting": {
			text: "success-rate >= 99%, p99 < 0.5s: false-alarm 0.1% strict",
			want: Analysis{
				Plan: rollout.AnalysisPlan{Interval: 5 * time.Second, NeedsTraffic: true},
				Metrics: []Metric{
					{Name: "success-rate", compared: &comparison{asked: condition(t, ">= 99%"),
						rule: evidence.Rule{Ratio: 1.2, Points: .0005, Bound: .01, FalseAlarm: .01, Metrics: 2}}},
					{Name: "p99", compared: &comparison{asked: condition(t, "< 0.5s"), quantile: .99, seconds: .5,
						rule: evidence.Rule{Ratio: 1.2, Points: .0005, Bound: .01, Strict: true, FalseAlarm: .001, Metrics: 2}}},
				},
			},
		},
		"A line break separates like a comma, and a trailing one is nothing": {
			text: "\n error-rate>1%\np50 > 0.2s,\n",
			want: Analysis{
				Plan:        rollout.AnalysisPlan{Interval: 30 * time.Second, NeedsTraffic: true},
				MinRequests: 10,
				Metrics: []Metric{
					{Name: "error-rate", Condition: condition(t, "> 1%"), builtIn: errorRate{}},
					{Name: "p50", Condition: condition(t, "> 0.2s"), builtIn: percentile{50}},
				},
			},
		},
		"The same metric may have two bounds": {
			text: "p50 > 1ms, p50 != 1s",
			want: Analysis{
				Plan:        rollout.AnalysisPlan{Interval: 30 * time.Second, NeedsTraffic: true},
				MinRequests: 10,
				Metrics: []Metric{
					{Name: "p50", Condition: condition(t, "> 1ms"), builtIn: percentile{50}},
					{Name: "p50", Condition: condition(t, "!= 1s"), builtIn: percentile{50}},
				},
			},
		},
		"YAML sets every field": {
			text: `
interval: 1m30s
startingStep: 3
failureLimit: 2
inconclusiveLimit: 5
errorLimit: 4
minRequests: 50
metrics:
- name: queue
  query: max(queue_length{namespace="{{namespace}}"})
  condition: "< 100"
- name: p95
  condition: "> 1ms"
`,
			want: Analysis{
				Plan: rollout.AnalysisPlan{
					Interval: 90 * time.Second, StartingStep: 3, FailureLimit: 2, InconclusiveLimit: 5, ErrorLimit: 4,
				},
				MinRequests: 50,
				Metrics: []Metric{
					{Name: "queue", Asked: Asked{Query: `max(queue_length{namespace="{{namespace}}"})`}, Condition: condition(t, "< 100")},
					{Name: "p95", Condition: condition(t, "> 1ms"), builtIn: percentile{95}},
				},
			},
		},
		"YAML on one line, and no minimum of requests where only queries of the user's are asked": {
			text: `{metrics: [{name: up, query: "min(up)", condition: "== 1"}]}`,
			want: Analysis{
				Plan:    rollout.AnalysisPlan{Interval: 30 * time.Second},
				Metrics: []Metric{{Name: "up", Asked: Asked{Query: "min(up)"}, Condition: condition(t, "== 1"), settings: threeInARow}},
			},
		},
		"A query replaces the built-in metric of that name and its unit": {
			text: `{metrics: [{name: p99, query: "max(p99_millis)", condition: "<= 500"}]}`,
			want: Analysis{
				Plan: rollout.AnalysisPlan{Interval: 30 * time.Second},
				Metrics: []Metric{{
					Name: "p99", Asked: Asked{Query: "max(p99_millis)"}, Condition: condition(t, "<= 500"), settings: threeInARow,
				}},
			},
		},
		"A minimum of 0 requests is not the default": {
			text: `{minRequests: 0, metrics: [{name: p99, condition: "> 1s"}]}`,
			want: Analysis{
				Plan:    rollout.AnalysisPlan{Interval: 30 * time.Second, NeedsTraffic: true},
				Metrics: []Metric{{Name: "p99", Condition: condition(t, "> 1s"), builtIn: percentile{99}}},
			},
		},
		"A reference": {
			text: " configmap/web.analysis \n",
			want: Analysis{ConfigMap: "web.analysis"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			inside := cmp.AllowUnexported(spec.Condition{}, Metric{}, Asked{}, percentile{}, comparison{}, settings{})
			if diff := cmp.Diff(tt.want, got, inside); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

var onlyPrometheus = Providers{DefaultProvider: prometheus.None()}

func TestParseErrors(t *testing.T) {
	const (
		line   = "write for example success-rate >= 99%, p99 <= 500ms"
		doc    = `write for example {interval: 1m, metrics: [{name: p99, condition: "<= 500ms"}]}`
		quotes = " (put quotes around a condition)"
		number = `want an operator (< <= > >= == !=) and a number with an optional unit (%, ms, s, Mi, Gi): write for example "<= 500ms"`
		query  = `write for example sum(rate(http_requests_total{namespace="{{namespace}}", code=~"5.."}[{{window}}]))`
		fields = "the fields are " + knownFields
	)
	builtins := "the built-in metrics are " + strings.Join(builtInNames(), ", ") + "; another metric needs a query: " +
		`write for example {metrics: [{name: queue-length, query: "max(queue_length)", condition: "< 100"}]}`
	const vars = "the variables are canary-deployment, canary-ingress, canary-pods, canary-replicaset, canary-service, canary-track, " +
		"deployment, ingress, namespace, rollout, service, service-port, stable-track, track-label, weight, window, window-seconds"
	tests := map[string]struct{ text, want string }{
		"nothing":                  {"", "no metric is named: " + line},
		"only separators":          {",\n,", "no metric is named: " + line},
		"a name alone":             {"success-rate", `"success-rate" has no condition: ` + line + "; or auto"},
		"the second part is wrong": {"p99 < 1s, fast", `"fast" has no condition: ` + line + "; or auto"},
		"an unknown metric":        {"succes-rate >= 99%", `unknown metric "succes-rate": ` + builtins},
		"no metric before a bound": {">= 99%", `unknown metric "": ` + builtins},
		"an unknown operator":      {"p99 =< 500ms", `metric "p99": condition "=< 500ms": ` + number},
		"bytes without a unit": {
			"memory <= 500", `metric "memory": the condition "<= 500" does not fit: write for example memory <= 1.3 * stable`,
		},
		"a rate in percent": {
			"request-rate >= 5%", `metric "request-rate": want requests in a second, not ">= 5%": write for example request-rate >= 5`,
		},
		"a unit nobody has": {"p99 <= 5m", `metric "p99": condition "<= 5m": ` + number},
		"a bound without end": {
			"p99 <= " + strings.Repeat("9", 400) + "s",
			`metric "p99": condition "<= ` + strings.Repeat("9", 400) + `s": ` + number,
		},
		"a latency without a unit": {
			"p99 <= 500",
			`metric "p99": want a time of 0 or more, in ms or s, not "<= 500": write for example p99 <= 500ms`,
		},
		"a share above one": {
			"success-rate >= 99",
			`metric "success-rate": want a bound between 0% and 100%, not ">= 99": write for example success-rate >= 99%`,
		},
		"a share in milliseconds": {
			"error-rate < 1ms",
			`metric "error-rate": want a bound between 0% and 100%, not "< 1ms": write for example error-rate <= 1%`,
		},
		"a ConfigMap without a name": {"configmap/", `"" is not the name of a ConfigMap: write for example configmap/web-analysis`},
		"a ConfigMap elsewhere": {
			"configmap/other/web",
			`"other/web" is not the name of a ConfigMap: write for example configmap/web-analysis`,
		},
		"a colon in a line": {"success-rate: >= 99%", `metric "success-rate": unknown option ">= 99%": ` +
			"the options are margin, false-alarm, at-most, strict and warm-up: write for example " + comparisonExample + "; or " + limitExample},
		"an unknown field":            {"intervall: 30s", `unknown field "intervall": ` + fields},
		"an unknown field of metrics": {"metrics: [{nam: p99}]", `unknown field "nam": ` + fields},
		"a field twice": {
			"interval: 1m\ninterval: 2m",
			`yaml: unmarshal errors: line 2: key "interval" already set in map: ` + doc + quotes,
		},
		"a condition without quotes": {
			"metrics:\n- name: p99\n  condition: >= 99%",
			"yaml: line 3: did not find expected comment or line break: " + doc + quotes,
		},
		"a number for a duration": {"interval: 30", `interval "30" is not a duration: write for example interval: 30s`},
		"a list for a duration":   {"interval: [30s]", `interval cannot be of type array: ` + doc},
		"a word for a number":     {"failureLimit: none", `failureLimit cannot be of type string: ` + doc},
		"a list":                  {"- name: p99", `the analysis cannot be of type array: ` + doc},
		"no duration":             {"interval: soon", `interval "soon" is not a duration: write for example interval: 30s`},
		"too often":               {"interval: 500ms", `interval "500ms" is shorter than 1s: write for example interval: 30s`},
		"backwards":               {"interval: -1m", `interval "-1m" is shorter than 1s: write for example interval: 30s`},
		"a step that cannot exist": {
			"startingStep: 101",
			`startingStep is 101, want 0..100: write for example startingStep: 2 (the first step is 0)`,
		},
		"a step before the first": {
			"startingStep: -1",
			`startingStep is -1, want 0..100: write for example startingStep: 2 (the first step is 0)`,
		},
		"a weight for a step":  {`startingStep: "25%"`, `startingStep cannot be of type string: ` + doc},
		"a negative limit":     {"errorLimit: -1", `errorLimit is -1, want 0 or more: write for example errorLimit: 3`},
		"a negative minimum":   {"minRequests: -1", `minRequests is -1, want 0 or more: write for example minRequests: 3`},
		"YAML without metrics": {"interval: 1m", "no metric is named: " + line},
		"a metric without a name": {
			`metrics: [{condition: "< 1"}]`,
			`metric name "": use letters, digits, - _ and ., for example name: queue-length`,
		},
		"a name of two lines": {
			`metrics: [{name: "a\nb", condition: "< 1"}]`,
			`metric name "a\nb": use letters, digits, - _ and ., for example name: queue-length`,
		},
		"a metric without a query":   {`metrics: [{name: queue, condition: "< 1"}]`, `unknown metric "queue": ` + builtins},
		"a metric without condition": {`metrics: [{name: queue, query: up}]`, `metric "queue": condition "": ` + number},
		"an unknown variable": {
			`metrics: [{name: q, query: 'x{a="{{pod}}"}', condition: "< 1"}]`,
			`metric "q": unknown variable "{{pod}}": ` + vars,
		},
		"a template program": {
			`metrics: [{name: q, query: '{{range .}}x{{end}}', condition: "< 1"}]`,
			`metric "q": unknown variable "{{range .}}": ` + vars,
		},
		"PromQL that does not parse": {
			`metrics: [{name: q, query: 'sum(rate(x{a="{{namespace}}"}[1m])', condition: "< 1"}]`,
			`metric "q": query does not parse at 1:35: parse error: unclosed left parenthesis: ` + query,
		},
		"a range instead of a number": {
			`metrics: [{name: q, query: 'x[{{window}}]', condition: "< 1"}]`,
			`metric "q": query yields a range vector, want a number or a vector: ` + query,
		},
		"a text instead of a number": {
			`metrics: [{name: q, query: '"x"', condition: "< 1"}]`,
			`metric "q": query yields a string, want a number or a vector: ` + query,
		},
		"an experimental function": {
			`metrics: [{name: q, query: 'info(x)', condition: "< 1"}]`,
			`metric "q": query does not parse at 1:1: parse error: function "info" is not enabled: ` + query,
		},
		"a query too long to parse": {
			`metrics: [{name: q, query: '` + strings.Repeat("-x+", 1400) + `x', condition: "< 1"}]`,
			`metric "q": query has 4201 bytes, want at most 4096: write a shorter PromQL query`,
		},
		"more metrics than allowed": {
			strings.Repeat("p99 < 1s,", 21),
			"21 metrics are named, want at most 20: join several into one query",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := onlyPrometheus.Check(tt.text)
			if err == nil && tt.text == "" {
				_, err = Parse(tt.text) // of which Check says that there is no analysis
			}
			if err == nil {
				t.Fatalf("Parse(%q) accepted it", tt.text)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckAcceptsNoAnalysis(t *testing.T) {
	if err := Check(" \n"); err != nil {
		t.Error(err)
	}
	if err := Check("configmap/Web"); err == nil {
		t.Error("an invalid name passed")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", lineExample, yamlExample, "configmap/web", "a: &a [*a]", "p99 <= 500ms, x",
		`{metrics: [{name: q, query: "` + strings.Repeat("(", 100) + `", condition: "< 1"}]}`,
		`{metrics: [{name: q, query: 'label_{{track-label}}{x="{{ window }}"}[{{window}}:]', condition: "< 1"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil || onlyPrometheus.check(a) != nil {
			return
		}
		if a.ConfigMap == "" && (len(a.Metrics) == 0 || a.Plan.Interval < MinInterval) {
			t.Errorf("Parse(%q) = %+v", text, a)
		}
		for _, m := range a.Metrics {
			if m.Condition == (spec.Condition{}) && m.Asked.cel == nil && m.compared == nil {
				t.Errorf("Parse(%q): metric %q has no condition", text, m.Name)
			}
		}
	})
}
