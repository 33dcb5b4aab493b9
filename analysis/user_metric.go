package analysis

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/expression"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

const (
	// maxNumbers is how many numbers an answer may have.
	maxNumbers = 1000

	// maxShown is how many numbers of an answer a message shows.
	maxShown = 5
)

// Asked is what a metric that is not built in asks.
type Asked struct {
	Provider string // its name; "": DefaultProvider
	Query    string
	Path     string
	Method   string
	Body     string
	Reduce   provider.Reduce

	value *expression.Expression // makes numbers of the body of an answer; nil: the answer has numbers
	cel   *expression.Expression // instead of Condition; nil: none
}

func (m Metric) providerName() string {
	if m.Asked.Provider == "" {
		return DefaultProvider
	}
	return m.Asked.Provider
}

func (m Metric) question() provider.Question {
	a := m.Asked
	return provider.Question{Query: a.Query, Path: a.Path, Method: a.Method, Body: a.Body, Reduce: a.Reduce}
}

// parse returns the metric that the user wrote, or the several that its name stands for.
func (d documentMetric) parse() ([]Metric, error) {
	bare := documentMetric{
		Name: d.Name, Condition: d.Condition, Margin: d.Margin, FalseAlarm: d.FalseAlarm, AtMost: d.AtMost, Strict: d.Strict,
		WarmUp: d.WarmUp,
	}
	switch {
	case d.Total != "" || d.Good != "" || d.Bad != "":
		m, err := d.comparesOwn()
		return []Metric{m}, err
	case d == bare && (namesComparison(d.Name) || d.Condition != ""):
		return parseItem(d.Name + d.Condition + ": " + d.options())
	case d.options() != "":
		return nil, fmt.Errorf("metric %q: margin, falseAlarm, atMost, strict and warmUp belong to auto, errors, latency, success-rate, "+
			"error-rate, agent-error-rate or a percentile: write for example %s", d.Name, `{name: errors, margin: 20% + 0.05%}`)
	case strings.Contains(d.Condition, "stable"):
		return nil, fmt.Errorf("metric %q: a query cannot be compared with stable: write a query that compares", d.Name)
	}
	m, err := d.parseOne()
	return []Metric{m}, err
}

// options are those of a line.
func (d documentMetric) options() string {
	text := ""
	for _, o := range []struct{ name, value string }{
		{"margin", d.Margin}, {"false-alarm", d.FalseAlarm}, {"at-most", d.AtMost}, {"warm-up", d.WarmUp},
	} {
		if o.value != "" {
			text += o.name + " " + o.value + " "
		}
	}
	if d.Strict {
		text += "strict"
	}
	return text
}

func (d documentMetric) parseOne() (Metric, error) {
	asked := Asked{
		Provider: d.Provider, Query: strings.TrimSpace(d.Query), Path: strings.TrimSpace(d.Path),
		Method: d.Method, Body: d.Body, Reduce: provider.Reduce(d.Reduce),
	}
	if asked == (Asked{}) && d.Value == "" && d.CEL == "" {
		return newMetric(d.Name, d.Condition, evidence.Rule{})
	}
	if asked.Provider == "" && asked.Query == "" && asked.Path == "" {
		return Metric{}, fmt.Errorf("metric %q: method, body, reduce, value and cel belong to a query or a path: write for example %s",
			d.Name, `{name: queue-length, query: "max(queue_length)", cel: "result < 100"}`)
	}
	m := Metric{Name: d.Name, Asked: asked}
	if err := m.compile(d); err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", d.Name, err)
	}
	return m, nil
}

// compile reads the condition of m, in one of its two forms, and its value.
func (m *Metric) compile(d documentMetric) (err error) {
	scope := expression.Numbers
	switch {
	case d.Value != "" && m.Asked.Path == "":
		return errors.New("value is for the body of an answer, so it belongs to a path: a query yields numbers")
	case d.Value != "":
		scope = expression.NumbersAndDocument
		if m.Asked.value, err = expression.Value(d.Value, expression.Document); err != nil {
			return fmt.Errorf("value %w", err)
		}
	case m.Asked.Path != "":
		scope = expression.Document
	}
	switch {
	case d.CEL != "" && d.Condition != "":
		return errors.New("condition and cel exclude each other: write one of them")
	case d.CEL != "":
		if m.Asked.cel, err = expression.Condition(d.CEL, scope); err != nil {
			return fmt.Errorf("cel %w", err)
		}
		return nil
	case scope == expression.Document:
		return errors.New("a condition needs a number: write for example value: body.score, or cel: body.ready instead of the condition")
	}
	m.Condition, err = spec.ParseCondition(d.Condition)
	return err
}

