package rollout

import (
	"fmt"

	"github.com/headgate/headgate/rollout/reason"
)

// tally counts the measurement of this observation, if there is one. It sets
// Why where the rollout must be rolled back for it.
func (o Observation) tally(s *State) []Note {
	if o.Measurement == nil || o.Plan == nil {
		return nil
	}
	m, t := *o.Measurement, &s.Tally
	before := t.Last
	t.At, t.Last = o.Now, m.Verdict
	switch m.Verdict {
	case Fail:
		t.Failures++
		t.Inconclusive, t.Errors = 0, 0
	case Inconclusive:
		t.Inconclusive++
	case Error:
		t.Errors++
	default:
		t.Inconclusive, t.Errors = 0, 0
	}
	switch {
	case m.Verdict == Fail && t.Failures > o.Plan.FailureLimit:
		s.Why, s.Message = reason.AnalysisFailed, fmt.Sprintf("at weight %d: %s", s.Weight, m.Message)
	case exceeds(t.Inconclusive, o.Plan.InconclusiveLimit), exceeds(t.Errors, o.Plan.ErrorLimit):
		s.Why, s.Message = reason.AnalysisLimitExceeded, fmt.Sprintf("at weight %d: %d measurements in a row were %s: %s", s.Weight, max(t.Inconclusive, t.Errors), m.Verdict, m.Message)
	}
	// One note a change, not one a measurement: the tenth Pass is no news. A
	// Fail always is.
	if m.Verdict == before && m.Verdict != Fail {
		return nil
	}
	return []Note{{verdictReasons[m.Verdict], o.say("%s at weight %d: %s", m.Verdict, s.Weight, m.Message)}}
}

var verdictReasons = map[Verdict]reason.Reason{
	Pass:         reason.MeasurementPassed,
	Fail:         reason.MeasurementFailed,
	Inconclusive: reason.MeasurementInconclusive,
	Error:        reason.MeasurementError,
}

// exceeds treats limit 0 as none.
func exceeds(n, limit int) bool { return limit > 0 && n > limit }
