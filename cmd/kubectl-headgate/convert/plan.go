package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/analysis/provider/web"
	"github.com/headgate/headgate/rollout/spec"
)

// plan is what the annotations of the Deployment are to say. Each part of it was read by the parser of Headgate.
type plan struct {
	strategy         spec.Strategy
	steps            []spec.Step
	services         []string
	ingresses        []string
	gates            []gate
	analysis         rules
	progressDeadline time.Duration
	rollbackWindow   int
}

// rules are an analysis in YAML.
type rules struct {
	StartingStep int      `yaml:"startingStep,omitempty"`
	FailureLimit *int     `yaml:"failureLimit,omitempty"`
	ErrorLimit   int      `yaml:"errorLimit,omitempty"`
	Metrics      []metric `yaml:"metrics"`
}

// metric is a metric of an analysis in YAML. The order of the fields is that of the output.
type metric struct {
	Name              string `yaml:"name"`
	Provider          string `yaml:"provider,omitempty"`
	Query             string `yaml:"query,omitempty"`
	Path              string `yaml:"path,omitempty"`
	Method            string `yaml:"method,omitempty"`
	Body              string `yaml:"body,omitempty"`
	Reduce            string `yaml:"reduce,omitempty"`
	Value             string `yaml:"value,omitempty"`
	Condition         string `yaml:"condition,omitempty"`
	CEL               string `yaml:"cel,omitempty"`
	Interval          string `yaml:"interval,omitempty"`
	InitialDelay      string `yaml:"initialDelay,omitempty"`
	FailureLimit      *int   `yaml:"failureLimit,omitempty"`
	InconclusiveLimit int    `yaml:"inconclusiveLimit,omitempty"`
	OnInconclusive    string `yaml:"onInconclusive,omitempty"`
	DryRun            bool   `yaml:"dryRun,omitempty"`
}

// isBuiltIn says that the metric asks nothing of its own.
func (m metric) isBuiltIn() bool { return m.Query == "" && m.Path == "" }

// gate is a gate in YAML.
type gate struct {
	Before  spec.GatePoint `yaml:"before"`
	URL     string         `yaml:"url"`
	Timeout string         `yaml:"timeout,omitempty"`
	Retries int            `yaml:"retries,omitempty"`
}

// maxMetrics is what package analysis accepts.
const maxMetrics = 20

// add adds a step that the parser of Headgate accepts at this place. It returns what the parser says.
func (p *plan) add(word string) error {
	word = strings.TrimSpace(word)
	written := "0%, " + word
	if strings.HasPrefix(word, "- ") {
		written = "- 0%\n" + word
	}
	steps, err := spec.ParseSteps(written)
	if err != nil {
		return err
	}
	next := append(p.steps[:len(p.steps):len(p.steps)], steps[1:]...)
	weighted := append([]spec.Step{{Kind: spec.SetWeight}}, next...)
	if err := spec.CheckSteps(weighted); err != nil {
		return err
	}
	p.steps = next
	return nil
}

// addMetric adds a metric that the parsers of Headgate accept. It returns what they say.
func (p *plan) addMetric(m metric) error {
	if len(p.analysis.Metrics) == maxMetrics {
		return fmt.Errorf("an analysis has at most %d metrics: join several into one query", maxMetrics)
	}
	if err := checkMetric(m); err != nil {
		return err
	}
	p.analysis.Metrics = append(p.analysis.Metrics, m)
	return nil
}

// checkMetric is what the webhook of Headgate says about a metric. The language of a query to other providers than
// Prometheus is checked by none.
func checkMetric(m metric) error {
	text, err := yaml.Marshal(rules{Metrics: []metric{m}})
	if err != nil {
		return err
	}
	if err := analysis.Check(string(text)); err != nil {
		return err
	}
	q := provider.Question{Query: strings.TrimSpace(m.Query), Path: m.Path, Method: m.Method, Body: m.Body, Reduce: provider.Reduce(m.Reduce)}
	switch {
	case m.isBuiltIn():
		return nil
	case m.Path != "":
		return new(web.Provider).Check(q)
	case m.Provider == "":
		return prometheus.None().Check(q)
	}
	return provider.CheckQuery(q, m.Provider, "…", true)
}

// addGate adds a gate that the parser of Headgate accepts. It returns what the parser says.
func (p *plan) addGate(g gate) error {
	all := append(p.gates[:len(p.gates):len(p.gates)], g)
	if _, err := spec.ParseGates(gatesText(all)); err != nil {
		return err
	}
	p.gates = all
	return nil
}

// gatesText is one line, or a list where a gate has times of its own.
func gatesText(gates []gate) string {
	var words []string
	for _, g := range gates {
		if g.Timeout != "" || g.Retries > 0 || strings.ContainsAny(g.URL, ", \t") {
			return encodeYAML(gates)
		}
		words = append(words, string(g.Before)+" "+g.URL)
	}
	return strings.Join(words, ", ")
}

// text is one line where only conditions on built-in metrics are asked for.
func (r rules) text() string {
	line := r.StartingStep == 0 && r.FailureLimit == nil && r.ErrorLimit == 0
	var words []string
	for _, m := range r.Metrics {
		words = append(words, m.Name+" "+m.Condition)
		line = line && m == metric{Name: m.Name, Condition: m.Condition}
	}
	if line {
		return strings.Join(words, ", ")
	}
	return encodeYAML(r)
}

func encodeYAML(v any) string {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		panic(err) // cannot happen: the types are ours
	}
	return b.String()
}

// annotation is one that Headgate reads.
type annotation struct{ key, value string }

// annotations are those of the plan. An error is a fault of this package.
func (p *plan) annotations() ([]annotation, error) {
	all := []annotation{{spec.AnnotationStrategy, string(p.strategy)}, {spec.AnnotationSteps, spec.FormatSteps(p.steps)}}
	add := func(key, value string) {
		if value != "" {
			all = append(all, annotation{key, value})
		}
	}
	if len(p.analysis.Metrics) > 0 {
		add(spec.AnnotationAnalysis, p.analysis.text())
	}
	if len(p.gates) > 0 {
		add(spec.AnnotationGates, gatesText(p.gates))
	}
	add(spec.AnnotationService, strings.Join(p.services, ","))
	add(spec.AnnotationIngress, strings.Join(p.ingresses, ","))
	if p.progressDeadline > 0 {
		add(spec.AnnotationProgressDeadline, spec.FormatDuration(p.progressDeadline))
	}
	if p.rollbackWindow > 0 {
		add(spec.AnnotationRollbackWindow, strconv.Itoa(p.rollbackWindow))
	}
	return all, p.check(all)
}

func (p *plan) check(all []annotation) error {
	written := map[string]string{}
	for _, a := range all {
		written[a.key] = a.value
	}
	_, err := spec.ParseSpec(written)
	return errors.Join(err, analysis.Check(written[spec.AnnotationAnalysis]))
}
