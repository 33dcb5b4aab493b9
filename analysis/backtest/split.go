package backtest

import (
	"math"
	"math/rand/v2"

	"github.com/headgate/headgate/analysis/evidence"
)

// split gives a part of what stable did in one look to a canary: weight is its share of the
// requests, from 0 to 1. Bad answers go in clumps of about so many.
//
// Each good answer and each clump is chosen by itself. So, without clumps, the bad answers of
// the canary are hypergeometric for the number of requests that it got.
func split(random *rand.Rand, all evidence.Counts, weight, clump float64) evidence.Look {
	bad := chooseClumps(random, all.Errors, weight, clump)
	requests := bad + binomial(random, all.Requests-all.Errors, weight)
	return evidence.Look{
		StableRequests: all.Requests - requests, StableErrors: all.Errors - bad,
		CanaryRequests: requests, CanaryErrors: bad,
	}
}

// chooseClumps chooses among bad answers. They are made into clumps of almost one size.
//
// Example: 20 bad answers in clumps of 8 are three clumps: two of 7 and one of 6.
func chooseClumps(random *rand.Rand, bad int64, weight, clump float64) int64 {
	if bad <= 0 {
		return 0
	}
	clumps := max(1, int64(math.Round(float64(bad)/clump)))
	size, larger := bad/clumps, bad%clumps
	return (size+1)*binomial(random, larger, weight) + size*binomial(random, clumps-larger, weight)
}

// inject turns each good answer of the canary into a bad one with a chance of share.
func inject(random *rand.Rand, k evidence.Look, share float64) evidence.Look {
	k.CanaryErrors += binomial(random, k.CanaryRequests-k.CanaryErrors, share)
	return k
}

// fewExpected is up to how many successes are counted one by one.
const fewExpected = 10

// binomial returns how many of n things happen, each with the chance p.
func binomial(random *rand.Rand, n int64, p float64) int64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(random, n, 1-p)
	case float64(n)*p < fewExpected:
		return fewOf(random, n, p)
	}
	return manyOf(random, n, p)
}

// fewOf goes from one success to the next: the gap between them is geometric.
func fewOf(random *rand.Rand, n int64, p float64) int64 {
	count, at := int64(0), 0.0
	for {
		at += math.Floor(math.Log(1-random.Float64())/math.Log1p(-p)) + 1
		if at > float64(n) {
			return count
		}
		count++
	}
}

// manyOf is the transformed rejection of Hörmann, "The generation of binomial random
// variates" (1993), algorithm BTRS, with its constants. It is exact.
func manyOf(random *rand.Rand, n int64, p float64) int64 {
	total, q := float64(n), 1-p
	deviation := math.Sqrt(total * p * q)
	b := 1.15 + 2.53*deviation
	a := -0.0873 + 0.0248*b + 0.01*p
	alpha := (2.83 + 5.1/b) * deviation
	mode := math.Floor((total + 1) * p)
	for {
		u, v := random.Float64()-0.5, 1-random.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + total*p + 0.5)
		if k < 0 || k > total {
			continue
		}
		if us >= 0.07 && v <= 0.92-4.2/b {
			return int64(k)
		}
		if math.Log(v*alpha/(a/(us*us)+b)) <= logChance(total, k, p)-logChance(total, mode, p) {
			return int64(k)
		}
	}
}

// logChance is the logarithm of the chance of k successes among n, less a constant of n.
func logChance(n, k, p float64) float64 {
	successes, _ := math.Lgamma(k + 1)
	rest, _ := math.Lgamma(n - k + 1)
	return k*math.Log(p/(1-p)) - successes - rest
}
