package backtest

import (
	"math/rand/v2"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/evidence"
)

// Even is a service whose traffic and errors never change, for the question how many
// requests a test needs. There is no past to ask: it is made up, and the same values give
// the same answer.
type Even struct {
	Rule     evidence.Rule
	Requests float64       // of both versions, in a second
	Weight   float64       // the canary's share of them, more than 0 and less than 1
	Bad      float64       // share of bad answers of stable
	Inject   float64       // share of the canary's good answers that are bad in a faulty version
	Limit    time.Duration // a rollout that knows nothing by then counts as never
	Runs     int           // how many rollouts are made up
	Seed     uint64
}

// Needed is how long a test took. 0: never, in so many rollouts.
type Needed struct {
	Median time.Duration // until half of the faulty versions were rolled back
	Slow   time.Duration // until 19 of 20 were
	Pass   time.Duration // until 19 of 20 healthy versions had their first Pass at this weight
	Fired  int           // how many healthy versions were rolled back
}

// Try makes up the rollouts.
func (e Even) Try() Needed {
	random := rand.New(rand.NewPCG(e.Seed, 0))
	known := e.past(random)
	var n Needed
	var found, passed []int
	for range e.Runs {
		healthy, broken := e.run(random, known)
		if healthy.failed > 0 {
			n.Fired++
		}
		found, passed = append(found, broken.failed), append(passed, healthy.firstPass)
	}
	n.Median, n.Slow, n.Pass = seconds(quantile(found, 0.5)), seconds(quantile(found, 0.95)), seconds(quantile(passed, 0.95))
	return n
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// past is what a test knows of stable from the hour before.
func (e Even) past(random *rand.Rand) evidence.Evidence {
	var known evidence.Evidence
	var hour []evidence.Counts
	for look := range int(time.Hour / analysis.Look) {
		hour = append(hour, e.look(random, look))
	}
	known.History(e.Rule, hour)
	return known
}

// look is what happens in one look. Example: with 0.3 requests in a second the first looks have
// 1, 2, 1 and 2 requests.
func (e Even) look(random *rand.Rand, number int) evidence.Counts {
	each := e.Requests * analysis.Look.Seconds()
	requests := int64(float64(number+1)*each) - int64(float64(number)*each)
	return evidence.Counts{Requests: requests, Errors: binomial(random, requests, e.Bad)}
}

func (e Even) run(random *rand.Rand, known evidence.Evidence) (healthy, broken course) {
	ok, faulty := known, known
	for look := range int(e.Limit / analysis.Look) {
		k := split(random, e.look(random, look), e.Weight, 1)
		if healthy.failed == 0 && healthy.firstPass == 0 {
			ok.Add(e.Rule, k)
			healthy.note(look+1, ok.Verdict(e.Rule).Outcome)
		}
		k = inject(random, k, e.Inject)
		if faulty.Add(e.Rule, k); faulty.Verdict(e.Rule).Outcome == evidence.Fail {
			broken.failed = look + 1
		}
		if broken.failed > 0 && (healthy.failed > 0 || healthy.firstPass > 0) {
			break
		}
	}
	return healthy, broken
}

func (c *course) note(look int, outcome evidence.Outcome) {
	switch outcome {
	case evidence.Fail:
		c.failed = look
	case evidence.Pass, evidence.Cleared:
		c.firstPass = look
	case evidence.Undecided, evidence.StableUnhealthy:
	}
}
