package status

import (
	"slices"
	"strings"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// rules are those that the rollout began with. "": none, or the canary was not read.
func (r *reader) rules() string {
	if r.Canary == nil {
		return ""
	}
	return r.Canary.Annotations[spec.AnnotationAnalysisRules]
}

// readAnalysis reads what is known about how the new version behaves.
func (r *reader) readAnalysis() {
	if r.state == nil {
		return
	}
	t := r.state.Tally
	a := &Analysis{
		Rules: r.rules(), Last: t.Last, Failures: t.Failures, Inconclusive: t.Inconclusive, Errors: t.Errors,
	}
	if !t.At.IsZero() {
		a.At = pointer(t.At)
	}
	if r.Measured != nil && a.Rules != "" {
		a.Metrics = r.Measured(a.Rules, r.state.Evidence)
	}
	if a.Rules != "" || a.Last != "" {
		r.out.Analysis = a
	}
	r.observe(a)
}

// observe tells the share of the canary from the first metric that counts requests.
func (r *reader) observe(a *Analysis) {
	if r.out.Weight == nil {
		return
	}
	for _, m := range a.Metrics {
		if m.AtWeight != nil && m.AtWeight.Sum() > 0 {
			share := 100 * float64(m.AtWeight.Canary) / float64(m.AtWeight.Sum())
			r.out.Weight.Observed = &share
			return
		}
	}
}

// verdicts are the reasons of events that tell what was measured.
var verdicts = map[reason.Reason]bool{
	reason.MeasurementPassed: true, reason.MeasurementFailed: true, reason.MeasurementInconclusive: true,
	reason.MeasurementError: true, reason.StableUnhealthy: true, reason.DryRunFailed: true, reason.JobPassed: true,
	reason.AnalysisFailed: true, reason.AnalysisLimitExceeded: true,
}

// readEvents reads the events about the Deployment that Headgate wrote.
func (r *reader) readEvents() {
	for _, e := range r.Objects.Events {
		if e.Regarding.UID != r.Deployment.UID || !strings.HasPrefix(e.ReportingController, spec.FieldOwner) {
			continue
		}
		at := e.EventTime.Time
		if e.Series != nil && e.Series.LastObservedTime.After(at) {
			at = e.Series.LastObservedTime.Time
		}
		event := Event{At: at.UTC(), Reason: reason.Reason(e.Reason), Message: e.Note, Warning: e.Type == "Warning"}
		r.out.Events = append(r.out.Events, event)
	}
	slices.SortStableFunc(r.out.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	for _, e := range r.out.Events {
		if verdicts[e.Reason] {
			r.out.Verdicts = append(r.out.Verdicts, e)
		}
	}
}
