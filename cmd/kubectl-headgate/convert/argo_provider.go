package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// argoProviders reads what is asked, for each provider that Headgate has too.
var argoProviders = map[string]func(*draft){
	"prometheus": (*draft).prometheus,
	"web":        (*draft).web,
	"datadog":    (*draft).datadog,
	"newRelic":   (*draft).newRelic,
	"cloudWatch": (*draft).cloudWatch,
	"graphite":   (*draft).graphite,
	"influxdb":   (*draft).influxdb,
}

// named says that the metric asks a provider that the operator must have set up.
func (d *draft) named(name string) {
	d.Provider = name
	d.p.note(Changed, "it asks the provider %s, which the operator of Headgate sets up (docs/providers.md)", name)
}

func (d *draft) prometheus() {
	if address := d.p.at("address"); address.there() {
		address.changed("the operator of Headgate says where Prometheus is (HEADGATE_PROMETHEUS_ADDRESS); for another one write provider: NAME")
	}
	d.operators("authentication", "headers", "insecure", "timeout")
	if d.p.at("rangeQuery").there() {
		d.fail(errors.New("a range query has no like in Headgate: let the query yield one number, for example by avg_over_time()"))
	}
	written := d.p.at("query").text()
	query, err := d.filled(d.withHashes(written))
	d.fail(err)
	d.Query = query
	single := yieldsOne(query)
	if !selectsByNamespace(query) {
		d.p.at("query").note(Changed, "Headgate adds namespace=\"{{namespace}}\" to every selector: series without that label are not seen")
	}
	d.judge = func(m *metric, e *expr) error {
		left, condition, ok := bound(e)
		if ok && (left == "result" || left == "all(result, #)" || left == "result[0]" && single) {
			m.Condition = condition
			return nil
		}
		var err error
		m.CEL, err = names{number: "result", list: "results"}.cel(e)
		return err
	}
}

var notInProviderNames = regexp.MustCompile(`[^a-z0-9]+`)

func (d *draft) web() {
	d.operators("headers", "insecure", "timeoutSeconds", "authentication")
	address := d.text(d.p.at("url"))
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		d.fail(fmt.Errorf("%q is no URL", address))
		return
	}
	d.Provider = strings.Trim(notInProviderNames.ReplaceAllString(strings.ToLower(u.Hostname()), "-"), "-")
	d.p.at("url").note(Changed, "the operator of Headgate sets up the provider %s: {type: web, address: %s://%s}",
		d.Provider, u.Scheme, u.Host)
	_, d.Path, _ = strings.Cut(address, u.Host)
	if !strings.HasPrefix(d.Path, "/") {
		d.Path = "/" + d.Path
	}
	d.Method, d.Body = d.text(d.p.at("method")), d.text(d.p.at("body"))
	if body := d.p.at("jsonBody"); body.there() {
		body.use()
		d.Body, err = d.filled(jsonOf(body.node))
		d.fail(err)
	}
	if d.Method == "GET" {
		d.Method = ""
	}
	base, err := celOfJSONPath(d.text(d.p.at("jsonPath")))
	d.fail(err)
	d.judge = func(m *metric, e *expr) error {
		if left, condition, ok := bound(e); ok && left == "result" {
			m.Value, m.Condition = base, condition
			if strings.Contains(e.String(), "asFloat(") {
				m.Value = "double(" + base + ")"
			}
			return nil
		}
		var err error
		m.CEL, err = names{number: base, list: base}.cel(e)
		return err
	}
}

var jsonPathPart = regexp.MustCompile(`^(?:\.([A-Za-z_][A-Za-z0-9_]*)|\['([^']*)'\]|\[([0-9]+)\])`)

// celOfJSONPath is {$.data.rates[0]} as body.data.rates[0].
func celOfJSONPath(text string) (string, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "{"), "}")
	rest = strings.TrimPrefix(rest, "$")
	base := "body"
	for rest != "" && rest != "." {
		m := jsonPathPart.FindStringSubmatch(rest)
		if m == nil {
			return "", fmt.Errorf("jsonPath %q: Headgate reads names and indexes; write the value in CEL (docs/providers.md)", text)
		}
		switch {
		case m[1] != "":
			base += "." + m[1]
		case m[3] != "":
			base += "[" + m[3] + "]"
		default:
			base += fmt.Sprintf("[%q]", m[2])
		}
		rest = rest[len(m[0]):]
	}
	return base, nil
}

