package convert

import (
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/headgate/headgate/analysis/provider"
)

// parsePromQL reads a query with variables. nil: it does not parse, which the check of the metric tells.
func parsePromQL(query string) parser.Expr {
	text, err := provider.StandIn(query)
	if err != nil {
		return nil
	}
	e, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil
	}
	return e
}

// yieldsOne says that a query can yield one number only, whatever series there are.
func yieldsOne(query string) bool { return isOne(parsePromQL(query)) }

func isOne(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return true
	case *parser.ParenExpr:
		return isOne(e.Expr)
	case *parser.UnaryExpr:
		return isOne(e.Expr)
	case *parser.BinaryExpr:
		return isOne(e.LHS) && isOne(e.RHS)
	case *parser.AggregateExpr:
		return len(e.Grouping) == 0 && !e.Without && e.Op != parser.TOPK && e.Op != parser.BOTTOMK && e.Op != parser.COUNT_VALUES
	case *parser.Call:
		return isOneCall(e)
	}
	return false
}

func isOneCall(e *parser.Call) bool {
	switch e.Func.Name {
	case "scalar", "vector", "time":
		return true
	case "histogram_quantile":
		buckets, ok := e.Args[1].(*parser.AggregateExpr)
		return ok && !buckets.Without && len(buckets.Grouping) == 1 && buckets.Grouping[0] == labels.BucketLabel
	}
	for _, arg := range e.Args {
		if arg.Type() == parser.ValueTypeMatrix || !isOne(arg) {
			return false
		}
	}
	return len(e.Args) > 0
}

// selectsByNamespace says that every selector of a query has the label namespace, or that it has no selector.
func selectsByNamespace(query string) bool {
	e, all := parsePromQL(query), true
	if e == nil {
		return true
	}
	parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			has := false
			for _, m := range s.LabelMatchers {
				has = has || m.Name == "namespace"
			}
			all = all && has
		}
		return nil
	})
	return all
}
