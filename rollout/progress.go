package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// maxLosses is how often a canary may lose its last pod and start over. A node
// drain takes a single-pod canary away once; a third loss means that it crashes.
const maxLosses = 2

// progress takes the rollout through its steps. Bad news comes first: a verdict
// and an abort count even while something else holds the rollout up, such as a
// measurement that takes long.
func (p *pass) progress() Decision {
	p.noteEdit()
	rules := []func() *Decision{
		p.countMeasurement, p.obey, p.endOverdue, p.endRefused, p.endEdited, p.endScaledToZero, p.endWithoutRoutes, p.startOverWithoutPods,
	}
	for _, rule := range rules {
		if d := rule(); d != nil {
			return *d
		}
	}
	if p.Awaited.Measurement {
		return *p.awaitAnswer()
	}
	return p.walk()
}

// awaitAnswer is the decision while a question is being answered: the canary keeps
// what it has. The condition stays as it is, because the answer comes in a moment.
// Whoever asks looks again once there is one.
func (p *pass) awaitAnswer() *Decision {
	d := p.stay("", "")
	if p.Stable.Phase == spec.Paused {
		d.Phase = spec.Paused
	}
	d.Message, d.Job = "", p.activeJob()
	d.Again = Earliest(ifAfter(p.rolloutDeadline(), p.Now), p.Now.Add(recheck))
	return &d
}

// endOverdue rolls back a rollout that takes longer than its deadline.
func (p *pass) endOverdue() *Decision {
	if p.rolloutDeadline().After(p.Now) {
		return nil
	}
	took := p.rolloutDeadline().Sub(p.state.Began)
	return p.rollBack(reason.RolloutDeadlineExceeded,
		fmt.Sprintf("it was not finished %s after it began; it was at %s", spec.FormatDuration(took), p.stepOf()))
}

// endRefused rolls back where a write is refused for longer than the progress
// deadline: nothing else ends a wait for a weight that is never written.
func (p *pass) endRefused() *Decision {
	if !p.refusedTooLong() {
		return nil
	}
	return p.rollBack(reason.ProgressDeadlineExceeded, p.refusal())
}

// refusedTooLong says whether a write is refused for longer than the progress
// deadline.
func (p *pass) refusedTooLong() bool {
	since := p.Stable.RefusedSince
	return !since.IsZero() && !p.deadline(since).After(p.Now)
}

func (p *pass) refusal() string {
	return fmt.Sprintf("a write was refused for %s: %s", spec.FormatDuration(p.progressDeadline()), p.Stable.Refused)
}

// endEdited rolls back where somebody changed the pod template of the canary: what was
// judged from then on is not what would be released.
func (p *pass) endEdited() *Decision {
	if p.Canary == nil || p.Canary.Template == "" {
		return nil
	}
	if p.state.CanaryTemplate == "" {
		p.state.CanaryTemplate = p.Canary.Template
	}
	if p.state.CanaryTemplate == p.Canary.Template {
		return nil
	}
	return p.rollBack(reason.CanaryEdited, "somebody changed the pod template of the canary Deployment, "+
		"so what is judged is not what would be released")
}

func (p *pass) endScaledToZero() *Decision {
	if p.Stable.Replicas > 0 {
		return nil
	}
	return p.rollBack(reason.ScaledToZero, "the Deployment was scaled to 0 replicas, so there is no traffic to split")
}

// endWithoutRoutes takes the absence of routes that were in force for an abort, of
// one of them as of all. It may be a person's abort, or Headgate's own: two canary
// Ingresses, a Fail, the first is deleted, and a kill comes before the verdict is
// on record. Made again, the first would send traffic to a version that failed.
func (p *pass) endWithoutRoutes() *Decision {
	if !p.state.hadRoutes() {
		return nil
	}
	if !p.Traffic.Routed {
		return p.rollBack(reason.CanaryRoutesDeleted, "the canary Ingress is gone, which is taken as an abort")
	}
	if p.SpecErr == nil { // else which Ingresses are split is unknown
		p.forgetRemovedIngresses()
	}
	for _, name := range p.state.Split {
		if slices.Contains(p.Traffic.WithoutCanary, name) {
			return p.rollBack(reason.CanaryRoutesDeleted, fmt.Sprintf("the canary Ingress of Ingress %s is gone, which is taken as an abort", name))
		}
	}
	return nil
}

// forgetRemovedIngresses drops stable Ingresses that no longer route to the
// Deployment. Headgate deletes their canary Ingresses itself, and one that comes
// back gets a new one.
func (p *pass) forgetRemovedIngresses() {
	p.state.Split = slices.DeleteFunc(slices.Clone(p.state.Split), func(name string) bool {
		return !slices.Contains(p.Traffic.Ingresses, name)
	})
	if len(p.state.Split) == 0 {
		p.state.Split = nil // as it is stored
	}
}

