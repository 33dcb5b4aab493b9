package analysis

import "github.com/headgate/headgate/analysis/evidence"

// Test is one metric of an analysis that the sequential test judges, answer by answer.
type Test struct {
	Metric string
	Rule   evidence.Rule

	// Bad is the share of stable's answers that count as bad by the choice of the limit: 0.01
	// for p99. 0: as many as fail.
	Bad float64
}

// Tests returns the metrics of a that the sequential test judges, in order. The others are
// numbers, and how many requests these need is not known.
func (a Analysis) Tests() []Test {
	var tests []Test
	for _, m := range comparisonsAmong(a.Metrics) {
		t := Test{Metric: m.key(), Rule: m.compared.rule}
		if m.compared.times > 0 {
			t.Bad = complement(m.compared.quantile)
		}
		tests = append(tests, t)
	}
	return tests
}
