// Package prometheus asks Prometheus, and everything that has its HTTP API: Thanos,
// Mimir, Cortex, VictoriaMetrics.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// maxSamples bounds the answer to one query: {__name__=~".+"} is a valid query
// and must not fill the memory of the manager. Prometheus adds a warning when it
// truncates an answer, and an answer with a warning is never a Pass.
const maxSamples = 1000

// Provider asks one Prometheus. It is safe for concurrent use.
type Provider struct {
	api            promv1.API // nil: none is configured
	timeout        time.Duration
	namespaceLabel string
}

type settings struct {
	provider.Connection

	// NamespaceLabel replaces the one of the entry. "" is a value: queries then see
	// every namespace.
	NamespaceLabel *string `json:"namespaceLabel"`
}

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	s := settings{NamespaceLabel: &e.NamespaceLabel}
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	c, err := e.Client(s.Connection, "")
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.Config{Address: c.Address.String(), Client: c.HTTP})
	if err != nil {
		return nil, err
	}
	return Of(promv1.NewAPI(client), e.Timeout, *s.NamespaceLabel), nil
}

// Of returns a provider that asks an API. Each query may take timeout. Every selector of
// a user's query is confined to the namespace of the Deployment by namespaceLabel, unless
// that is "".
func Of(prom promv1.API, timeout time.Duration, namespaceLabel string) *Provider {
	return &Provider{api: prom, timeout: timeout, namespaceLabel: namespaceLabel}
}

// None returns a provider that checks queries and whose answer is that there is no
// Prometheus.
func None() *Provider { return &Provider{} }

// Check says whether q is a template of valid PromQL that yields numbers.
func (p *Provider) Check(q provider.Question) error {
	if err := provider.CheckQuery(q, "PromQL", queryExample, false); err != nil {
		return err
	}
	return checkQuery(q.Query)
}

// Ask sends one query. It sends no time, so Prometheus takes its own present time and
// the two clocks may differ.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	if p.api == nil {
		return provider.Answer{}, provider.NotConfigured("no Prometheus is configured: set HEADGATE_PROMETHEUS_ADDRESS")
	}
	query, err := p.queryFor(q, s)
	if err != nil {
		return provider.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	value, warnings, _, err := p.api.Query(ctx, query, time.Time{}, promv1.WithTimeout(p.timeout), promv1.WithLimit(maxSamples))
	if err != nil {
		return provider.Answer{}, explain(err, p.timeout)
	}
	numbers, err := numbersOf(value)
	return provider.Answer{Numbers: numbers, Warnings: warnings}, err
}

// queryFor is the PromQL of q for s.
func (p *Provider) queryFor(q provider.Question, s rollout.Subject) (string, error) {
	if q.BuiltIn {
		return q.Query, nil
	}
	query, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil || p.namespaceLabel == "" {
		return query, err
	}
	return confine(query, p.namespaceLabel, s.Namespace)
}

// Selector fills in the variables of a selector for s, and confines it as a query is.
func (p *Provider) Selector(template string, s rollout.Subject) (string, error) {
	return p.queryFor(provider.Question{Query: template}, s)
}

// numbersOf returns the numbers in value. It refuses histogram samples: their Value
// is 0, which would satisfy any condition such as "< 1".
func numbersOf(value model.Value) ([]float64, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return []float64{float64(v.Value)}, nil
	case model.Vector:
		numbers := make([]float64, 0, len(v))
		for _, sample := range v {
			if sample.Histogram != nil {
				return nil, provider.QueryFault("yields histograms, want numbers: use histogram_quantile or histogram_fraction")
			}
			numbers = append(numbers, float64(sample.Value))
		}
		return numbers, nil
	}
	return nil, fmt.Errorf("unexpected answer of type %T", value)
}

// explain reduces err to its cause, and returns a QueryFault if that is the query.
func explain(err error, timeout time.Duration) error {
	if answer, ok := errors.AsType[*promv1.Error](err); ok {
		if answer.Type == promv1.ErrBadData || answer.Type == promv1.ErrExec {
			return provider.QueryFault("is refused by Prometheus: " + answer.Msg)
		}
		return errors.New(answer.Msg)
	}
	return provider.Explain(err, timeout)
}

// Range evaluates a query that Headgate wrote at from, from+step and so on until to. The
// same range is asked with the same words, so its answer is the same too.
func (p *Provider) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]provider.Series, error) {
	if p.api == nil {
		return nil, provider.NotConfigured("no Prometheus is configured: set HEADGATE_PROMETHEUS_ADDRESS")
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	value, warnings, _, err := p.api.QueryRange(ctx, query, promv1.Range{Start: from, End: to, Step: step}, promv1.WithTimeout(p.timeout))
	if err != nil {
		return nil, explain(err, p.timeout)
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("the answer may be incomplete: %s", warnings[0])
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("unexpected answer of type %T", value)
	}
	series := make([]provider.Series, 0, len(matrix))
	for _, stream := range matrix {
		series = append(series, seriesOf(stream))
	}
	return series, nil
}

func seriesOf(stream *model.SampleStream) provider.Series {
	s := provider.Series{Labels: map[string]string{}, Points: make([]provider.Point, 0, len(stream.Values))}
	for name, value := range stream.Metric {
		s.Labels[string(name)] = string(value)
	}
	for _, pair := range stream.Values {
		s.Points = append(s.Points, provider.Point{At: pair.Timestamp.Time(), Value: float64(pair.Value)})
	}
	return s
}
