package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// quantiles are the built-in latencies, by the quantile that PromQL takes.
var quantiles = map[string]string{"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99"}

// The built-in shares. Both count responses of status 5xx as failed: a 404 is
// as often the client's doing as the canary's.
const (
	successRate = "success-rate"
	errorRate   = "error-rate"
)

// checkBuiltIn catches the bounds that would judge wrongly without a word:
// "p99 <= 500" would be 500 seconds and pass always, "success-rate >= 99" a
// ratio of 99 and fail always.
func checkBuiltIn(name string, c Condition) error {
	if _, ok := quantiles[name]; ok {
		if c.unit != "ms" && c.unit != "s" || c.bound < 0 {
			return fmt.Errorf("metric %q is a time and cannot be %q: write for example %s <= 500ms", name, c, name)
		}
		return nil
	}
	if name != successRate && name != errorRate {
		return fmt.Errorf("unknown metric %q: built in are %s; any other needs YAML with a query, for example %s",
			name, strings.Join(builtInNames(), ", "), `{metrics: [{name: queue-length, query: "max(queue_length)", condition: "< 100"}]}`)
	}
	if c.unit == "ms" || c.unit == "s" || c.bound < 0 || c.bound > 1 {
		return fmt.Errorf("metric %q is a share between 0%% and 100%% and cannot be %q: write for example %s", name, c, shareExample[name])
	}
	return nil
}

var shareExample = map[string]string{successRate: "success-rate >= 99%", errorRate: "error-rate <= 1%"}

func builtInNames() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(quantiles)), successRate, errorRate)))
}
