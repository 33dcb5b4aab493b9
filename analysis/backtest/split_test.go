package backtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headgate/headgate/analysis/evidence"
)

const draws = 200_000

// Each count is compared with the chance that the formula gives it. The sum of the squared
// and scaled differences is about as large as there are counts.
func TestBinomial(t *testing.T) {
	for _, tt := range []struct {
		n int64
		p float64
	}{{1, 0.3}, {40, 0.1}, {99, 0.1}, {101, 0.1}, {400, 0.3}, {50_000, 0.001}, {60, 0.8}, {1000, 0.98}} {
		t.Run(fmt.Sprint(tt.n, tt.p), func(t *testing.T) {
			random := rand.New(rand.NewPCG(5, 6))
			counts := map[int64]int{}
			for range draws {
				counts[binomial(random, tt.n, tt.p)]++
			}
			n, none := float64(tt.n), 0.0
			none, _ = math.Lgamma(n + 1)
			none += n * math.Log(1-tt.p)
			sum, cells := 0.0, 0
			for k := range tt.n + 1 {
				expected := draws * math.Exp(none+logChance(n, float64(k), tt.p))
				if expected < 20 {
					continue
				}
				off := float64(counts[k]) - expected
				sum += off * off / expected
				cells++
			}
			if limit := float64(cells) + 5*math.Sqrt(2*float64(cells)); sum > limit {
				t.Errorf("the differences are %.1f, want at most %.1f for %d counts", sum, limit, cells)
			}
		})
	}
}

func TestBinomialAtItsEnds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, tt := range []struct {
		n    int64
		p    float64
		want int64
	}{{0, 0.5, 0}, {-1, 0.5, 0}, {9, 0, 0}, {9, 1, 9}} {
		if got := binomial(random, tt.n, tt.p); got != tt.want {
			t.Errorf("%d with chance %v: %d, want %d", tt.n, tt.p, got, tt.want)
		}
	}
}

// 400 requests, 20 of them bad, 10% to the canary. Without clumps the bad ones of a canary
// with 40 requests are hypergeometric: mean 40*20/400 = 2, variance
// 2 * (1-20/400) * (400-40)/(400-1) = 1.714.
func TestSplitWithoutClumps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var count, sum, squares float64
	for range draws {
		k := split(random, evidence.Counts{Requests: 400, Errors: 20}, 0.1, 1)
		if !k.Valid() || k.StableRequests+k.CanaryRequests != 400 || k.StableErrors+k.CanaryErrors != 20 {
			t.Fatalf("%+v", k)
		}
		if k.CanaryRequests == 40 {
			count++
			sum += float64(k.CanaryErrors)
			squares += float64(k.CanaryErrors * k.CanaryErrors)
		}
	}
	mean := sum / count
	variance := squares/count - mean*mean
	if math.Abs(mean-2) > 0.06 || math.Abs(variance-1.714) > 0.12 {
		t.Errorf("mean %.3f and variance %.3f of %v", mean, variance, count)
	}
}

func TestSplitOfClumps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen, mean := map[int64]bool{}, 0.0
	for range draws {
		k := split(random, evidence.Counts{Requests: 20, Errors: 20}, 0.3, 8)
		if seen[k.CanaryErrors] = true; k.CanaryRequests != k.CanaryErrors {
			t.Fatalf("%+v", k)
		}
		mean += float64(k.CanaryErrors) / draws
	}
	// Two clumps of 7 and one of 6.
	for n := range int64(21) {
		want := n == 0 || n == 6 || n == 7 || n == 13 || n == 14 || n == 20
		if seen[n] != want {
			t.Errorf("%d bad answers: %v, want %v", n, seen[n], want)
		}
	}
	if math.Abs(mean-6) > 0.1 {
		t.Errorf("the mean is %.2f, want 30%% of 20", mean)
	}
}

func TestInject(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	mean := 0.0
	for range draws {
		k := inject(random, evidence.Look{StableRequests: 900, StableErrors: 9, CanaryRequests: 100, CanaryErrors: 20}, 0.05)
		if k.StableErrors != 9 || k.CanaryRequests != 100 || k.CanaryErrors < 20 {
			t.Fatalf("%+v", k)
		}
		mean += float64(k.CanaryErrors) / draws
	}
	if math.Abs(mean-24) > 0.05 { // 5% of 80
		t.Errorf("the mean is %.2f, want 24", mean)
	}
}
