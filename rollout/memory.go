package rollout

import (
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// inMemory says whether the state of d differs from what is stored only in what changes no
// decision where it is lost: it need not be written. After a restart
//
//   - a Pass is measured once more, and the time of a measurement is that of an earlier
//     one: a new one is due sooner, and one that is older than it was never counts more.
//     That nothing is known yet is found out again. Everything else that a measurement said
//     is stored.
//   - the weight is found in the routes, and since when. Before the routes are written
//     anew this is stored.
//   - the pod template of the canary is seen for the first time again.
//   - a step that has just begun, and that nobody was told of, begins again.
//   - the judge asks again about what it saw since the last write, and comes to the same
//     evidence.
func (p *pass) inMemory(d Decision) bool {
	if p.Canary == nil || p.Canary.StateErr != nil {
		return false
	}
	s, stored := d.Canary.State, p.Canary.Stored
	stored.Tally.learn(s.Tally, p.Plan)
	if stored.InForce.IsZero() && p.Traffic.isAt(s.Weight, s.Match) {
		stored.InForce = s.InForce
	}
	if stored.CanaryTemplate == "" {
		stored.CanaryTemplate = s.CanaryTemplate
	}
	if d.Reason == "" && !s.Skipped && s.Weight == stored.Weight && p.justBegun(s) {
		stored.Step, stored.StepSince, stored.Skipped = s.Step, s.StepSince, s.Skipped
	}
	if p.Measurement == nil || !p.Measurement.Kept {
		stored.Evidence = s.Evidence
	}
	return sameEncoded(stored, s)
}

func sameEncoded(a, b State) bool {
	was, err := a.Encode()
	is, err2 := b.Encode()
	return err == nil && err2 == nil && was == is
}

// learn takes from is what changes no decision where it is lost.
func (t *Tally) learn(is Tally, plan *AnalysisPlan) {
	t.At, t.WouldFail = is.At, is.WouldFail
	if is.Last == Pass || is.Last == Inconclusive && (t.Last == "" || t.Last == Inconclusive) {
		t.Last, t.Told, t.Shown = is.Last, is.Told, is.Shown
	}
	if plan != nil && plan.InconclusiveLimit == 0 {
		t.Inconclusive = is.Inconclusive
	}
	if plan != nil && plan.ErrorLimit == 0 {
		t.Errors = is.Errors
	}
}

// patience is how long the next weight may wait for pods or for the first verdict before
// anybody is told. Most take less: then the next weight is all the news.
const patience = 5 * time.Second

// briefly is d, which waits for the first verdict at the present weight. If the wait of
// the present step was over only just now, the condition stays as it is for a moment.
func (p *pass) briefly(d *Decision) *Decision {
	step := p.state.presentStep()
	over := p.state.StepSince.Add(step.Duration + patience)
	unknown := p.state.Tally.Last == "" || p.state.Tally.Last == Inconclusive
	if step.Kind == spec.Wait && !p.state.Skipped && p.Stable.Reason == reason.Waiting && unknown && p.planErr() == nil &&
		p.Problem == nil && p.Traffic.PreviewRefused == nil && over.After(p.Now) {
		d.Reason, d.Message, d.Again = "", "", Earliest(d.Again, over)
	}
	return d
}

// justBegun says whether the present step of s follows a wait that is over, and began a
// moment ago. The condition says until when that wait was.
func (p *pass) justBegun(s State) bool {
	return p.Stable.Reason == reason.Waiting && s.StepSince.Add(patience).After(p.Now)
}

// isBrief says whether the wait for pods at the present step is too short to be told.
func (p *pass) isBrief(because reason.Reason) bool {
	return because == reason.CanaryStarting && p.Canary != nil && p.Canary.Trouble == "" && p.justBegun(p.state)
}
