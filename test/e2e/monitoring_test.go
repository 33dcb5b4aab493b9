package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/chart"
	"github.com/headgate/headgate/test/lab"
)

// TestAlertsAndDashboardAskForWhatIsThere runs every query of the chart in the lab's Prometheus,
// which scrapes Headgate, while a canary is compared with stable. Each metric has to be there, with
// each label that the query uses. Metrics process_* are not looked for: a process of the lab's
// nodes is in a PID namespace and sees the /proc of another one, in which client_golang does not
// find it. TestProcessMetrics of cmd/headgate does.
func TestAlertsAndDashboardAskForWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause", spec.AnnotationAnalysis: "auto"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.await(time.Minute, reason.AwaitingPromotion)
	queries, err := chart.Queries("../../charts/headgate")
	s.must(err)
	client, err := api.NewClient(api.Config{Address: shared.Prometheus.URL()})
	s.must(err)
	prometheus := promv1.NewAPI(client)
	for name, query := range queries {
		_, warnings, _, err := prometheus.Query(t.Context(), query, time.Now())
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
		}
	}
	wanted := map[string]string{} // by the selector, the query that needs it
	for name, query := range queries {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		s.must(err)
		for _, selector := range needs(expr) {
			if !strings.HasPrefix(selector, "process_") {
				wanted[selector] = name
			}
		}
	}
	if len(wanted) < 40 {
		t.Errorf("found only %v", slices.Sorted(maps.Keys(wanted)))
	}
	s.must(lab.Poll(s.within(time.Minute), func() error {
		var missing []string
		for selector, name := range wanted {
			answer, _, _, err := prometheus.Query(t.Context(), selector, time.Now())
			if err != nil {
				return err
			}
			if len(answer.(model.Vector)) == 0 {
				missing = append(missing, fmt.Sprintf("%s, of %s", selector, name))
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("no series of\n%s", strings.Join(missing, "\n"))
		}
		return nil
	}))
}

// needs returns a selector for each metric of expr and each label by which expr selects, groups or
// joins it: `headgate_rollout_phase{phase!=""}`.
func needs(expr parser.Expr) (selectors []string) {
	of := func(node parser.Expr, names []string) {
		for _, s := range vectors(node) {
			for _, name := range names {
				selectors = append(selectors, fmt.Sprintf("%s{%s!=\"\"}", s.Name, name))
			}
		}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			selectors = append(selectors, n.Name)
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					of(n, []string{m.Name})
				}
			}
		case *parser.AggregateExpr:
			of(n.Expr, n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				of(n.LHS, n.VectorMatching.MatchingLabels)
				of(n.RHS, n.VectorMatching.MatchingLabels)
			}
		}
		return nil
	})
	return selectors
}

// vectors are the selectors whose labels the result of expr has: not those on the right of "and".
func vectors(node parser.Node) (all []*parser.VectorSelector) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return []*parser.VectorSelector{n}
	case *parser.BinaryExpr:
		if n.Op == parser.LAND {
			return vectors(n.LHS)
		}
	}
	for child := range parser.ChildrenIter(node) {
		all = append(all, vectors(child)...)
	}
	return all
}
