// Package datadog asks Datadog for points of time.
//
// The API is "Query timeseries points", version 1:
// https://docs.datadoghq.com/api/latest/metrics/query-timeseries-points/
package datadog

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

const (
	knownAddress = "https://api.datadoghq.com"
	queryExample = "avg:trace.http.request.errors{kube_namespace:{{namespace}},kube_replica_set:{{canary-replicaset}}}.as_rate()"
)

// Provider asks one organization. It is safe for concurrent use.
type Provider struct {
	client *provider.Client
	now    func() time.Time
}

type settings struct {
	provider.Connection
	APIKeyFile         string `json:"apiKeyFile"`
	ApplicationKeyFile string `json:"applicationKeyFile"`
}

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	var s settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	if s.APIKeyFile == "" || s.ApplicationKeyFile == "" {
		return nil, errors.New("apiKeyFile or applicationKeyFile is missing: " +
			"write for example apiKeyFile: datadog-api-key and applicationKeyFile: datadog-application-key")
	}
	s.AddHeaderFile("DD-API-KEY", s.APIKeyFile)
	s.AddHeaderFile("DD-APPLICATION-KEY", s.ApplicationKeyFile)
	client, err := e.Client(s.Connection, knownAddress)
	if err != nil {
		return nil, err
	}
	return &Provider{client, time.Now}, nil
}

// Check says whether q is a query.
func (p *Provider) Check(q provider.Question) error {
	return provider.CheckQuery(q, "Datadog", queryExample, true)
}

// Ask sends the query for the points of the window, and reduces each series to a number.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	query, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil {
		return provider.Answer{}, err
	}
	now := p.now()
	resp, err := p.client.Send(ctx, provider.Request{
		Method: http.MethodGet,
		Path:   "/api/v1/query",
		Query: url.Values{
			"from":  {strconv.FormatInt(now.Add(-s.Window).Unix(), 10)},
			"to":    {strconv.FormatInt(now.Unix(), 10)},
			"query": {query},
		},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	return read(resp, q.Reduce)
}

// answer is what Datadog returns. A point is [time in milliseconds, value or null].
type answer struct {
	Status string   `json:"status"`
	Error  string   `json:"error"`
	Errors []string `json:"errors"` // with a status other than 2xx
	Series []struct {
		Points [][2]*float64 `json:"pointlist"`
	} `json:"series"`
}

func read(resp provider.Response, reduce provider.Reduce) (provider.Answer, error) {
	var a answer
	decoding := resp.Decode(&a)
	if err := resp.Failed(strings.Join(a.Errors, "; ")); err != nil {
		return provider.Answer{}, err
	}
	if decoding != nil {
		return provider.Answer{}, decoding
	}
	if a.Status == "error" || a.Error != "" {
		return provider.Answer{}, provider.Faultf("is refused: %s", provider.Shorten(a.Error))
	}
	var numbers []float64
	for _, series := range a.Series {
		var points []float64
		for _, point := range series.Points {
			if point[1] != nil {
				points = append(points, *point[1])
			}
		}
		if number, ok := reduce.Of(points); ok {
			numbers = append(numbers, number)
		}
	}
	return provider.Answer{Numbers: numbers}, nil
}
