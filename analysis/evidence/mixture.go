package evidence

import "math"

// most bounds each part of a mixture, so that no number overflows and evidence can
// fall again after a long time of errors.
const most = 1e12

// maxParts is how many alternatives a mixture has at most.
const maxParts = 8

// mixture is evidence that is spread over several alternatives, because nobody knows
// how bad a bad canary is. It starts at 1. Its reserve is the part that has not been
// bet yet: it moves to the alternatives over time, so that a fault that begins late
// does not first have to undo all the evidence for health.
//
// size is the number of alternatives. The zero value has not begun: it is worth 1.
type mixture struct {
	parts   [maxParts]float64
	reserve float64
	size    int
}

// newMixture bets all but the reserve. stakes has a share for each alternative; their sum
// is 1.
func newMixture(stakes []float64, reserve float64) mixture {
	m := mixture{reserve: reserve, size: len(stakes)}
	for i, stake := range stakes {
		m.parts[i] = (1 - reserve) * stake
	}
	return m
}

func (m *mixture) begun() bool { return m.size > 0 }

// value is the evidence.
func (m *mixture) value() float64 {
	if !m.begun() {
		return 1
	}
	return m.sum() + m.reserve
}

func (m *mixture) sum() float64 {
	sum := 0.0
	for _, part := range m.parts[:m.size] {
		sum += part
	}
	return sum
}

// spend moves the share of the reserve that one look may bet to the alternatives.
func (m *mixture) spend(share float64, stakes []float64) {
	spent := share * m.reserve
	m.reserve *= 1 - share
	for i, stake := range stakes {
		m.parts[i] += spent * stake
	}
}

// multiply applies the logarithms of the factors of one look.
func (m *mixture) multiply(logs []float64, damp damping) {
	for i, log := range logs {
		m.parts[i] = min(m.parts[i]*damp.factor(log), most)
	}
}

// freeze ends the mixture: only its sum is kept.
func (m *mixture) freeze() {
	if m.size > 1 {
		*m = mixture{parts: [maxParts]float64{m.sum()}, size: 1}
	}
}

// limit takes back what was gained beyond so many times a fresh mixture.
func (m *mixture) limit(times float64, fresh mixture) {
	for i := range m.size {
		m.parts[i] = min(m.parts[i], times*fresh.parts[i])
	}
}

// damping keeps one look from deciding. Errors that come in clumps count as fewer
// errors: the factor is raised to the power 1/clump. And no factor exceeds cap.
type damping struct{ clump, cap float64 }

func (d damping) factor(log float64) float64 {
	return min(math.Exp(log/d.clump), d.cap)
}

// worse holds how many times over its limit a bad canary may be, from hardly to wholly.
var worse = [maxParts]float64{1.25, 1.5, 2, 3, 5, 10, 30, 100}

// Stakes that do not depend on anything.
var (
	evenBeyond = []float64{1. / 8, 1. / 8, 1. / 8, 1. / 8, 1. / 8, 1. / 8, 1. / 8, 1. / 8}
	evenWithin = []float64{1. / 3, 1. / 3, 1. / 3}
	// The gross line is 5 points or more: 30 times over it is more than all requests.
	grossBeyond = []float64{0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0, 0}
)

// earns is how much an alternative earns for each error that a canary on its limit has, as
// a logarithm: t*ln(t) - t + 1 where it is t times over the limit.
var earns = func() (earns [maxParts]float64) {
	for i, times := range worse {
		earns[i] = times*math.Log(times) - times + 1
	}
	return earns
}()

const (
	plenty   = 32.0 // logarithm of evidence that an alternative earns easily
	anyStake = 0.01 // of an alternative that earns nothing
)

// stakes appends how the stake is shared among the alternatives beyond a limit, where the
// canary is expected to get so many requests in an hour. One that could not be shown in an
// hour gets a small share only. So a service with few requests bets on faults that few
// requests can show, and one with many on all of them alike.
//
// Example: with 360 requests and a limit of 0.1%, twice the limit earns 0.14 and 30 times
// the limit 26. They get 0.7% and 39% of the stake.
func stakes(stakes []float64, limit, requests float64) []float64 {
	sum := 0.0
	for _, earns := range earns {
		stake := min(1, requests*limit*earns/plenty) + anyStake
		stakes = append(stakes, stake)
		sum += stake
	}
	for i := range stakes {
		stakes[i] /= sum
	}
	return stakes
}

// beyond appends to logs the logarithms of the factors against "the canary is within
// the line". level is stable's expected share. It returns nil where the limit is 1 or
// more: no canary can be beyond it.
func (l line) beyond(logs []float64, k Look, level float64) []float64 {
	limit := l.at(level)
	if limit >= 1 {
		return nil
	}
	for _, times := range worse {
		logs = append(logs, l.logFactor(k, level, min(max(limit*times, limit*1.0001), 1)))
	}
	return logs
}

const withinParts = 3

// within appends the logarithms of the factors against "the canary is beyond the
// line": a canary that is twice as good as stable, one that is like stable, and one
// half-way between stable and the line.
func (l line) within(logs []float64, k Look, level float64) []float64 {
	limit := l.at(level)
	like := min(level, 0.9*limit)
	for _, share := range [withinParts]float64{level / 2, like, (like + limit) / 2} {
		logs = append(logs, l.logFactor(k, level, share))
	}
	return logs
}
