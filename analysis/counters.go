package analysis

import (
	"fmt"
	"math"
	"time"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// trackLabel is the label that countersQuery adds. Its values are the two tracks.
const (
	trackLabel  = "headgate_track"
	stableTrack = "stable"
	canaryTrack = "canary"
)

// countersQuery is PromQL for the counters of both tracks in one answer: how high each
// stands, for each process of the ingress controller and each value of the label by.
// Both tracks of one process come from one scrape of it, so they are of the same time.
//
// The counters themselves are asked, not increase() or rate(): those extrapolate to the
// ends of their window, and count an error twice where two windows overlap. from is a
// metric with further label matchers.
func countersQuery(metric, further, by string, s rollout.Subject, series sourceSeries) string {
	side := func(track string, matchers matchers) string {
		return fmt.Sprintf(`label_replace(sum by (job, instance, %s) (%s), %q, %q, "", "")`,
			by, eitherLabels(s, matchers, metric+"{%[1]s"+further+"}"), trackLabel, track)
	}
	return side(stableTrack, series.stableMatchers) + " or " + side(canaryTrack, series.canaryMatchers)
}

// grid are times that are a whole number of steps after the year 1, so that everybody
// who asks about the same range asks about the same times.
type grid struct {
	from time.Time
	step time.Duration
	size int // how many steps; there is one time more
}

// gridBetween is the grid from the first time that is not before from to the last that
// is not after to. Its size is below 0 where there is none.
func gridBetween(from, to time.Time) grid {
	first := from.Truncate(lookInterval)
	if first.Before(from) {
		first = first.Add(lookInterval)
	}
	return grid{from: first, step: lookInterval, size: int(math.Floor(float64(to.Sub(first)) / float64(lookInterval)))}
}

func (g grid) to() time.Time { return g.from.Add(time.Duration(g.size) * g.step) }

// index is the place of t in the grid.
func (g grid) index(t time.Time) int { return int(t.Sub(g.from) / g.step) }

// classify says what a series with these labels counts: requests, the bad ones among
// them, or both. A series that counts neither is left out.
type classify func(labels map[string]string) (requests, bad bool)

// process is one process of an ingress controller: how high its counters stood at each
// time of the grid. NaN: it had none then.
type process struct {
	counters []counter
	there    []bool // whether it had any counter
}

type counter struct {
	canary, requests, bad bool
	values                []float64
}

// looksOf returns what happened between each two times of the grid.
//
//   - A counter that is not there yet stood at 0, if its process was there: the first
//     error is a new series.
//   - A process that was not there before counts from its second time on, on both tracks.
//   - Where a counter fell, its process began again: what it counted in that interval is
//     left out, on both tracks.
func looksOf(series []provider.Series, g grid, is classify) []evidence.Look {
	looks := make([]evidence.Look, max(g.size, 0))
	for _, p := range processesOf(series, g, is) {
		for i := range looks {
			p.add(&looks[i], i)
		}
	}
	return looks
}

func processesOf(series []provider.Series, g grid, is classify) map[[2]string]*process {
	processes := map[[2]string]*process{}
	for _, s := range series {
		requests, bad := is(s.Labels)
		if !requests && !bad {
			continue
		}
		key := [2]string{s.Labels["job"], s.Labels["instance"]}
		p := processes[key]
		if p == nil {
			p = &process{there: make([]bool, g.size+1)}
			processes[key] = p
		}
		c := counter{canary: s.Labels[trackLabel] == canaryTrack, requests: requests, bad: bad, values: make([]float64, g.size+1)}
		for i := range c.values {
			c.values[i] = math.NaN()
		}
		for _, point := range s.Points {
			if i := g.index(point.At); i >= 0 && i <= g.size && finite(point.Value) {
				c.values[i], p.there[i] = point.Value, true
			}
		}
		p.counters = append(p.counters, c)
	}
	return processes
}

// add adds to k what p counted between the times i and i+1.
func (p *process) add(k *evidence.Look, i int) {
	if !p.there[i] || !p.there[i+1] {
		return
	}
	sum := *k
	for _, c := range p.counters {
		before, after := c.values[i], c.values[i+1]
		if math.IsNaN(after) {
			continue
		}
		if math.IsNaN(before) {
			before = 0
		}
		if after < before {
			return
		}
		c.count(&sum, int64(math.Round(after-before)))
	}
	*k = sum
}

func (c counter) count(k *evidence.Look, n int64) {
	requests, bad := &k.StableRequests, &k.StableErrors
	if c.canary {
		requests, bad = &k.CanaryRequests, &k.CanaryErrors
	}
	if c.requests {
		*requests += n
	}
	if c.bad {
		*bad += n
	}
}