// read makes a reading of what the provider of m returned.
func (m Metric) read(answer provider.Answer) reading {
	r := reading{samples: answer.Numbers, warnings: answer.Warnings, status: answer.Status, body: answer.Body}
	if answer.Status != 0 && answer.Status/100 != 2 && !m.uses("status") {
		r.err = explainSilence(m.providerName(), fmt.Errorf("it answered %d", answer.Status))
		return r
	}
	if answer.Body == nil && m.uses("body") {
		r.err = &silence{m.Name + ": the answer is not JSON"}
		return r
	}
	if m.Asked.value != nil {
		numbers, err := m.Asked.value.Numbers(expression.Values{Status: answer.Status, Body: answer.Body})
		if r.samples = numbers; err != nil {
			r.err = &silence{fmt.Sprintf("%s: value %s", m.Name, err)}
		}
	}
	if len(r.samples) > maxNumbers {
		r.err = provider.Faultf("yields %d numbers, want at most %d", len(r.samples), maxNumbers)
	}
	return r
}

// uses says that an expression of m has a variable. A status that none looks at must be
// 2xx.
func (m Metric) uses(variable string) bool {
	return m.Asked.cel != nil && m.Asked.cel.Uses(variable) || m.Asked.value != nil && m.Asked.value.Uses(variable)
}

// evaluateCEL is evaluate for a metric with an expression instead of a condition.
func (m Metric) evaluateCEL(r reading) finding {
	if r.err != nil {
		return unanswered(m.Name, r.err)
	}
	findings := m.findingsCEL(r)
	worst := slices.MaxFunc(findings, func(a, b finding) int { return severity[a.verdict] - severity[b.verdict] })
	if worst.verdict == rollout.Pass && len(r.warnings) > 0 {
		return finding{rollout.Inconclusive, fmt.Sprintf("%s: incomplete answer: %s", m.Name, r.warnings[0])}
	}
	return worst
}

// findingsCEL are one or more. An expression with result is evaluated for each number, as
// a condition is. Any other is evaluated once, over all numbers or over the document.
func (m Metric) findingsCEL(r reading) []finding {
	each := m.Asked.cel.Uses("result")
	if !each && !m.Asked.cel.Uses("results") {
		return []finding{m.holds(r, 0, fmt.Sprintf("%s: status %d", m.Name, r.status))}
	}
	if len(r.samples) == 0 {
		return []finding{{rollout.Inconclusive, m.Name + ": no data"}}
	}
	var findings []finding
	if slices.ContainsFunc(r.samples, func(v float64) bool { return !finite(v) }) {
		findings = append(findings, finding{rollout.Inconclusive, m.Name + ": not a number"})
	}
	if !each && len(findings) == 0 {
		return []finding{m.holds(r, 0, fmt.Sprintf("%s %.4g", m.Name, r.samples[:min(len(r.samples), maxShown)]))}
	}
	for _, v := range r.samples {
		if each && finite(v) {
			findings = append(findings, m.holds(r, v, fmt.Sprintf("%s %.4g", m.Name, v)))
		}
	}
	return findings
}

// holds evaluates the expression of m with result. text describes what it is about, and
// never a body: whoever reads a message need not be allowed to read that.
func (m Metric) holds(r reading, result float64, text string) finding {
	values := expression.Values{Result: result, Results: r.samples, Status: r.status, Body: r.body}
	holds, err := m.Asked.cel.Holds(values)
	text += ", want " + m.Asked.cel.String()
	switch {
	case err != nil:
		return finding{rollout.Error, m.Name + ": cel " + err.Error()}
	case holds:
		return finding{rollout.Pass, text}
	}
	return finding{rollout.Fail, text}
}
