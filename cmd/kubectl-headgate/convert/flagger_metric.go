package convert

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// flaggerMetrics reads the metrics of a Canary.
func (c *conversion) flaggerMetrics(list field) {
	for _, f := range list.items() {
		before := c.snapshot()
		if err := c.flaggerMetric(f); err != nil {
			c.restore(before) // what is said of a part of it means nothing now
			f.lost("%s", strings.TrimSuffix(err.Error(), "."))
		}
	}
}

func (c *conversion) flaggerMetric(f field) error {
	name := f.at("name").text()
	ref, query := f.at("templateRef"), f.at("query")
	switch {
	case ref.there():
		return c.flaggerTemplate(f, ref)
	case query.there():
		m := metric{Name: c.freeName(name), Interval: f.at("interval").text()}
		return c.flaggerQuery(f, query, m)
	case name == "request-success-rate" || name == "request-duration":
		return c.flaggerBuiltIn(f, name)
	}
	return fmt.Errorf("%q is no metric of Flagger, and it has neither a templateRef nor a query", name)
}

// flaggerBuiltIn reads the two metrics that Flagger has itself.
func (c *conversion) flaggerBuiltIn(f field, name string) error {
	least, most := f.at("thresholdRange", "min"), f.at("thresholdRange", "max")
	f.at("interval").unneeded("every answer is counted, from the beginning of the rollout")
	m := metric{Name: "success-rate"}
	switch name {
	case "request-success-rate":
		if !least.there() {
			least = f.at("threshold")
		}
		m.Condition = ">= " + plainNumber(least) + "%"
		most.lost("a success rate has no upper limit")
	default:
		if !most.there() {
			most = f.at("threshold")
		}
		m.Name, m.Condition = "p99", "<= "+plainNumber(most)+"ms"
		least.lost("a time has no lower limit")
		f.note(Changed, "p99 is counted answer by answer; Flagger's nginx provider compares the average")
	}
	return c.plan.addMetric(m)
}

// plainNumber is a number without an exponent.
func plainNumber(f field) string {
	v, err := strconv.ParseFloat(f.text(), 64)
	if err != nil {
		return f.text()
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// flaggerProviders are the names of providers that speak the language of a type of Flagger. Prometheus is the one
// that needs no name.
var flaggerProviders = map[string]string{
	"prometheus": "", "influxdb": "influxdb", "datadog": "datadog", "cloudwatch": "cloudwatch", "newrelic": "newrelic",
	"graphite": "graphite",
}

func (c *conversion) flaggerTemplate(f, ref field) error {
	namespace := ref.at("namespace").text()
	if namespace == "" {
		namespace = c.from.namespace()
	}
	name := ref.at("name").text()
	o := find(c.objects, "MetricTemplate", namespace, name)
	if o == nil {
		return fmt.Errorf("MetricTemplate %s is not in the input: add its file with -f", name)
	}
	t := c.open(o)
	t.templateMetadata()
	p := t.at("spec", "provider")
	m := metric{Name: c.freeName(f.at("name").text()), Interval: f.at("interval").text()}
	t.at("spec", "query").use()
	kind := p.at("type").text()
	known := false
	if m.Provider, known = flaggerProviders[kind]; !known {
		return fmt.Errorf("MetricTemplate %s: Headgate has no provider of type %s (docs/providers.md)", name, kind)
	}
	for _, e := range p.entries() {
		switch {
		case e.key == "type":
		case e.key == "address":
			e.changed("the operator of Headgate says where the provider is (docs/providers.md)")
		default:
			e.lost("it belongs to the settings of a provider, which the operator of Headgate writes (docs/providers.md)")
		}
	}
	if m.Provider != "" {
		p.note(Changed, "it asks the provider %s, which the operator of Headgate sets up (docs/providers.md)", m.Provider)
	}
	return c.flaggerQuery(f, t.at("spec", "query"), m)
}

// flaggerQuery completes m with a query and its limits.
func (c *conversion) flaggerQuery(f, query field, m metric) error {
	var err error
	if m.Query, err = c.flaggerVariables(f, query.text()); err != nil {
		return err
	}
	if m.Provider == "graphite" {
		m.Query = strings.TrimPrefix(strings.TrimSpace(m.Query), "target=")
	}
	m.Interval = cmp.Or(m.Interval, "1m")
	if err := m.within(f); err != nil {
		return err
	}
	if m.Provider == "" && !selectsByNamespace(m.Query) {
		query.note(Changed, "Headgate adds namespace=\"{{namespace}}\" to every selector: series without that label are not seen")
	}
	return c.plan.addMetric(m)
}

// within sets the range that the number must be in.
func (m *metric) within(f field) error {
	least, most := f.at("thresholdRange", "min"), f.at("thresholdRange", "max")
	if !least.there() && !most.there() {
		most = f.at("threshold")
	}
	switch {
	case least.there() && most.there():
		m.CEL = "result >= " + plainNumber(least) + " && result <= " + plainNumber(most)
	case least.there():
		m.Condition = ">= " + plainNumber(least)
	case most.there():
		m.Condition = "<= " + plainNumber(most)
	default:
		return errors.New("it has no thresholdRange")
	}
	return nil
}

var (
	// flaggerPods is how a query of Flagger selects the pods of the canary.
	flaggerPods = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)\s*=~\s*"\{\{\s*target\s*\}\}-[^"{}]*"`)

	flaggerVariable = regexp.MustCompile(`\{\{-?\s*([^{}]*?)\s*-?\}\}`)
)

// flaggerNames are the variables of Headgate that mean the same. The target is the canary while Flagger checks it.
var flaggerNames = map[string]string{
	"namespace": "{{namespace}}", "target": "{{canary-deployment}}", "service": "{{service}}", "ingress": "{{ingress}}",
	"interval": "{{window}}",
}

// flaggerVariables replaces the variables of a query.
func (c *conversion) flaggerVariables(f field, query string) (string, error) {
	query = flaggerPods.ReplaceAllString(query, `$1=~"{{canary-pods}}"`)
	var failed error
	query = flaggerVariable.ReplaceAllStringFunc(query, func(written string) string {
		name := flaggerVariable.FindStringSubmatch(written)[1]
		if ours, ok := flaggerNames[name]; ok {
			return ours
		}
		if name == "name" {
			return c.from.name()
		}
		if key, ok := strings.CutPrefix(name, "variables."); ok && f.at("templateVariables", key).there() {
			return f.at("templateVariables", key).text()
		}
		if written != "{{canary-pods}}" {
			failed = fmt.Errorf("its query has %s, which Headgate has no variable for", written)
		}
		return written
	})
	return query, failed
}
