package prometheus

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
)

func TestCheckQueryAcceptsVariablesWhereverTheyMakeSense(t *testing.T) {
	for name, query := range map[string]string{
		"in a string":     `x{a=~"{{canary-pods}}"}`,
		"as a label":      `x{label_{{track-label}}="{{canary-track}}"}`,
		"as a window":     `rate(x[{{window}}])`,
		"with spaces":     `rate(x[{{ window }}])`,
		"as a resolution": `max_over_time(rate(x[{{window}}])[{{window}}:10s])`,
		"as a number":     `sum(x) / {{weight}} * 100`,
		"a scalar":        `scalar(sum(x))`,
		"several lines":   "sum(\n  x # comment\n)",
	} {
		t.Run(name, func(t *testing.T) {
			if err := (&Provider{}).Check(provider.Question{Query: query}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Pods of stable that were a canary once have names that begin like those of a canary.
func TestCheckQueryRefusesPodsByTheNameOfTheDeployment(t *testing.T) {
	err := checkQuery(`sum(x{pod=~"{{canary-deployment}}-.+"})`)
	const want = `query names pods by {{canary-deployment}}-, which pods of stable may be called too: ` +
		`write pod=~"{{canary-pods}}"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestConfine(t *testing.T) {
	tests := map[string]struct{ query, want string }{
		"a bare metric":         {`x`, `x{ns="shop"}`},
		"an existing selector":  {`x{a="b"}`, `x{a="b",ns="shop"}`},
		"another tenant":        {`x{ns="bank"}`, `x{ns="bank",ns="shop"}`},
		"every metric":          {`{__name__=~".+"}`, `{__name__=~".+",ns="shop"}`},
		"both sides and ranges": {`sum(rate(x[5m])) / y offset 1m`, `sum(rate(x{ns="shop"}[5m])) / y{ns="shop"} offset 1m`},
		"a subquery":            {`max_over_time((x or y)[5m:1m] @ end())`, `max_over_time((x{ns="shop"} or y{ns="shop"})[5m:1m] @ end())`},
		"arguments": {
			`topk(scalar(n), label_replace(x, "ns", "shop", "", ""))`,
			`topk(scalar(n{ns="shop"}), label_replace(x{ns="shop"}, "ns", "shop", "", ""))`,
		},
		"no series at all": {`vector(1)`, `vector(1)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := confine(tt.query, "ns", "shop")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}
