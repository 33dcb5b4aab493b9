package backtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// service is a Prometheus with the past of one Service behind Traefik, from three hours
// before noon until its end.
type service struct {
	perSecond float64
	share     float64 // of errors
	clump     int64   // how many errors come together, 0: each alone
	slow      float64 // share of answers slower than 0.5 s
	time      time.Duration
	largest   int           // how many times one answer may have, 0: any number
	restarts  time.Duration // between two restarts of the ingress controller, 0: none
	joins     time.Duration // after noon a second process joins, with a past of its own; 0: none
	silent    bool

	requests, errors, slower []float64 // how many there were until each look
	asked                    int
}

const before = 3 * time.Hour

func (*service) Check(provider.Question) error { return nil }

func (*service) Ask(context.Context, provider.Question, rollout.Subject) (provider.Answer, error) {
	return provider.Answer{}, errors.New("only the past is asked")
}

func (*service) CheckSelector(string) error { return nil }

func (*service) Selector(template string, _ rollout.Subject) (string, error) { return template, nil }

func (s *service) count() {
	random := rand.New(rand.NewPCG(3, 4))
	var requests, bad, slower int64
	sent := 0.0
	for range int((before+s.time)/analysis.Look) + 2 {
		n := int64(sent+s.perSecond*analysis.Look.Seconds()) - int64(sent)
		sent += s.perSecond * analysis.Look.Seconds()
		s.requests = append(s.requests, float64(requests))
		s.errors, s.slower = append(s.errors, float64(bad)), append(s.slower, float64(slower))
		size := max(s.clump, 1)
		failed := min(n, size*binomial(random, n, s.share/float64(size)))
		requests, bad, slower = requests+n, bad+failed, slower+binomial(random, n, s.slow)
	}
}

func (s *service) Range(_ context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	if s.requests == nil {
		s.count()
	}
	s.asked++
	switch times := int(to.Sub(from)/step) + 1; {
	case s.silent:
		return nil, errors.New("connection refused")
	case s.largest > 0 && times > s.largest:
		return nil, provider.ErrTooLarge
	case strings.HasPrefix(query, "queue"):
		return []provider.Series{pointsOf(nil, from, to, step, func(at time.Time) (float64, bool) {
			return float64(at.Minute()), true
		})}, nil
	case strings.Contains(query, "_bucket"):
		fast := func(i int) float64 { return s.requests[i] - s.slower[i] }
		return append(s.process("a", 0, from, to, step, "le", map[string]func(int) float64{
			"0.1": func(i int) float64 { return fast(i) / 2 }, "0.5": fast, "5": s.all, "+Inf": s.all,
		}), provider.Series{Labels: map[string]string{"headgate_track": "canary", "le": "0.5"}}), nil
	}
	answers := map[string]func(int) float64{
		"200": func(i int) float64 { return s.requests[i] - s.errors[i] }, "503": func(i int) float64 { return s.errors[i] },
	}
	series := s.process("a", 0, from, to, step, "code", answers)
	if s.joins > 0 {
		series = append(series, s.process("b", s.joins, from, to, step, "code", answers)...)
	}
	return series, nil
}

func (s *service) all(i int) float64 { return s.requests[i] }

// process are the counters of one process, which joins so long after noon. It begins again
// at zero at each restart.
func (s *service) process(
	name string, joins time.Duration, from, to time.Time, step time.Duration, label string, values map[string]func(int) float64,
) []provider.Series {
	var series []provider.Series
	for value, of := range values {
		labels := map[string]string{"instance": name, "headgate_track": "stable", label: value}
		series = append(series, pointsOf(labels, from, to, step, func(at time.Time) (float64, bool) {
			i := int(at.Sub(noon.Add(-before)) / analysis.Look)
			if i < 0 || i >= len(s.requests) || joins > 0 && at.Before(noon.Add(joins)) {
				return 0, false
			}
			if s.restarts > 0 {
				began := i - i%int(s.restarts/analysis.Look)
				return of(i) - of(began), true
			}
			return of(i), true
		}))
	}
	return series
}

func pointsOf(
	labels map[string]string, from, to time.Time, step time.Duration, value func(at time.Time) (float64, bool),
) provider.Series {
	series := provider.Series{Labels: labels}
	for at := from; !at.After(to); at = at.Add(step) {
		if v, ok := value(at); ok {
			series.Points = append(series.Points, provider.Point{At: at, Value: v})
		}
	}
	return series
}

// pastOf is the past of s under an analysis.
func pastOf(t *testing.T, s *service, text string) *analysis.Past {
	t.Helper()
	judge := analysis.New(analysis.Providers{analysis.DefaultProvider: s}, nil, analysis.Options{Source: analysis.Traefik})
	resolved, err := judge.Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	past, err := resolved.Past(rollout.Subject{
		Namespace: "shop", Deployment: "web", Service: "web", CanaryService: "web-canary", ServicePort: "80", Ingress: "web", Weight: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return past
}

// test simulates half-hour rollouts one after the other from noon on, with a canary of 10%.
func (s *service) test(t *testing.T, text string) Report {
	t.Helper()
	r, err := s.run(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *service) run(t *testing.T, text string) (Report, error) {
	t.Helper()
	const length = 30 * time.Minute
	return Run(t.Context(), pastOf(t, s, text), Options{
		At: Hourly(noon, noon.Add(s.time), length, length), Length: length, Weight: 0.1, Inject: 0.01, Seed: 1,
	})
}
