// Package cloudwatch asks Amazon CloudWatch for metrics.
//
// The operation is GetMetricData, as JSON in a POST request:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
// Only the signature and the credentials come from the SDK: its client for CloudWatch
// would be several times as large.
package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

const queryExample = "SELECT MAX(pod_cpu_utilization) FROM ContainerInsights WHERE PodName = '{{canary-deployment}}'"

// period is that of the points, the shortest that every metric has.
const period = time.Minute

// Provider asks one region of one account. It is safe for concurrent use.
type Provider struct {
	client *provider.Client
	now    func() time.Time
}

type settings struct {
	provider.Connection
	Region              string `json:"region"`
	AccessKeyIDFile     string `json:"accessKeyIDFile"`
	SecretAccessKeyFile string `json:"secretAccessKeyFile"`
	SessionTokenFile    string `json:"sessionTokenFile"`
}

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	var s settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	if s.Region == "" {
		return nil, errors.New("region is missing: write for example region: eu-central-1")
	}
	credentials, err := credentialsFor(e, s)
	if err != nil {
		return nil, err
	}
	client, err := e.Client(s.Connection, "https://monitoring."+s.Region+".amazonaws.com")
	if err != nil {
		return nil, err
	}
	p := &Provider{client, time.Now}
	client.HTTP.Transport = newSigner(client.HTTP.Transport, credentials, s.Region, func() time.Time { return p.now() })
	return p, nil
}

// Check says whether q is a query: one expression, or a list of MetricDataQuery in JSON.
func (p *Provider) Check(q provider.Question) error {
	if err := provider.CheckQuery(q, "CloudWatch", queryExample, true); err != nil {
		return err
	}
	text, err := provider.Sample(q.Query)
	if err != nil {
		return err
	}
	_, err = queriesOf(text)
	return err
}

// queriesOf returns the MetricDataQueries for a query.
func queriesOf(query string) ([]map[string]any, error) {
	if !strings.HasPrefix(query, "[") {
		return []map[string]any{{"Id": "q", "Expression": query, "Period": int(period.Seconds())}}, nil
	}
	var queries []map[string]any
	if err := json.Unmarshal([]byte(query), &queries); err != nil || len(queries) == 0 {
		return nil, errors.New(`query begins with [ and is not a list of MetricDataQuery in JSON: write for example ` +
			`[{"Id": "errors", "Expression": "SUM(SEARCH('…', 'Sum', 60))"}]`)
	}
	return queries, nil
}

// Ask gets the points of the window in whole minutes, and reduces each series to a
// number. Example: a window of 90 seconds that ends at 12:05:20 is 12:03 to 12:05.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	query, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil {
		return provider.Answer{}, err
	}
	queries, err := queriesOf(query)
	if err != nil {
		return provider.Answer{}, err
	}
	end := p.now().Truncate(period)
	window := (s.Window + period - 1).Truncate(period)
	body, err := json.Marshal(map[string]any{
		"StartTime":         end.Add(-window).Unix(),
		"EndTime":           end.Unix(),
		"MetricDataQueries": queries,
		"ScanBy":            "TimestampAscending",
	})
	if err != nil {
		return provider.Answer{}, err // cannot happen: the queries were decoded from JSON
	}
	resp, err := p.client.Send(ctx, provider.Request{
		Method: http.MethodPost,
		Path:   "/",
		Body:   body,
		Header: http.Header{
			"Accept":           {"application/json"},
			"Content-Type":     {"application/json"},
			"Content-Encoding": {"amz-1.0"},
			"X-Amz-Target":     {"GraniteServiceVersion20100801.GetMetricData"},
		},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	return read(resp, q.Reduce)
}

// answer is what CloudWatch returns; Type and Message are of an error.
type answer struct {
	Type    string `json:"__type"`
	Message string `json:"message"`

	NextToken string
	Results   []struct {
		Label      string
		StatusCode string
		Values     []float64
	} `json:"MetricDataResults"`
}

func read(resp provider.Response, reduce provider.Reduce) (provider.Answer, error) {
	var a answer
	decoding := resp.Decode(&a)
	if err := failed(resp, a); err != nil {
		return provider.Answer{}, err
	}
	if decoding != nil {
		return provider.Answer{}, decoding
	}
	var got provider.Answer
	if a.NextToken != "" {
		got.Warnings = append(got.Warnings, "there are more points than one answer has: use a shorter interval or fewer metrics")
	}
	for _, series := range a.Results {
		if series.StatusCode != "Complete" {
			got.Warnings = append(got.Warnings, fmt.Sprintf("%s is %s", series.Label, series.StatusCode))
		}
		if number, ok := reduce.Of(series.Values); ok {
			got.Numbers = append(got.Numbers, number)
		}
	}
	return got, nil
}

// failed is provider.Response.Failed, but goes by the type of an error: CloudWatch also
// answers 400 where it throttles or knows no credentials.
func failed(resp provider.Response, a answer) error {
	_, kind, found := strings.Cut(a.Type, "#")
	if !found {
		kind = a.Type
	}
	switch {
	case resp.Status/100 == 2:
		return nil
	case strings.HasPrefix(kind, "Throttl"), kind == "LimitExceededException", kind == "RequestLimitExceeded":
		resp.Status = http.StatusTooManyRequests
	case strings.HasPrefix(kind, "AccessDenied"), strings.Contains(kind, "Token"), strings.Contains(kind, "Signature"),
		strings.Contains(kind, "Authentication"):
		resp.Status = http.StatusForbidden
	}
	return resp.Failed(a.Message)
}
