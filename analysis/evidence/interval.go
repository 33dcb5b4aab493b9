package evidence

import "math"

// Interval is a range of values that holds the true one with high confidence, however
// often somebody looks.
type Interval struct{ Low, High float64 }

// ShareInterval returns the range of the share behind c. alpha is the chance that the
// range ever misses it. It is for display: it assumes that the share is constant.
func ShareInterval(c Counts, alpha float64) Interval {
	x, n := float64(c.Errors), float64(c.Requests)
	bound := math.Log(1 / alpha)
	mixed := logBeta(x+0.5, n-x+0.5) - logBeta(0.5, 0.5)
	outside := func(p float64) bool { return mixed-times(x, math.Log(p))-times(n-x, math.Log1p(-p)) >= bound }
	middle := 0.5
	if n > 0 {
		middle = x / n
	}
	return Interval{
		Low:  edge(middle, 0, outside),
		High: edge(middle, 1, outside),
	}
}

// RatioInterval returns the range of the canary's share of errors divided by stable's.
// It is for display: it assumes that the ratio is constant. Looks with the same share of
// traffic may be added up first, and the result is the same. High is +Inf where no
// ratio is too high.
func RatioInterval(looks []Look, alpha float64) Interval {
	const ( // ratios from 0.01 to 100, 40 in each factor of 10
		first, last = -80, 80
		inTen       = 40
	)
	like := newRatioLikelihood(looks)
	var grid []float64
	for step := first; step <= last; step++ {
		grid = append(grid, math.Ln10*float64(step)/inTen)
	}
	logs := make([]float64, len(grid))
	best := 0
	for i, logRatio := range grid {
		if logs[i] = like.log(logRatio); logs[i] > logs[best] {
			best = i
		}
	}
	bound := math.Log(alpha) + logMean(logs)
	outside := func(logRatio float64) bool { return like.log(logRatio) <= bound }
	const far = 50 // e^50: beyond it the ratio is 0 or infinite
	low, high := edge(grid[best], -far, outside), edge(grid[best], far, outside)
	interval := Interval{math.Exp(low), math.Exp(high)}
	if low == -far {
		interval.Low = 0
	}
	if high == far {
		interval.High = math.Inf(1)
	}
	return interval
}

// ratioLikelihood says how likely it is that the errors fall on the tracks as they did.
type ratioLikelihood struct {
	canary float64             // errors of the canary
	errors map[float64]float64 // errors of both, by the canary's share of the requests
}

func newRatioLikelihood(looks []Look) ratioLikelihood {
	l := ratioLikelihood{errors: make(map[float64]float64)}
	for _, k := range looks {
		if all := k.StableErrors + k.CanaryErrors; all > 0 {
			l.canary += float64(k.CanaryErrors)
			l.errors[float64(k.CanaryRequests)/float64(k.CanaryRequests+k.StableRequests)] += float64(all)
		}
	}
	return l
}

func (l ratioLikelihood) log(logRatio float64) float64 {
	sum := l.canary * logRatio
	for share, errors := range l.errors {
		sum -= errors * math.Log(1-share+math.Exp(logRatio)*share)
	}
	return sum
}

// DifferenceBound returns how many points the canary's share of errors is above stable's
// at least, 0.01 for one point, or 0 if that is not shown. before is what stable did
// before the looks. It is for display: looks that were added up give about the same.
func DifferenceBound(rule Rule, before Counts, looks []Look, alpha float64) float64 {
	rule = rule.withDefaults()
	var start level
	start.add(before, 0)
	within := func(points float64) bool {
		return differenceEvidence(rule, line{1, points}, start, looks) < 1/alpha
	}
	if within(0) {
		return 0
	}
	return bisect(1, 0, within)
}

func differenceEvidence(rule Rule, l line, level level, looks []Look) float64 {
	m := newMixture(evenBeyond, 0)
	for _, k := range looks {
		var logs [maxParts]float64
		if k.Valid() && k.CanaryRequests > 0 {
			m.multiply(l.beyond(logs[:0], k, level.share()), damping{clump: 1, cap: math.Inf(1)})
		}
		level.add(k.stable(), rule.keep())
	}
	return m.value()
}

// edge returns where outside begins between inside and end, or end if it is not outside.
func edge(inside, end float64, outside func(float64) bool) float64 {
	if !outside(end) {
		return end
	}
	return bisect(inside, end, func(x float64) bool { return !outside(x) })
}

// bisect returns where holds ends, between from, where it holds, and to, where it does not.
func bisect(from, to float64, holds func(float64) bool) float64 {
	for range 200 { // until no number is between them
		middle := from + (to-from)/2
		if middle == from || middle == to {
			break
		}
		if holds(middle) {
			from = middle
		} else {
			to = middle
		}
	}
	return from
}

// logMean returns the logarithm of the mean of the exponentials.
func logMean(logs []float64) float64 {
	most := math.Inf(-1)
	for _, log := range logs {
		most = max(most, log)
	}
	sum := 0.0
	for _, log := range logs {
		sum += math.Exp(log - most)
	}
	return most + math.Log(sum/float64(len(logs)))
}

func logBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}

// times is a*b, and 0 where a is 0 although b is infinite.
func times(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a * b
}
