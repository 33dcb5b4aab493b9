package evidence

import "math"

// line is a limit for the canary's share of errors: ratio * stable's share + points.
// A ratio of 0 is an absolute limit, which does not depend on stable.
type line struct{ ratio, points float64 }

// at returns the limit where stable's share of errors is stable.
func (l line) at(stable float64) float64 { return l.ratio*stable + l.points }

// fewest stands for no request of stable, so that nothing is divided by zero.
const fewest = 1e-9

// nearest returns the pair of shares on the line that is hardest to tell from the
// alternative (qs, qc) with ns and nc requests: the sum over both tracks of
// n * (p - q*ln p) is smallest there. It is the positive root of a quadratic equation.
//
// Example: with 4,500 and 500 requests, the alternative (0.1%, 1%) and the line
// 1.2 * stable + 0.05 points, the pair is (0.1667%, 0.25%).
func (l line) nearest(ns, nc, qs, qc float64) (ps, pc float64) {
	if l.ratio == 0 {
		return qs, l.points
	}
	a := l.ratio * (ns + l.ratio*nc)
	b := l.points*(ns+l.ratio*nc) - l.ratio*(ns*qs+nc*qc)
	c := -ns * qs * l.points
	root := math.Sqrt(b*b - 4*a*c)
	if b <= 0 { // two forms of one root: neither subtracts numbers that are nearly the same
		ps = (root - b) / (2 * a)
	} else {
		ps = -2 * c / (b + root)
	}
	return ps, l.at(ps)
}

// logFactor returns the logarithm of what one look multiplies evidence by: evidence
// against "the canary is on the side of the line where (qs, qc) is not". Whatever the
// true shares on that side are, the mean of the factor is at most 1. The look must
// have requests of the canary, and the alternative must be chosen without its errors.
func (l line) logFactor(k Look, qs, qc float64) float64 {
	ns, nc := math.Max(float64(k.StableRequests), fewest), float64(k.CanaryRequests)
	ps, pc := l.nearest(ns, nc, qs, qc)
	log := nc * (pc - qc)
	if k.CanaryErrors > 0 {
		log += float64(k.CanaryErrors) * math.Log(qc/pc)
	}
	log += ns * (ps - qs)
	if k.StableErrors > 0 {
		log += float64(k.StableErrors) * math.Log(qs/ps)
	}
	return log
}
