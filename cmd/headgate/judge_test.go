package main

import (
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
)

// A nil pointer in the interface would look like an analysis.
func TestNoAnalysisIsNil(t *testing.T) {
	j := judge{analysis.New(nil, nil, analysis.Options{})}
	if got, err := j.Resolve(t.Context(), "shop", ""); got != nil || err != nil {
		t.Errorf("without an annotation: %v, %v", got, err)
	}
	if got, err := j.Resolve(t.Context(), "shop", "fast"); got != nil || err == nil {
		t.Errorf("with a text that does not parse: %v, %v", got, err)
	}
	got, err := j.Resolve(t.Context(), "shop", "p99 <= 500ms")
	if err != nil || got == nil || got.Plan().Interval != 5*time.Second {
		t.Errorf("with a condition: %v, %v", got, err)
	}
}
