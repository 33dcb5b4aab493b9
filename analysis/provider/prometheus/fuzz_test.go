package prometheus

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

// Every selector of what is sent to Prometheus is confined to the namespace of the
// Deployment, whatever the user wrote, and so is every selector of counters.
func FuzzConfine(f *testing.F) {
	for _, text := range []string{
		`x`, `x{ns="bank"}`, `{__name__=~".+"}`, `sum(rate(x[{{window}}])) / y offset 1m`, `max_over_time((x or y)[5m:1m] @ end())`,
		`label_replace(x, "ns", "shop", "", "")`, `info(x)`, `x and on() y`, `absent(x{a!="b"})`, `"ns"`, `{"x", ns="bank"}`, `{"a.b"}`,
		`x{track="{{canary-track}}"} # }`, `count_values("ns", x)`, "`x`", `vector(1)`, `x{{{track-label}}="{{canary-track}}"}`,
		`-x ^ 2 > bool scalar(y)`, `topk(1, x) by (ns)`, `x{ns=~"shop|bank"} @ 1609746000`, `x[5m]`, `sort_by_label(x, "ns")`,
	} {
		f.Add(text)
	}
	p := Of(nil, 0, "ns")
	s := replay.Subject()
	s.TrackLabel, s.CanaryTrack = "app", "web-canary"
	f.Fuzz(func(t *testing.T, text string) {
		if p.Check(provider.Question{Query: text}) == nil {
			if query, err := p.queryFor(provider.Question{Query: text}, s); err == nil {
				checkConfined(t, text, query)
			}
		}
		if p.CheckSelector(text) == nil {
			if selector, err := p.Selector(text, s); err == nil {
				checkConfined(t, text, selector)
			}
		}
	})
}

func checkConfined(t *testing.T, text, query string) {
	t.Helper()
	// A Prometheus may have been told to allow what is experimental.
	expr, err := parser.NewParser(parser.Options{EnableExperimentalFunctions: true}).ParseExpr(query)
	if err != nil {
		t.Fatalf("%q is sent as %q, which Prometheus refuses: %v", text, query, err)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if call, ok := node.(*parser.Call); ok && call.Func.Name == "info" {
			t.Errorf("%q is sent as %q, which reads series that it does not name", text, query)
		}
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range selector.LabelMatchers {
			if m.Type == labels.MatchEqual && m.Name == "ns" && m.Value == "shop" {
				return nil
			}
		}
		t.Errorf("%q is sent as %q, which reads %s", text, query, selector)
		return nil
	})
}
