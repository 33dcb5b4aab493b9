package analysis

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/headgate/headgate/analysis/evidence"
)

// Result is what one rule did with many rollouts of one service.
type Result struct {
	Rule string `json:"rule"`
	Runs int    `json:"runs"`
	// RolledBack is how many of the runs were rolled back.
	RolledBack int `json:"rolledBack"`
	// Median and Slow are the seconds until half and 95% of all runs were rolled back, 0 if
	// fewer were.
	Median float64 `json:"medianSeconds,omitempty"`
	Slow   float64 `json:"slowSeconds,omitempty"`
	// Bad is the mean number of errors that the canary served until it was rolled back, or in
	// the whole hour.
	Bad float64 `json:"bad"`
}

// Share is the share of runs that were rolled back.
func (r Result) Share() float64 { return float64(r.RolledBack) / float64(r.Runs) }

// outcome is one run of one rule.
type outcome struct {
	looks int // until it was rolled back, 0: never
	bad   int64
}

// weights says how much of the traffic the canary has in a look, from 0 to 1.
type weights func(look int) float64

func always(weight float64) weights { return func(int) float64 { return weight } }

// after gives the canary little traffic for a minute, and then its weight.
func after(first, weight float64) weights {
	return func(look int) float64 {
		if look < inMinute {
			return first
		}
		return weight
	}
}

// watch runs a service for an hour under all rules. All of them see the same requests.
func watch(s Service, w weights, rules []Rule, runs int, seed uint64) []Result {
	outcomes := make([][]outcome, len(rules))
	for i := range outcomes {
		outcomes[i] = make([]outcome, runs)
	}
	parallel(runs, func(run int) {
		stream := s.stream(seed, uint64(run))
		judges := make([]judge, len(rules))
		history := stream.history()
		for i, r := range rules {
			judges[i] = r.begin(history)
		}
		for look := 1; look <= inHour; look++ {
			k := stream.next(w(look - 1))
			step(judges, outcomes, run, look, k)
		}
	})
	results := make([]Result, len(rules))
	for i, r := range rules {
		results[i] = summarise(r.Name, outcomes[i])
	}
	return results
}

func step(judges []judge, outcomes [][]outcome, run, look int, k evidence.Look) {
	for i, j := range judges {
		o := &outcomes[i][run]
		if o.looks > 0 {
			continue
		}
		o.bad += k.CanaryErrors
		if j.add(k) {
			o.looks = look
		}
	}
}

func summarise(name string, outcomes []outcome) Result {
	r := Result{Rule: name, Runs: len(outcomes)}
	times := make([]float64, 0, len(outcomes))
	for _, o := range outcomes {
		r.Bad += float64(o.bad) / float64(len(outcomes))
		if o.looks == 0 {
			times = append(times, math.Inf(1))
			continue
		}
		r.RolledBack++
		times = append(times, float64(o.looks*lookSeconds))
	}
	slices.Sort(times)
	r.Median, r.Slow = quantile(times, 0.5), quantile(times, 0.95)
	return r
}

// quantile returns the value below which the share q of the sorted values is, 0 if that is
// infinite.
func quantile(sorted []float64, q float64) float64 {
	v := sorted[int(math.Ceil(q*float64(len(sorted))))-1]
	if math.IsInf(v, 1) {
		return 0
	}
	return v
}

// parallel calls do for 0 to n-1, on all processors.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
