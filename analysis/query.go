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

// maxQuery bounds a query in bytes: the parser's time grows with the square of
// the length, and 240 KB of "-x+-x+…" took 21 seconds of an admission request.
const maxQuery = 4096

// placeholder is a variable in a query. Substitution is all there is: a
// template language would let an annotation loop in the manager.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

var variables = map[string]func(rollout.Subject) string{
	"namespace":         func(s rollout.Subject) string { return s.Namespace },
	"deployment":        func(s rollout.Subject) string { return s.Deployment },
	"canary-deployment": func(s rollout.Subject) string { return s.CanaryDeployment },
	"service":           func(s rollout.Subject) string { return s.Service },
	"canary-service":    func(s rollout.Subject) string { return s.CanaryService },
	"service-port":      func(s rollout.Subject) string { return s.ServicePort },
	"ingress":           func(s rollout.Subject) string { return s.Ingress },
	"canary-ingress":    func(s rollout.Subject) string { return s.CanaryIngress },
	"track-label":       func(s rollout.Subject) string { return promLabel(s.TrackLabel) },
	"stable-track":      func(s rollout.Subject) string { return s.StableTrack },
	"canary-track":      func(s rollout.Subject) string { return s.CanaryTrack },
	"rollout":           func(s rollout.Subject) string { return s.Rollout },
	"weight":            func(s rollout.Subject) string { return strconv.Itoa(s.Weight) },
	"window":            func(s rollout.Subject) string { return promDuration(s.Window) },
}

// sample holds what a variable that need not be a name looks like. A sample
// grows to the length of its placeholder, so that the position in a parse error
// is one in the user's text.
var sample = map[string]string{"service-port": "1", "rollout": "1", "weight": "1", "window": "5m"}

// checkQuery says whether query is a template of valid PromQL that yields
// numbers.
func checkQuery(name, query string) error {
	if len(query) > maxQuery {
		return fmt.Errorf("metric %q: query has %d bytes, at most %d are read: move parts of it into recording rules", name, len(query), maxQuery)
	}
	text, err := expand(query, func(variable string, width int) (string, error) {
		if value, ok := sample[variable]; ok {
			return strings.Repeat("0", width-len(value)) + value, nil
		}
		return strings.Repeat("x", width), nil
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

// render fills a query in. An empty value is an error: {ingress=""} would match
// everything that has no such label.
func render(query string, s rollout.Subject) (string, error) {
	return expand(query, func(variable string, _ int) (string, error) {
		value := variables[variable](s)
		if value == "" {
			return "", fmt.Errorf("query uses {{%s}}, which this rollout does not have", variable)
		}
		return value, nil
	})
}

// expand replaces every placeholder by value(variable, width of the
// placeholder). The first error wins.
func expand(query string, value func(variable string, width int) (string, error)) (string, error) {
	var failed error
	text := placeholder.ReplaceAllStringFunc(query, func(written string) string {
		variable := strings.TrimSpace(strings.Trim(written, "{}"))
		replacement, err := "", error(nil)
		if _, ok := variables[variable]; ok {
			replacement, err = value(variable, len(written))
		} else {
			err = fmt.Errorf("unknown variable %q in query: known are %s",
				written, strings.Join(slices.Sorted(maps.Keys(variables)), ", "))
		}
		if failed == nil {
			failed = err
		}
		return replacement
	})
	return text, failed
}

// confine adds label="value" to every selector of a query. A selector that
// already asks for another value then matches nothing.
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

// parsePromQL knows no experimental functions: info() reads series that no
// selector in the query names.
func parsePromQL(query string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// promLabel is a Kubernetes label key as Prometheus stores it:
// app.kubernetes.io/name becomes app_kubernetes_io_name.
func promLabel(key string) string {
	return strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(key)
}

func promDuration(d time.Duration) string { return model.Duration(d).String() }
