package backtest

import (
	"testing"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
)

func TestEven(t *testing.T) {
	few := Even{Requests: 50, Weight: 0.1, Bad: 0.001, Inject: 0.01, Limit: time.Hour, Runs: 50, Seed: 1}
	many, small, limited := few, few, few
	many.Weight = 0.25
	small.Inject = 0.0001 // stable has 0.1%, the canary 0.11%, and the margin allows 0.17%
	limited.Rule = evidence.Rule{Bound: 0.05}
	needed := few.Try()
	if needed != few.Try() {
		t.Error("the same values give another answer")
	}
	if needed.Median == 0 || needed.Median > needed.Slow || needed.Pass == 0 || needed.Fired > 2 {
		t.Errorf("got %+v", needed)
	}
	if more := many.Try(); more.Median >= needed.Median {
		t.Errorf("at 25%% it takes %s, at 10%% %s", more.Median, needed.Median)
	}
	if never := small.Try(); never.Median > 0 {
		t.Errorf("a fault within the margin is found in %s", never.Median)
	}
	if never := limited.Try(); never.Median > 0 {
		t.Errorf("a fault within the limit is found in %s", never.Median)
	}
}
