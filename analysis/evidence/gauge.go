package evidence

import "math"

// These are for a metric that is a number and not a count, such as a queue's length or
// an evaluation score. Nothing is known of how it varies, so its rule is a limit of
// failed readings, and what can be said is how often that rule is wrong.

// FailureLimitAlarm returns the chance that more than limit of the readings fail where
// nothing is wrong. chance is that of one reading, and readings are independent.
//
// Example: of 120 readings that fail by chance once in 100, more than 3 fail in 3.3% of
// rollouts.
func FailureLimitAlarm(readings, limit int, chance float64) float64 {
	// The sum of the tail, because 1 - P(at most limit) has no digits where it is small.
	alarm := 0.0
	for failed := max(limit+1, 0); failed <= readings; failed++ {
		ways := -logBeta(float64(failed+1), float64(readings-failed+1)) - math.Log(float64(readings+1))
		alarm += math.Exp(ways + times(float64(failed), math.Log(chance)) + times(float64(readings-failed), math.Log1p(-chance)))
	}
	return min(alarm, 1)
}

// ConsecutiveLimitAlarm returns the chance that limit readings in a row fail where
// nothing is wrong, once among all readings.
//
// Example: of 120 readings that fail by chance once in 100, 3 in a row fail in 0.012% of
// rollouts.
func ConsecutiveLimitAlarm(readings, limit int, chance float64) float64 {
	if limit <= 0 {
		return 1
	}
	inRow := make([]float64, limit) // the chance of exactly i failures in a row so far
	inRow[0] = 1
	alarm := 0.0
	for range readings {
		next, good := make([]float64, limit), 0.0
		for i, p := range inRow {
			good += p * (1 - chance)
			if i+1 == limit {
				alarm += p * chance
			} else {
				next[i+1] = p * chance
			}
		}
		next[0] = good
		inRow = next
	}
	return alarm
}

// Pairs is evidence that the canary's reading is worse than stable's more often than
// not, from readings in pairs. The zero value is ready to use. Readings must be at least
// two windows of their query apart, or neighbours say the same thing twice.
type Pairs struct{ Worse, Better int }

// Add takes the next pair. Equal readings say nothing.
func (p *Pairs) Add(worse, better bool) {
	switch {
	case worse && !better:
		p.Worse++
	case better && !worse:
		p.Better++
	}
}

// Evidence returns what speaks against "the canary is worse in at most half of the
// pairs". It reaches 100 at most once in 100 rollouts where that is true. 9 pairs of 9
// are needed for it.
func (p Pairs) Evidence() float64 {
	sum := 0.0
	bets := [...]float64{0.25, 0.5, 0.75, 0.95}
	for _, bet := range bets {
		sum += math.Exp(float64(p.Worse)*math.Log1p(bet) + float64(p.Better)*math.Log1p(-bet))
	}
	return min(sum/float64(len(bets)), most)
}
