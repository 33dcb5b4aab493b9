package evidence_test

import (
	"fmt"

	"github.com/headgate/headgate/analysis/evidence"
)

// A canary with 10% of 100 requests per second fails 2 in 100 requests, and stable 2 in
// 1,000. The hour before is known.
func Example() {
	rule := evidence.Rule{} // the defaults
	var errors evidence.Evidence
	for range 720 {
		errors.History(rule, []evidence.Counts{{Requests: 500, Errors: 1}})
	}
	for range 24 { // two minutes, one look every 5 s
		errors.Add(rule, evidence.Look{StableRequests: 450, StableErrors: 1, CanaryRequests: 50, CanaryErrors: 1})
	}
	v := errors.Verdict(rule)
	fmt.Printf("%v: canary %.1f%% errors of %d, stable %.1f%% of %d\n", v.Outcome,
		100*v.CanaryCounts().Share(), v.CanaryCounts().Requests, 100*v.StableCounts().Share(), v.StableCounts().Requests)

	stored, _ := errors.MarshalText() // for the next manager
	var restored evidence.Evidence
	fmt.Println(restored.UnmarshalText(stored), restored == errors)
	// Output:
	// Fail: canary 2.0% errors of 1200, stable 0.2% of 10800
	// <nil> true
}
