package analysis

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/headgate/headgate/analysis/evidence"
)

const (
	lookSeconds = 5
	inMinute    = 60 / lookSeconds // looks
	inHour      = 60 * inMinute
)

// Kind is how the errors of a service come about.
type Kind string

// The kinds of streams.
const (
	Plain   Kind = "plain"    // every request fails on its own
	Diurnal Kind = "diurnal"  // traffic moves by 60%, the share of errors by 80%
	Burst   Kind = "burst"    // once, 20% of all requests fail for 60 s on both tracks, and once in the hour before
	Cluster Kind = "cluster"  // errors come in clumps of 10
	Jitter  Kind = "jitter"   // each track's share of errors varies by 30% from look to look
	Retry   Kind = "retry"    // 80% of failed requests come back, up to 3 times, and fail again half of the time
	Cold    Kind = "cold"     // the canary has 3 more points of errors in its first 60 s
	Blip    Kind = "blip"     // once, all requests to the canary fail for 5 s
	BadNode Kind = "bad node" // once, one of two canary pods fails 20% of its requests for 5 minutes
)

// healthy are the kinds in which the canary is as good as stable.
var healthy = []Kind{Plain, Diurnal, Burst, Cluster, Jitter, Retry, Cold}

const (
	burstShare   = 0.2
	clump        = 10
	jitter       = 0.3
	coldRise     = 0.03
	nodeShare    = 0.2
	nodeLooks    = 5 * inMinute
	comesBack    = 0.8
	failsAgain   = 0.5
	timesBack    = 3
	diurnalShare = 0.8
	diurnalFlow  = 0.6
)

// Service is a service and its two versions.
type Service struct {
	Kind    Kind
	Traffic float64 // requests per second, to both versions
	Base    float64 // stable's share of errors
	Rise    float64 // how many points the canary's is higher
	After   int     // looks until the rise
	New     bool    // nothing is known of the time before the rollout
}

// stream makes the requests of one rollout. The same seed makes the same ones.
type stream struct {
	Service
	random        *rand.Rand
	look          int
	flow, errors  float64 // phases of the diurnal waves
	burst, before int     // when the bursts begin, after and before the start
	only          int     // when what happens to the canary only begins
	warm          int     // looks in which the canary had traffic
}

func (s Service) stream(seed, run uint64) *stream {
	random := rand.New(rand.NewPCG(seed, run))
	return &stream{
		Service: s, random: random,
		flow: 2 * math.Pi * random.Float64(), errors: 2 * math.Pi * random.Float64(),
		burst: random.IntN(inHour - inMinute), before: random.IntN(inHour-inMinute) - inHour,
		only: random.IntN(inHour - nodeLooks),
	}
}

// history is what stable did in the hour before.
func (s *stream) history() []evidence.Counts {
	if s.New {
		return nil
	}
	counts := make([]evidence.Counts, 0, inHour)
	for s.look = -inHour; s.look < 0; s.look++ {
		k := s.requests(0)
		counts = append(counts, evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors})
	}
	return counts
}

// next is the next look, with a weight from 0 to 1.
func (s *stream) next(weight float64) evidence.Look {
	k := s.requests(weight)
	s.look++
	if weight > 0 {
		s.warm++
	}
	return k
}

func (s *stream) requests(weight float64) evidence.Look {
	requests := lookSeconds * s.Traffic
	if s.Kind == Diurnal {
		requests *= 1 + diurnalFlow*math.Sin(2*math.Pi*float64(s.look)/inHour+s.flow)
	}
	var k evidence.Look
	k.StableRequests, k.StableErrors = s.track(requests*(1-weight), s.share())
	if weight > 0 {
		k.CanaryRequests, k.CanaryErrors = s.track(requests*weight, s.canaryShare())
	}
	if s.Kind == Retry {
		s.retries(&k, weight)
	}
	return k
}

// share is stable's share of errors in this look.
func (s *stream) share() float64 {
	switch {
	case s.Kind == Diurnal:
		return s.Base * (1 + diurnalShare*math.Sin(2*math.Pi*float64(s.look)/inHour+s.errors))
	case s.Kind == Burst && (within(s.look, s.burst, inMinute) || within(s.look, s.before, inMinute)):
		return max(s.Base, burstShare)
	case s.Kind == Jitter:
		return s.Base * s.jitter()
	default:
		return s.Base
	}
}

func (s *stream) canaryShare() float64 {
	share := s.share()
	if s.look >= s.After {
		share += s.Rise
	}
	switch {
	case s.Kind == Cold && s.warm < inMinute:
		share += coldRise
	case s.Kind == Blip && s.look == s.only:
		share = 1
	case s.Kind == BadNode && within(s.look, s.only, nodeLooks):
		share += nodeShare / 2
	}
	return min(share, 1)
}

func within(look, begin, looks int) bool { return look >= begin && look < begin+looks }

func (s *stream) jitter() float64 {
	const shape = 1 / (jitter * jitter)
	return distuv.Gamma{Alpha: shape, Beta: shape, Src: s.random}.Rand()
}

// track draws the requests of one track and the errors among them.
func (s *stream) track(mean, share float64) (requests, errors int64) {
	if s.Kind == Cluster {
		errors = clump * s.poisson(mean*share/clump)
		return errors + s.poisson(mean*(1-share)), errors
	}
	errors = s.poisson(mean * share)
	return errors + s.poisson(mean*(1-share)), errors
}

// retries adds the requests that failed and come back. Each is routed anew.
func (s *stream) retries(k *evidence.Look, weight float64) {
	failed := k.StableErrors + k.CanaryErrors
	for range timesBack {
		back := s.binomial(failed, comesBack)
		canary := s.binomial(back, weight)
		canaryFailed, stableFailed := s.binomial(canary, failsAgain), s.binomial(back-canary, failsAgain)
		k.CanaryRequests += canary
		k.CanaryErrors += canaryFailed
		k.StableRequests += back - canary
		k.StableErrors += stableFailed
		failed = canaryFailed + stableFailed
	}
}

func (s *stream) poisson(mean float64) int64 {
	if mean <= 0 {
		return 0
	}
	return int64(distuv.Poisson{Lambda: mean, Src: s.random}.Rand())
}

func (s *stream) binomial(n int64, p float64) int64 {
	if n == 0 || p == 0 {
		return 0
	}
	return int64(distuv.Binomial{N: float64(n), P: p, Src: s.random}.Rand())
}
