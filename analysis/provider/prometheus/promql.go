package prometheus

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/headgate/headgate/analysis/provider"
)

const queryExample = `sum(rate(http_requests_total{namespace="{{namespace}}", code=~"5.."}[{{window}}]))`

var namesPods = regexp.MustCompile(`\{\{ *canary-deployment *\}\}-`)

// checkQuery says whether query is a template of valid PromQL that yields numbers.
func checkQuery(query string) error {
	if namesPods.MatchString(query) {
		return errors.New("query names pods by {{canary-deployment}}-, which pods of stable may be called too: " +
			`write pod=~"{{canary-pods}}"`)
	}
	text, err := provider.StandIn(query)
	if err != nil {
		return err
	}
	expr, err := parsePromQL(text)
	if err != nil {
		return fmt.Errorf("query does not parse at %w: write for example %s", err, queryExample)
	}
	if t := expr.Type(); t != parser.ValueTypeScalar && t != parser.ValueTypeVector {
		return fmt.Errorf("query yields a %s, want a number or a vector: write for example %s", parser.DocumentedType(t), queryExample)
	}
	return nil
}

// CheckSelector says whether a template is a selector of counters and nothing more.
func (p *Provider) CheckSelector(template string) error {
	if len(template) > provider.MaxText {
		return fmt.Errorf("the selector has %d bytes, want at most %d", len(template), provider.MaxText)
	}
	text, err := provider.StandIn(template)
	if err != nil {
		return err
	}
	expr, err := parsePromQL(text)
	if err != nil {
		return fmt.Errorf("%s does not parse at %w", template, err)
	}
	selector, ok := expr.(*parser.VectorSelector)
	if !ok || selector.OriginalOffset != 0 || selector.Timestamp != nil || selector.StartOrEnd != 0 {
		return fmt.Errorf("%s is more than a selector: write the name of a counter and labels, without rate() or sum()", template)
	}
	return nil
}

// confine adds label="value" to every selector of a query: x{a="b"} becomes
// x{a="b",ns="shop"}. A selector that already asks for another value then matches
// nothing.
func confine(query, label, value string) (string, error) {
	expr, err := parsePromQL(query)
	if err != nil {
		return "", provider.Faultf("does not parse: %v", err)
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
