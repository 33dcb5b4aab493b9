// Package queries runs the queries of the built-in metrics in Prometheus's own engine.
package queries

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Prometheus scrapes every 15 s, 41 times from 0 to the moment of the measurement. The
// window of 1m30s has the last six scrapes: the 35th is at its beginning and outside.
const (
	scrape = 15 * time.Second
	window = 90 * time.Second
	moment = 10 * time.Minute
)

// prometheus answers queries from its series.
type prometheus struct {
	promv1.API

	engine *promql.Engine
	series []storage.Series
}

// newPrometheus takes series in the notation of Prometheus's own tests: "7x3" are four
// samples of 7, "_x3" three scrapes without a sample, and "stale" is what Prometheus
// stores once a series, or its target, is gone.
func newPrometheus(t *testing.T, descriptions ...string) prometheus {
	t.Helper()
	language := parser.NewParser(parser.Options{})
	p := prometheus{engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, Parser: language})}
	t.Cleanup(func() { _ = p.engine.Close() })
	for _, description := range descriptions {
		name, values, err := language.ParseSeriesDesc(description)
		if err != nil {
			t.Fatalf("%s: %v", description, err)
		}
		series := promql.Series{Metric: name}
		for i, value := range values {
			if !value.Omitted {
				at := time.Duration(i) * scrape
				series.Floats = append(series.Floats, promql.FPoint{T: at.Milliseconds(), F: value.Value})
			}
		}
		p.series = append(p.series, promql.NewStorageSeries(series))
	}
	return p
}

func (p prometheus) Query(
	ctx context.Context, query string, _ time.Time, _ ...promv1.Option,
) (model.Value, promv1.Warnings, promv1.Infos, error) {
	prepared, err := p.engine.NewInstantQuery(ctx, p.storage(), nil, query, time.Unix(0, 0).Add(moment))
	if err != nil {
		return nil, nil, nil, err
	}
	defer prepared.Close()
	result := prepared.Exec(ctx)
	answer, err := result.Vector()
	if err != nil {
		return nil, nil, nil, err
	}
	values := model.Vector{}
	for _, sample := range answer {
		values = append(values, &model.Sample{Value: model.SampleValue(sample.F)})
	}
	warnings, infos := result.Warnings.AsStrings(query, 0, 0)
	return values, warnings, infos, nil
}

func (p prometheus) QueryRange(
	ctx context.Context, query string, r promv1.Range, _ ...promv1.Option,
) (model.Value, promv1.Warnings, promv1.Infos, error) {
	prepared, err := p.engine.NewRangeQuery(ctx, p.storage(), nil, query, r.Start, r.End, r.Step)
	if err != nil {
		return nil, nil, nil, err
	}
	defer prepared.Close()
	result := prepared.Exec(ctx)
	answer, err := result.Matrix()
	if err != nil {
		return nil, nil, nil, err
	}
	matrix := model.Matrix{}
	for _, series := range answer {
		stream := &model.SampleStream{Metric: model.Metric{}}
		series.Metric.Range(func(l labels.Label) { stream.Metric[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
		for _, point := range series.Floats {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.Time(point.T), Value: model.SampleValue(point.F)})
		}
		matrix = append(matrix, stream)
	}
	warnings, infos := result.Warnings.AsStrings(query, 0, 0)
	return matrix, warnings, infos, nil
}

func (p prometheus) storage() storage.Queryable {
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return &selection{next: slices.DeleteFunc(slices.Clone(p.series), func(s storage.Series) bool {
				return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) })
			})}
		},
	}}
}

// one is the number that query yields, or "nothing".
func (p prometheus) one(t *testing.T, query string) string {
	t.Helper()
	value, _, _, err := p.Query(t.Context(), query, time.Time{})
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	switch answer := value.(model.Vector); len(answer) {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprintf("%.4g", float64(answer[0].Value))
	default:
		t.Fatalf("%d samples\n%s", len(answer), query)
		return ""
	}
}

// selection is the series that one selector of a query matches.
type selection struct {
	at   storage.Series
	next []storage.Series
}

func (s *selection) Next() bool {
	if len(s.next) == 0 {
		return false
	}
	s.at, s.next = s.next[0], s.next[1:]
	return true
}

func (s *selection) At() storage.Series                { return s.at }
func (s *selection) Err() error                        { return nil }
func (s *selection) Warnings() annotations.Annotations { return nil }
