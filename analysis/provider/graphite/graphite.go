// Package graphite asks Graphite, and what has its render API.
//
// The API is https://graphite.readthedocs.io/en/latest/render_api.html with format=json.
package graphite

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

const queryExample = "sumSeries(shop.{{canary-deployment}}.*.errors)"

// Provider asks one Graphite. It is safe for concurrent use.
type Provider struct{ client *provider.Client }

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	var c provider.Connection
	if err := e.Decode(&c); err != nil {
		return nil, err
	}
	client, err := e.Client(c, "")
	if err != nil {
		return nil, err
	}
	return &Provider{client}, nil
}

// Check says whether q is a target.
func (p *Provider) Check(q provider.Question) error {
	return provider.CheckQuery(q, "Graphite", queryExample, true)
}

// Ask renders the target over the window, and reduces each series to a number. Graphite
// takes its own present time, so the two clocks may differ.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	target, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil {
		return provider.Answer{}, err
	}
	resp, err := p.client.Send(ctx, provider.Request{
		Method: http.MethodGet,
		Path:   "/render",
		Query: url.Values{
			"target": {target},
			"from":   {fmt.Sprintf("-%ds", int(s.Window.Seconds()))},
			"until":  {"now"},
			"format": {"json"},
		},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	return read(resp, q.Reduce)
}

// series is one element of the answer. A point is [value or null, time in seconds].
type series struct {
	Points [][2]*float64 `json:"datapoints"`
}

func read(resp provider.Response, reduce provider.Reduce) (provider.Answer, error) {
	if err := resp.Failed(reason(resp)); err != nil {
		return provider.Answer{}, err
	}
	var all []series
	if err := resp.Decode(&all); err != nil {
		return provider.Answer{}, err
	}
	var numbers []float64
	for _, one := range all {
		var points []float64
		for _, point := range one.Points {
			if point[0] != nil {
				points = append(points, *point[0])
			}
		}
		if number, ok := reduce.Of(points); ok {
			numbers = append(numbers, number)
		}
	}
	return provider.Answer{Numbers: numbers}, nil
}

// reason is why Graphite refused a target: one line of text. "" if it is a page.
func reason(resp provider.Response) string {
	text := strings.TrimSpace(string(resp.Body))
	if strings.HasPrefix(text, "<") {
		return ""
	}
	first, _, _ := strings.Cut(text, "\n")
	return first
}
