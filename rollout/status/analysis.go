package status

import (
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
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

// observe tells the share of the canary from the first metric that counts requests. Before
// the first measurement at a weight, the counts are of the weight before.
func (r *reader) observe(a *Analysis) {
	if r.out.Weight == nil || a.Last == "" {
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

// verdicts are the reasons of events that tell what was measured. Those without a Verdict
// tell no measurement of the whole analysis.
var verdicts = map[reason.Reason]rollout.Verdict{
	reason.MeasurementPassed: rollout.Pass, reason.MeasurementFailed: rollout.Fail,
	reason.MeasurementInconclusive: rollout.Inconclusive, reason.MeasurementError: rollout.Error,
	reason.StableUnhealthy: rollout.StableUnhealthy, reason.DryRunFailed: "", reason.JobPassed: "",
	reason.AnalysisFailed: "", reason.AnalysisLimitExceeded: "",
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
		if verdict, tells := verdicts[e.Reason]; tells {
			r.out.Verdicts = append(r.out.Verdicts, e)
			r.told(e, verdict)
		}
	}
}

// told fills in the last measurement from an event. A measurement that says nothing yet is not
// in the state, because that would be a write for each.
func (r *reader) told(e Event, verdict rollout.Verdict) {
	a := r.out.Analysis
	if a == nil || verdict == "" || e.At.Before(r.state.StepSince) || isAboutAnother(e.Message, r.state.Rollout) {
		return
	}
	if a.At == nil || !e.At.Before(a.At.Truncate(time.Second)) {
		a.Last, a.At, a.Text = verdict, pointer(e.At), e.Message
	}
}
