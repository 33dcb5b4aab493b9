package backtest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout"
)

// Options say which rollouts are simulated.
type Options struct {
	At     []time.Time   // when rollouts begin, in the order of time
	Length time.Duration // of each rollout
	Weight float64       // the canary's share of the requests, from 0 to 1
	Inject float64       // share of the canary's good answers that are turned into bad ones
	Seed   uint64        // the same seed and the same past give the same report

	// Progress is told how many of the rollouts are done. nil: nobody is.
	Progress func(done int)
}

// Hourly are times that are every apart, for rollouts of a length that end until to.
func Hourly(from, to time.Time, every, length time.Duration) []time.Time {
	var times []time.Time
	for at := from; !at.Add(length).After(to); at = at.Add(every) {
		times = append(times, at)
	}
	return times
}

// batchTime is how much of the past is kept in memory at once.
const batchTime = 12 * time.Hour

// Run simulates rollouts. An error means that there is no report: Prometheus does not
// answer, or it has no requests at any of the times.
func Run(ctx context.Context, past *analysis.Past, o Options) (Report, error) {
	s := simulation{Options: o, past: past, report: newReport(past, o)}
	for first := 0; first < len(o.At); {
		next := first + 1
		for next < len(o.At) && o.At[next].Sub(o.At[first]) < batchTime {
			next++
		}
		if err := s.batch(ctx, o.At[first:next]); err != nil {
			return Report{}, err
		}
		first = next
		if o.Progress != nil {
			o.Progress(first)
		}
	}
	return s.report, s.finish()
}

type simulation struct {
	Options
	past   *analysis.Past
	report Report
}

// batch simulates rollouts whose time is asked in one query for each metric.
func (s *simulation) batch(ctx context.Context, times []time.Time) error {
	end := times[len(times)-1].Add(s.Length)
	counters, err := s.past.Counters(ctx, times[0], end)
	if err != nil {
		return err
	}
	for _, at := range times {
		replays, err := counters.Begin(at, s.Length)
		if err != nil {
			return err
		}
		s.compare(at, replays)
	}
	for i, m := range s.past.Conditions() {
		if s.report.Conditions[i].NotTested != "" {
			continue
		}
		if err := s.measure(ctx, s.report.Conditions[i], m, times); err != nil {
			s.report.Conditions[i].NotTested = err.Error()
		}
	}
	return ctx.Err()
}

// compare simulates one rollout twice, as it was and with bad answers injected.
func (s *simulation) compare(at time.Time, replays []analysis.Replay) {
	together := trial{at: at}
	for i, r := range replays {
		random := rand.New(rand.NewPCG(s.Seed, uint64(at.Unix())<<8+uint64(i)))
		t := s.replay(random, r)
		t.at = at
		s.report.Comparisons[i].note(t, r)
		if !r.Shared {
			together.join(t)
		}
	}
	if len(replays) > 1 {
		s.report.Together.note(together, analysis.Replay{})
	}
	if len(replays) > 0 {
		s.report.Traffic = append(s.report.Traffic, Traffic{At: at, Requests: perSecond(together.requests, s.Length)})
	}
}

// trial is one rollout. Times are in looks; 0 is never.
type trial struct {
	at              time.Time
	requests, bad   int64 // of stable
	joined          int   // how many comparisons are in it, if it is of several
	healthy, broken course
}

// course is what the judge said of one canary.
type course struct {
	firstPass, failed int
	last              rollout.Verdict
	bad               int64 // bad answers of the canary until then
}

// replay judges one comparison.
func (s *simulation) replay(random *rand.Rand, r analysis.Replay) trial {
	var t trial
	t.healthy.last, t.broken.last = rollout.Inconclusive, rollout.Inconclusive
	healthy, broken := r, r
	for i, all := range r.Stable {
		if all.Requests == 0 || all.Errors > all.Requests {
			continue
		}
		t.requests += all.Requests
		t.bad += all.Errors
		k := split(random, all, s.Weight, r.Clump)
		t.healthy.look(i+1, k.CanaryErrors, func() rollout.Verdict { return healthy.Add(k) })
		k = inject(random, k, s.Inject)
		t.broken.look(i+1, k.CanaryErrors, func() rollout.Verdict { return broken.Add(k) })
	}
	return t
}

// look is the next look, unless the canary was rolled back before.
func (c *course) look(number int, bad int64, judge func() rollout.Verdict) {
	if c.failed > 0 {
		return
	}
	c.bad += bad
	c.last = judge()
	switch {
	case c.last == rollout.Fail:
		c.failed = number
	case c.last == rollout.Pass && c.firstPass == 0:
		c.firstPass = number
	}
}

// join adds a comparison to a rollout that has several: the first that fails rolls back,
// and a weight rises when all have passed.
func (t *trial) join(other trial) {
	t.requests, t.bad = max(t.requests, other.requests), max(t.bad, other.bad)
	if t.joined++; t.joined == 1 {
		t.healthy, t.broken = other.healthy, other.broken
		return
	}
	t.healthy.join(other.healthy)
	t.broken.join(other.broken)
}

func (c *course) join(other course) {
	if other.failed > 0 && (c.failed == 0 || other.failed < c.failed) {
		c.failed = other.failed
	}
	if c.firstPass > 0 && other.firstPass > 0 {
		c.firstPass = max(c.firstPass, other.firstPass)
	} else {
		c.firstPass = 0
	}
	if other.last == rollout.Fail || c.last == rollout.Pass {
		c.last = other.last
	}
}

// measure evaluates one condition in each rollout.
func (s *simulation) measure(ctx context.Context, c *Condition, m analysis.Metric, times []time.Time) error {
	for _, at := range times {
		measured, err := s.past.Measure(ctx, m, at, at.Add(s.Length))
		if err != nil {
			return err
		}
		c.note(at, measured)
	}
	return nil
}

// finish makes the shares and times of the report. It is an error if nothing was tested.
func (s *simulation) finish() error {
	tested, why := false, ""
	for _, c := range s.report.Comparisons {
		c.finish(s.Length)
		tested = tested || c.Rollouts > 0
		switch {
		case c.NoRequests > 0:
			why = noRequests
		case why == "" && len(c.Unknown) > 0:
			why = c.Metric + ": " + reasons(c.Unknown)[0]
		}
	}
	s.report.Together.finish(s.Length)
	for _, c := range s.report.Conditions {
		tested = tested || c.Measurements > c.NoNumber
		why = cmp.Or(why, c.because(), c.Metric+" has no number at any of these times: try its query in Prometheus")
	}
	if tested {
		return nil
	}
	return errors.New("nothing can be tested: " + why)
}

const noRequests = "stable has no requests in Prometheus at any of these times: " +
	"check the names of the namespace, Service, Ingress and port, the metrics source, and how far back Prometheus stores"
