package evidence

import (
	"math"
	"slices"
)

const (
	// unknownClump is the least that is taken until enough is known of stable: larger is
	// slower, never wrong.
	unknownClump = 4.0
	// enoughPairs is how many pairs of looks with errors are enough, enoughLooks how many
	// looks with or without errors. A stable that has hardly any errors never has enough
	// pairs, and nothing in it comes in clumps either.
	enoughPairs = 20
	enoughLooks = 360
	// priorPairs is how many pairs without any clumps the estimate starts with. Few, because
	// a service with few requests has few pairs: with 20, a healthy canary with half of 10
	// requests per second and errors in clumps of 10 would fail in 5% of rollouts.
	priorPairs = 2.0
	// maxOutliers bounds how many of the largest values are left out, 1 in 100: exact up
	// to 1,099 pairs. Later ones make the estimate larger, which is safe.
	maxOutliers = 10
)

// clumps estimates how many errors come together, from stable alone. Two neighbouring
// looks share their errors in proportion to their requests if errors are independent.
// For x errors of m in both, with u = the first look's share of the requests,
// (x - m*u)^2 / (m*u*(1-u)) has the mean 1 then, whatever the level of errors is, and
// the mean B if errors come in clumps of B.
//
// Example: 12 errors, then 0, of 900 requests each: (12 - 6)^2 / (12 * 1/4) = 12.
type clumps struct {
	sum      float64              // of all values but outliers
	outliers [maxOutliers]float32 // the largest values, descending
	pairs    int64                // how many values there are
	looks    int64                // how many looks of stable, with or without errors
	last     Counts               // of the look before, without requests if there is none
}

// estimate returns the number of errors in a clump, at least 1.
func (c *clumps) estimate() float64 {
	if !c.known() {
		return max(unknownClump, c.mean(priorPairs))
	}
	return c.mean(priorPairs)
}

func (c *clumps) known() bool { return c.pairs >= enoughPairs || c.looks >= enoughLooks }

func (c *clumps) mean(prior float64) float64 {
	kept, dropped := c.sum, min(c.pairs/100, maxOutliers)
	for _, value := range c.outliers[dropped:] {
		kept += float64(value)
	}
	return math.Max(1, (prior+kept)/(prior+float64(c.pairs-dropped)))
}

// add takes the next look of stable. One without requests breaks the chain of neighbours.
func (c *clumps) add(next Counts) {
	last := c.last
	c.last = next
	if next.Requests == 0 {
		return
	}
	c.looks++
	m := float64(last.Errors + next.Errors)
	if last.Requests == 0 || m == 0 {
		return
	}
	u := float64(last.Requests) / float64(last.Requests+next.Requests)
	off := float64(last.Errors) - m*u
	c.note(off * off / (m * u * (1 - u)))
}

func (c *clumps) note(value float64) {
	c.pairs++
	// float32 halves the state; a value that is rounded here is rounded for good.
	rounded := float32(value)
	at, _ := slices.BinarySearchFunc(c.outliers[:], rounded, func(a, b float32) int {
		if a > b {
			return -1
		}
		return 1
	})
	if at == maxOutliers {
		c.sum += value
		return
	}
	c.sum += float64(c.outliers[maxOutliers-1])
	copy(c.outliers[at+1:], c.outliers[at:])
	c.outliers[at] = rounded
}
