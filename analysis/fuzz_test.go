package analysis

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// steady gives the same answer to every question: the number 0.5, and a canary with 1000
// requests a second.
type steady struct{}

func (steady) Check(provider.Question) error { return nil }

func (steady) Ask(context.Context, provider.Question, rollout.Subject) (provider.Answer, error) {
	return provider.Answer{Numbers: []float64{0.5}}, nil
}

func (steady) CheckSelector(string) error { return nil }

func (steady) Selector(template string, _ rollout.Subject) (string, error) { return template, nil }

func (steady) Range(_ context.Context, _ string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	canary := provider.Series{Labels: map[string]string{"track": "canary", "le": "+Inf", countsLabel: "total"}}
	for at := from; !at.After(to); at = at.Add(step) {
		canary.Points = append(canary.Points, provider.Point{At: at, Value: 1000 * at.Sub(from).Seconds()})
	}
	return []provider.Series{canary}, nil
}

// What the judge stored comes back in a condition, or in an annotation of the canary that
// whoever may edit Deployments of the namespace may edit. Whatever it says, a measurement
// has a verdict, and what it stores is read again.
func FuzzRecord(f *testing.F) {
	for _, text := range []string{
		"", "{", "null", `{"at":"2026-01-01T12:00:00Z","since":"2026-01-01T12:00:00Z","metrics":{}}`,
		`{"metrics":{"errors":{"comparison":"x","every":-1,"evidence":"AQ"}}}`,
		`{"metrics":{"errors":null},"tallies":{"own":null},"waits":{"p99":""}}`,
		`{"tallies":{"own":{"failures":-9,"inRow":9,"last":{"at":"0001-01-01T00:00:00Z","count":-1,"verdict":"x"}}}}`,
		`{"at":"9999-12-31T23:59:59Z","begun":"0001-01-01T00:00:00Z","since":"9999-12-31T23:59:59Z"}`,
	} {
		f.Add(text)
	}
	now := time.Date(2026, 1, 1, 12, 5, 0, 0, time.UTC)
	judge := New(Providers{DefaultProvider: steady{}}, fake.NewClientBuilder().Build(), Options{
		Source: Traefik, Now: func() time.Time { return now },
	})
	rules, err := judge.Resolve(f.Context(), "shop",
		`{metrics: [{name: auto}, {name: own, query: x, condition: "< 1", failureLimit: 3, interval: 1m}]}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := rollout.Subject{
			Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", Weight: 10, Window: time.Minute,
			Since: now.Add(-2 * time.Minute), Evidence: text,
		}
		for range 2 {
			m := rules.Measure(t.Context(), s)
			if m.Verdict == "" || m.Message == "" {
				t.Fatalf("%q: %+v", s.Evidence, m)
			}
			s.Evidence = m.Evidence
		}
	})
}

// A recipe and the values for its parameters give an analysis or an error, and a value
// never changes which metrics there are.
func FuzzRecipe(f *testing.F) {
	f.Add("max: 1%\n", "errors: at-most {{max}}", "max", "2%")
	f.Add("max:\n", "success-rate >= {{max}}", "max", "99%")
	f.Add("query: up", `{metrics: [{name: q, query: "{{query}}", condition: "< 1"}]}`, "query", "down")
	f.Add("", "p99 <= 500ms", "", "")
	f.Add("a: &a [*a]", "{{a}}", "a", "x")
	f.Fuzz(func(t *testing.T, parameters, analysis, name, value string) {
		cm := &corev1.ConfigMap{Data: map[string]string{keyAnalysis: analysis, keyParameters: parameters}}
		reference := "configmap/web"
		if name != "" {
			reference += ", " + name + "=" + value
		}
		a, err := Parse(reference)
		if err != nil {
			return
		}
		filled, err := fillIn(cm, a.Parameters)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without a text")
			}
			return
		}
		with, err := Parse(filled)
		if err != nil || len(a.Parameters) == 0 || with.ConfigMap != "" {
			return
		}
		cm.Data[keyParameters] = ""
		if without, err := Parse(analysis); err == nil && len(without.Metrics) != len(with.Metrics) {
			t.Errorf("%s makes %d metrics of %d", reference, len(with.Metrics), len(without.Metrics))
		}
	})
}
