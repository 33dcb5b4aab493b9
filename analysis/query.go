package analysis

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/headgate/headgate/rollout"
)

const queryExample = `sum(rate(http_requests_total{namespace="{{namespace}}", code=~"5.."}[{{window}}]))`

// maxQuery bounds a query in bytes, because the parser's time grows with the square
// of the length: 240 KB of "-x+-x+…" kept an admission request for 21 seconds.
const maxQuery = 4096

// placeholder is a variable in a query. Queries are not text/template: with loops, an
// annotation could keep the manager busy for ever.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// variable is what a query may contain as {{name}}.
type variable struct {
	value func(rollout.Subject) string

	// standIn stands for the value when the query is checked, before there is a
	// rollout. It is padded on the left to the length of the placeholder, so that
	// the position in a parse error is one in the user's text.
	standIn standIn
}

// standIn is a text that is valid wherever the value of a variable is.
type standIn struct{ text, padding string }

var (
	aName     = standIn{text: "x", padding: "x"}
	aNumber   = standIn{text: "1", padding: "0"}
	aDuration = standIn{text: "5m", padding: "0"}
)

// of is the stand-in for a placeholder of width bytes: aDuration.of(10) is
// "000000005m", as long as "{{window}}".
func (v standIn) of(width int) string {
	return strings.Repeat(v.padding, width-len(v.text)) + v.text
}

var variables = map[string]variable{
	"namespace":         {func(s rollout.Subject) string { return s.Namespace }, aName},
	"deployment":        {func(s rollout.Subject) string { return s.Deployment }, aName},
	"canary-deployment": {func(s rollout.Subject) string { return s.CanaryDeployment }, aName},
	"canary-pods":       {podsOf, aName},
	"service":           {func(s rollout.Subject) string { return s.Service }, aName},
	"canary-service":    {func(s rollout.Subject) string { return s.CanaryService }, aName},
	"service-port":      {func(s rollout.Subject) string { return s.ServicePort }, aNumber},
	"ingress":           {func(s rollout.Subject) string { return s.Ingress }, aName},
	"canary-ingress":    {func(s rollout.Subject) string { return s.CanaryIngress }, aName},
	"track-label":       {func(s rollout.Subject) string { return promLabel(s.TrackLabel) }, aName},
	"stable-track":      {func(s rollout.Subject) string { return s.StableTrack }, aName},
	"canary-track":      {func(s rollout.Subject) string { return s.CanaryTrack }, aName},
	"rollout":           {func(s rollout.Subject) string { return s.Rollout }, aNumber},
	"weight":            {func(s rollout.Subject) string { return strconv.Itoa(s.Weight) }, aNumber},
	"window":            {func(s rollout.Subject) string { return promDuration(s.Window) }, aDuration},
}

// podsOf is a regular expression that the names of the canary's pods match, and of no
// others. NAME-canary-.+ is not: pods that were a canary and became stable keep their
// names.
func podsOf(s rollout.Subject) string {
	if s.CanaryReplicaSet == "" {
		return ""
	}
	return s.CanaryReplicaSet + "-.+"
}

var namesPods = regexp.MustCompile(`\{\{ *canary-deployment *\}\}-`)

// checkQuery says whether query is a template of valid PromQL that yields
// numbers.
func checkQuery(name, query string) error {
	if len(query) > maxQuery {
		return fmt.Errorf("metric %q: query has %d bytes, want at most %d: move parts of it into recording rules",
			name, len(query), maxQuery)
	}
	if namesPods.MatchString(query) {
		return fmt.Errorf("metric %q: query names pods by {{canary-deployment}}-, which pods of stable may be called too: "+
			`write pod=~"{{canary-pods}}"`, name)
	}
	text, err := expand(query, func(_ string, v variable, width int) (string, error) {
		return v.standIn.of(width), nil
	})
	if err != nil {
		return fmt.Errorf("metric %q: %w", name, err)
	}
	expr, err := parsePromQL(text)
	if err != nil {
		return fmt.Errorf("metric %q: query does not parse at %w: write for example %s", name, err, queryExample)
	}
	if t := expr.Type(); t != parser.ValueTypeScalar && t != parser.ValueTypeVector {
		return fmt.Errorf("metric %q: query yields a %s, want a number or a vector: write for example %s",
			name, parser.DocumentedType(t), queryExample)
	}
	return nil
}

// fillIn replaces every placeholder by its value. An empty value is an error:
// {ingress=""} would match everything that has no such label.
func fillIn(query string, s rollout.Subject) (string, error) {
	return expand(query, func(name string, v variable, _ int) (string, error) {
		value := v.value(s)
		if value == "" {
			return "", fmt.Errorf("query uses {{%s}}, which has no value in this rollout", name)
		}
		return value, nil
	})
}

// expand replaces every placeholder by what replace returns for its name, its
// variable and its own width in bytes. The first error wins.
func expand(query string, replace func(name string, v variable, width int) (string, error)) (string, error) {
	var failed error
	text := placeholder.ReplaceAllStringFunc(query, func(written string) string {
		name := strings.TrimSpace(strings.Trim(written, "{}"))
		v, ok := variables[name]
		replacement, err := "", error(nil)
		if ok {
			replacement, err = replace(name, v, len(written))
		} else {
			err = fmt.Errorf("unknown variable %q in query: the variables are %s",
				written, strings.Join(slices.Sorted(maps.Keys(variables)), ", "))
		}
		if failed == nil {
			failed = err
		}
		return replacement
	})
	return text, failed
}

// confine adds label="value" to every selector of a query: x{a="b"} becomes
// x{a="b",ns="shop"}. A selector that already asks for another value then matches
// nothing.
func confine(query, label, value string) (string, error) {
	expr, err := parsePromQL(query)
	if err != nil {
		return "", fmt.Errorf("parsing query: %w", err)
	}
	only := labels.MustNewMatcher(labels.MatchEqual, label, value)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			selector.LabelMatchers = append(selector.LabelMatchers, only)
		}
		return nil
	})
	return expr.String(), nil
}

// parsePromQL refuses experimental functions. One of them, info(), reads series that
// no selector in the query names, so confine could not restrict it.
func parsePromQL(query string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// promLabel is a Kubernetes label key as Prometheus stores it:
// app.kubernetes.io/name becomes app_kubernetes_io_name.
func promLabel(key string) string {
	return strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(key)
}

// promDuration is d as PromQL writes it: 90 seconds are "1m30s".
func promDuration(d time.Duration) string { return model.Duration(d).String() }
