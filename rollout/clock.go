package rollout

import "time"

// The clock of a manager may be set while it runs, and that of the next leader may differ:
// a time on record may be an hour in the future, or look an hour older than it is. So
//
//   - a time that is still to come counts as SteadySince. A wait takes at most as long
//     again, and never until the clock has caught up.
//   - what protects requests and verdicts is counted by the present clock alone: settle,
//     drain, the window of the first measurement. Deadlines too, or a version would be
//     rolled back for time that never passed.
//
// A wait of the user's steps may end early by as much as the clock was set forward.

// OnOneClock returns o with no time that is still to come.
func (o Observation) OnOneClock() Observation {
	o.Traffic.Since = o.past(o.Traffic.Since)
	o.Stable.RefusedSince = o.past(o.Stable.RefusedSince)
	if o.Canary != nil {
		canary := *o.Canary
		canary.FilledSince, canary.State = o.past(canary.FilledSince), o.pastState(canary.State)
		o.Canary = &canary
	}
	return o
}

func (o Observation) pastState(s State) State {
	s.StepSince, s.Began, s.DrainSince = o.past(s.StepSince), o.past(s.Began), o.past(s.DrainSince)
	s.Tally.At, s.Tally.Ignored = o.past(s.Tally.At), o.past(s.Tally.Ignored)
	if !s.InForce.IsZero() { // that is the time of a write and Settle
		s.InForce = o.past(s.InForce.Add(-o.Settle)).Add(o.Settle)
	}
	return s
}

func (o Observation) past(t time.Time) time.Time {
	if t.After(o.Now) {
		return o.SteadySince
	}
	return t
}

// settlesAt is when routers act on the present routes.
func (o Observation) settlesAt() time.Time {
	return latest(o.Traffic.Since, o.SteadySince).Add(o.Settle)
}

// deadline is when the wait for an obstacle, which began at since, is over.
func (p *pass) deadline(since time.Time) time.Time {
	return latest(since, p.SteadySince).Add(p.progressDeadline())
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