// only accepts a comparison of one of these with a number.
func (d *draft) only(lefts ...string) {
	d.judge = func(m *metric, e *expr) error {
		left, condition, ok := bound(e)
		if !ok || !slices.Contains(lefts, left) {
			return fmt.Errorf("the condition is no comparison of %s with a number", strings.Join(lefts, " or of "))
		}
		m.Condition = condition
		return nil
	}
}

// window is how far back the provider looks. In Headgate that is the interval of the metric.
func (d *draft) window(f field) {
	if !f.there() {
		return
	}
	text := d.text(f)
	if every := d.f.at("interval"); every.there() && every.node.Value != text {
		f.changed("Headgate looks back over the interval of the metric, %s", every.node.Value)
		return
	}
	d.Interval = text
}

func (d *draft) datadog() {
	d.named("datadog")
	d.operators("secretRef")
	d.window(d.p.at("interval"))
	if d.p.at("queries").there() || d.p.at("formula").there() {
		d.fail(errors.New("several queries and a formula have no like in Headgate: write one query"))
	}
	d.p.at("apiVersion").unneeded("Headgate asks the version 1 API")
	d.Query, d.Reduce = d.text(d.p.at("query")), "last"
	if how := d.text(d.p.at("aggregator")); how != "" {
		d.Reduce = map[string]string{"mean": "avg"}[how]
		if d.Reduce == "" {
			d.Reduce = how
		}
	}
	d.only("result")
}

func (d *draft) newRelic() {
	d.named("newrelic")
	d.operators("profile", "timeout")
	d.Query = d.text(d.p.at("query"))
	d.judge = func(m *metric, e *expr) error {
		left, condition, ok := bound(e)
		left = strings.Replace(left, "result[0].", "result.", 1)
		if name, one := strings.CutPrefix(left, "result."); !ok || !one || !isWord(name) {
			return errors.New("the condition is no comparison of result.NAME with a number")
		}
		m.Condition = condition
		return nil
	}
}

func (d *draft) cloudWatch() {
	d.named("cloudwatch")
	d.window(d.p.at("interval"))
	queries := d.p.at("metricDataQueries")
	if len(queries.items()) == 0 {
		d.fail(errors.New("metricDataQueries must be a list of queries"))
		return
	}
	queries.use()
	var list any
	d.fail(capitalized(clone(queries.node, func(n *yaml.Node) {
		text, err := d.filled(n.Value)
		d.fail(err)
		n.Value = text
	})).Decode(&list))
	text, err := json.Marshal(list)
	d.fail(err)
	d.Query = string(text)
	d.judge = func(m *metric, e *expr) error {
		left, condition, ok := bound(e)
		switch {
		case ok && left == "result[0].Values[0]":
			m.Reduce = "last"
		case ok && left == "all(result[0].Values, #)" && strings.HasPrefix(condition, "<"):
			m.Reduce = "max"
		case ok && left == "all(result[0].Values, #)" && strings.HasPrefix(condition, ">"):
			m.Reduce = "min"
		default:
			return errors.New("the condition is no comparison of result[0].Values[0], or of all of them, with a number")
		}
		m.Condition = condition
		return nil
	}
}

// capitalized has keys as the API of CloudWatch spells them, and periods as numbers.
func capitalized(n *yaml.Node) *yaml.Node {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value != "" {
			c.Value = string(unicode.ToUpper(rune(c.Value[0]))) + c.Value[1:]
			if value := n.Content[i+1]; c.Value == "Period" {
				value.Tag, value.Style = "!!int", 0
			}
			continue
		}
		capitalized(c)
	}
	return n
}

func (d *draft) graphite() {
	d.named("graphite")
	d.operators("address")
	d.Query = d.text(d.p.at("query"))
	d.judge = func(m *metric, e *expr) error {
		left, condition, ok := bound(e)
		switch {
		case ok && left == "all(result, #)" && strings.HasPrefix(condition, "<"):
			m.Reduce = "max"
		case ok && left == "all(result, #)" && strings.HasPrefix(condition, ">"):
			m.Reduce = "min"
		case ok && (left == "result[0]" || left == "result"):
			d.f.note(Changed, "Headgate compares the average of the points, not the first one; reduce: last, min or max choose another")
		default:
			return errors.New("the condition is no comparison of result[0], or of all of them, with a number")
		}
		m.Condition = condition
		return nil
	}
}

func (d *draft) influxdb() {
	d.named("influxdb")
	d.operators("profile")
	d.Query = d.text(d.p.at("query"))
	d.only("result[0]", "all(result, #)")
}
