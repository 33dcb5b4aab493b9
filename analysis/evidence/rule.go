package evidence

import (
	"fmt"
	"math"
	"time"
)

// The defaults of fields of Rule that are zero.
const (
	DefaultRatio      = 1.2
	DefaultPoints     = 0.0005
	DefaultFalseAlarm = 0.01
	DefaultInterval   = 5 * time.Second
	DefaultWarmUp     = time.Minute
	DefaultCap        = 10.0
)

// NoWarmUp as Rule.WarmUp judges the first look of the canary like any other.
const NoWarmUp = time.Duration(-1)

// Rule says what a canary may do. The zero value is the default: at most 1.2 times
// stable's share of errors + 0.05 points, and 1 false alarm in 100 rollouts. It must
// not change while a rollout goes on.
type Rule struct {
	// Ratio and Points are the margin: the canary's share of errors may be up to
	// Ratio * stable's share + Points. 0.0005 is 0.05 points. A Ratio of 0 means
	// DefaultRatio, and then Points of 0 mean DefaultPoints.
	Ratio, Points float64

	// Bound is an absolute limit of the canary's share of errors, 0.01 for a success
	// rate of 99%. 0: there is none, and the margin alone counts. With a bound, the margin
	// counts only while stable is over the bound itself.
	Bound float64

	// Strict fails a canary over Bound even where stable is no better. Otherwise the
	// canary must be worse than stable too.
	Strict bool

	// FalseAlarm is the greatest chance that a canary no worse than stable ever fails.
	// One that is worse but within the margin fails with at most 5 times that chance.
	FalseAlarm float64

	// Metrics is how many metrics share FalseAlarm. 0 means 1.
	Metrics int

	// Interval is the time between two looks.
	Interval time.Duration

	// WarmUp is for how long looks that have requests of the canary are judged by a
	// gross line only, because a version that has just started is slow. See NoWarmUp.
	WarmUp time.Duration

	// Cap is the greatest factor by which one look raises evidence. With 10, no verdict
	// rests on fewer than 3 looks.
	Cap float64
}

// Check returns an error that names the field that cannot be used, or nil.
func (r Rule) Check() error {
	r = r.withDefaults()
	switch {
	case !(r.Ratio >= 1) || math.IsInf(r.Ratio, 0):
		return fmt.Errorf("the ratio of the margin is %v, want at least 1, for example 1.2", r.Ratio)
	case !(r.Points >= 0 && r.Points < 1):
		return fmt.Errorf("the margin has %v points, want a share from 0 to 1, for example 0.0005", r.Points)
	case !(r.Bound >= 0 && r.Bound < 1):
		return fmt.Errorf("the bound is %v, want a share from 0 to 1, for example 0.01", r.Bound)
	case !(r.FalseAlarm > 0 && r.FalseAlarm <= 0.2):
		return fmt.Errorf("the rate of false alarms is %v, want more than 0 and at most 0.2, for example 0.01", r.FalseAlarm)
	case r.Metrics < 1:
		return fmt.Errorf("%d metrics share the rate of false alarms, want at least 1", r.Metrics)
	case r.Interval <= 0:
		return fmt.Errorf("the time between two looks is %v, want for example 5s", r.Interval)
	case !(r.Cap > 1):
		return fmt.Errorf("one look may raise evidence by a factor of %v, want more than 1, for example 10", r.Cap)
	}
	return nil
}

func (r Rule) withDefaults() Rule {
	if r.Ratio == 0 {
		r.Ratio = DefaultRatio
		if r.Points == 0 {
			r.Points = DefaultPoints
		}
	}
	if r.FalseAlarm == 0 {
		r.FalseAlarm = DefaultFalseAlarm
	}
	if r.Metrics == 0 {
		r.Metrics = 1
	}
	if r.Interval == 0 {
		r.Interval = DefaultInterval
	}
	if r.WarmUp == 0 {
		r.WarmUp = DefaultWarmUp
	}
	if r.Cap == 0 {
		r.Cap = DefaultCap
	}
	return r
}

const (
	passThreshold = 20.0 // a wrong Pass at most once in 20 weights
	marginAlarms  = 5.0  // how many times FalseAlarm a canary within the margin may fail
)

func (r Rule) equalThreshold() float64 { return float64(r.Metrics) / r.FalseAlarm }

func (r Rule) marginThreshold() float64 { return r.equalThreshold() / marginAlarms }

// Allowed is the share of bad answers that a canary may have beside a stable with this share.
//
// Example: beside 1% of stable, the margin 20% + 0.05% allows 1.25%. A bound of 2% allows 2%,
// unless stable is over it.
func (r Rule) Allowed(stable float64) float64 {
	if r.Bound > 0 && (r.Strict || stable <= r.Bound) {
		return r.Bound
	}
	return r.withDefaults().margin().at(stable)
}

func (r Rule) absolute() bool { return r.Bound > 0 }

func (r Rule) margin() line { return line{r.Ratio, r.Points} }

// limit is the line that a Pass is about.
func (r Rule) limit() line {
	if r.absolute() {
		return line{0, r.Bound}
	}
	return r.margin()
}

// disaster is the line that only a disaster crosses.
var disaster = line{5, 0.05}

func halfway(level float64) float64 { return (1 + level) / 2 }

// DisasterBound is a Bound that only a disaster crosses, for a canary that has no stable
// beside it: 5 times stable's level + 5 points, and at most half-way from the level to 1.
// With a level of 1% it is 10%, with one of 40% it is 70%.
func DisasterBound(level float64) float64 { return min(disaster.at(level), halfway(level)) }

// gross is the line of a disaster: 5 * stable + 5 points, and the bound on top if there
// is one. Where stable has many errors already, for example half of all requests over a
// median, it is half-way from stable's level to 1. It is never below the margin.
func (r Rule) gross(level float64) line {
	l := disaster
	l.points += r.Bound
	if limit := halfway(level); l.at(level) > limit {
		l.ratio = (limit - l.points) / level
	}
	return line{max(l.ratio, r.Ratio), max(l.points, r.Points)}
}

// warmUpLooks is how many looks the warm-up takes.
func (r Rule) warmUpLooks() int64 {
	if r.WarmUp < 0 {
		return 0
	}
	return int64((r.WarmUp + r.Interval - 1) / r.Interval)
}

const (
	startsWithin = 20 * time.Minute // the mean time after which the reserve expects a late fault
	levelHalf    = 10 * time.Minute // the time after which a look counts half for stable's level
)

func (r Rule) spent() float64 { return min(1, r.Interval.Seconds()/startsWithin.Seconds()) }

func (r Rule) keep() float64 { return math.Exp2(-r.Interval.Seconds() / levelHalf.Seconds()) }