// startOverWithoutPods takes all traffic, weight 0, from a canary that has no
// Available pod left, and begins again from the first step.
func (p *pass) startOverWithoutPods() *Decision {
	s := &p.state
	if !s.hasTraffic() || p.canaryAvailable() > 0 {
		return nil
	}
	if s.Losses++; s.Losses > maxLosses {
		return p.rollBack(reason.CanaryUnavailable, fmt.Sprintf("%d times no canary pod was Available under traffic", s.Losses))
	}
	s.begin(0, p.Now)
	s.grant(0, spec.Match{})
	p.note(reason.CanaryLost, "no canary pod is Available: all traffic goes back to stable, and the rollout begins again from the first step")
	d := p.walk()
	return &d
}

// walk does what the present step asks for, and goes on as long as steps are
// done.
func (p *pass) walk() Decision {
	p.backToUnwritten()
	for p.state.Step < len(p.state.Steps) {
		waiting := p.awaitStep()
		if waiting == nil {
			waiting = p.awaitLeave()
		}
		if waiting != nil {
			return *waiting
		}
		p.noteUnjudged()
		p.state.begin(p.state.Step+1, p.nextStepSince())
	}
	if waiting := p.awaitPromotion(); waiting != nil {
		return *waiting
	}
	return p.promote()
}

// nextStepSince is when the step after the present one begins. A wait counts from the
// write of the weight before it, not from when that was seen. A deadline counts from
// now: a manager that was dead for an hour finds pods that only begin to start.
func (p *pass) nextStepSince() time.Time {
	written, next := p.Traffic.Since, p.state.Step+1
	if next < len(p.state.Steps) && p.state.Steps[next].Kind == spec.Wait && !p.unwritten() &&
		behaviours[p.state.presentStep().Kind].moves() && written.After(p.state.StepSince) && written.Before(p.Now) {
		return written
	}
	return p.Now
}

// awaitStep is nil once the present step is done, else the decision to wait.
func (p *pass) awaitStep() *Decision {
	if p.state.Paused {
		d := p.waitAtStep(reason.PausedByCommand, "paused by command, until: "+p.annotate(spec.VerbResume))
		d.Job = p.activeJob()
		return d
	}
	step := p.state.presentStep()
	does := behaviours[step.Kind]
	if p.state.Skipped && does.skippable() {
		return nil
	}
	return does.await(p, step)
}

// awaitLeave is nil where the rollout may leave the present step. It waits for the
// write of its traffic; for a Pass and for gates where the next step gives the canary
// more traffic, and before the promotion.
func (p *pass) awaitLeave() *Decision {
	point := spec.GatePromotion
	if next := p.state.Step + 1; next < len(p.state.Steps) {
		switch step := p.state.Steps[next]; {
		case !behaviours[step.Kind].moves() && p.granting:
			return nil // one decision grants the traffic and begins the wait: a person is told once
		case !adds(step, p.state.Weight):
			return p.awaitWritten()
		}
		point = spec.GateRise
	}
	if waiting := p.awaitPass(); waiting != nil {
		return waiting
	}
	if waiting := p.awaitWritten(); waiting != nil {
		return waiting
	}
	return p.awaitGates(point)
}

// extraTime is how long a rollout may take beyond what its steps wait for: the
// person who decides may be away for a few days.
const extraTime = 7 * 24 * time.Hour

// rolloutDeadline is when the rollout is rolled back if it is not done.
//
// Example: steps "10%, 5m, 50%, pause, 100%" and no annotation: 7 days and 5
// minutes after it began.
func (p *pass) rolloutDeadline() time.Time { return p.state.Deadline(p.Spec.RolloutDeadline) }

// Deadline is when a rollout in state s is rolled back if it is not done. limit is what the
// annotations say; 0: nothing.
func (s State) Deadline(limit time.Duration) time.Time {
	if limit > 0 {
		return s.Began.Add(limit)
	}
	limit = extraTime
	for _, step := range s.Steps {
		limit = min(limit+step.Duration, spec.MaxDuration)
	}
	return s.Began.Add(limit)
}

// begin goes to another step.
func (s *State) begin(step int, now time.Time) {
	s.Step, s.StepSince, s.Skipped, s.JobPassed = step, now, false, false
}

// canaryAvailable is how many canary pods are Available.
func (p *pass) canaryAvailable() int32 {
	if p.Canary == nil {
		return 0
	}
	return p.Canary.Available
}

// progressDeadline is the longest wait for one obstacle. The annotations may not
// parse; then it is the default.
func (p *pass) progressDeadline() time.Duration {
	if p.Spec.ProgressDeadline > 0 {
		return p.Spec.ProgressDeadline
	}
	return spec.DefaultProgressDeadline
}
