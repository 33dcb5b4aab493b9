package evidence

import (
	"bytes"
	"math"
	"testing"
	"time"
)

// FuzzEvidence reads any text as stored evidence. What is read can be judged by, and what
// is stored after the next look is read again.
func FuzzEvidence(f *testing.F) {
	var e Evidence
	for i := range 40 {
		text, _ := e.MarshalText()
		f.Add(text, 0.01, int64(450), int64(i), int64(50), int64(0))
		e.Add(Rule{Bound: 0.01, WarmUp: 10 * time.Second}, Look{450, int64(i), 50, int64(i / 2)})
	}
	f.Add([]byte("AQ"), 0.0, int64(0), int64(0), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, text []byte, bound float64, stable, stableErrors, canary, canaryErrors int64) {
		if !(bound >= 0 && bound < 1) || max(stable, canary) > 1<<40 {
			return
		}
		var e Evidence
		if err := e.UnmarshalText(text); err != nil {
			if e != (Evidence{}) {
				t.Errorf("%q is refused, and half of it is read", text)
			}
			return
		}
		if again, _ := e.MarshalText(); !bytes.Equal(again, text) {
			var same Evidence
			if err := same.UnmarshalText(again); err != nil || same != e {
				t.Errorf("%q is stored as %q: %v", text, again, err)
			}
		}
		rule := Rule{Bound: bound}
		e.NewWeight()
		e.Add(rule, Look{stable, stableErrors, canary, canaryErrors})
		v := e.Verdict(rule)
		for _, number := range []float64{v.Equal.Evidence, v.Margin.Evidence, v.Passing.Evidence, v.Clearing.Evidence, v.Level} {
			if math.IsNaN(number) || number < 0 {
				t.Errorf("%q: the verdict is %+v", text, v)
			}
		}
		stored, err := e.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := new(Evidence).UnmarshalText(stored); err != nil && max(v.Total.StableRequests, v.Total.CanaryRequests) < 1<<52 {
			t.Errorf("%q: what is stored after the next look cannot be read: %v", text, err)
		}
	})
}
