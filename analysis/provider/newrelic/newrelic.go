// Package newrelic asks New Relic with NRQL through NerdGraph, its GraphQL API:
// https://docs.newrelic.com/docs/apis/nerdgraph/examples/nerdgraph-nrql-tutorial/
package newrelic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

const (
	knownAddress = "https://api.newrelic.com"
	queryExample = "SELECT percentage(count(*), WHERE error IS true) FROM Transaction " +
		"WHERE podName LIKE '{{canary-replicaset}}-%' SINCE {{window-seconds}} seconds ago"
)

// document is the GraphQL document of every request. The account and the query are
// variables of it, so a query cannot change it.
const document = `query($account: Int!, $nrql: Nrql!) { actor { account(id: $account) { nrql(query: $nrql) { results } } } }`

// Provider asks about one account. It is safe for concurrent use.
type Provider struct {
	client  *provider.Client
	account int
}

type settings struct {
	provider.Connection
	Account    int    `json:"account"`
	APIKeyFile string `json:"apiKeyFile"`
}

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	var s settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	if s.Account <= 0 || s.APIKeyFile == "" {
		return nil, errors.New("account or apiKeyFile is missing: write for example account: 1234567 and apiKeyFile: newrelic-user-key")
	}
	s.AddHeaderFile("API-Key", s.APIKeyFile)
	client, err := e.Client(s.Connection, knownAddress)
	if err != nil {
		return nil, err
	}
	return &Provider{client, s.Account}, nil
}

// Check says whether q is a query.
func (p *Provider) Check(q provider.Question) error {
	return provider.CheckQuery(q, "NRQL", queryExample, false)
}

// Ask sends the query. Each row of the result must have one number.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	query, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil {
		return provider.Answer{}, err
	}
	body, err := json.Marshal(map[string]any{
		"query":     document,
		"variables": map[string]any{"account": p.account, "nrql": query},
	})
	if err != nil {
		return provider.Answer{}, err // cannot happen: strings and a number
	}
	resp, err := p.client.Send(ctx, provider.Request{
		Method: http.MethodPost,
		Path:   "/graphql",
		Body:   body,
		Header: http.Header{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	return read(resp)
}

// answer is what NerdGraph returns. It has errors with status 200, too.
type answer struct {
	Data struct {
		Actor struct {
			Account struct {
				NRQL *struct {
					Results []map[string]any `json:"results"`
				} `json:"nrql"`
			} `json:"account"`
		} `json:"actor"`
	} `json:"data"`
	Errors []struct {
		Message    string `json:"message"`
		Extensions struct {
			Class string `json:"errorClass"`
		} `json:"extensions"`
	} `json:"errors"`
}

func read(resp provider.Response) (provider.Answer, error) {
	if err := resp.Failed(""); err != nil {
		return provider.Answer{}, err
	}
	var a answer
	if err := resp.Decode(&a); err != nil {
		return provider.Answer{}, err
	}
	if len(a.Errors) > 0 {
		return provider.Answer{}, explain(a.Errors[0].Extensions.Class, a.Errors[0].Message)
	}
	if a.Data.Actor.Account.NRQL == nil {
		return provider.Answer{}, errors.New("its answer has no result: may Headgate's key read this account?")
	}
	numbers, err := provider.NumbersOfRows(a.Data.Actor.Account.NRQL.Results, "beginTimeSeconds", "endTimeSeconds", "inspectedCount")
	return provider.Answer{Numbers: numbers}, err
}

// explain tells the faults of a query from those of the service, by the class that
// NerdGraph gives an error.
func explain(class, message string) error {
	switch {
	case strings.Contains(class, "TOO_MANY_REQUESTS"), strings.Contains(class, "RATE_LIMIT"):
		return errors.New("it has had too many requests: ask it less often with a longer interval")
	case strings.Contains(class, "TIMEOUT"), strings.Contains(class, "SERVER_ERROR"), strings.Contains(class, "ACCESS_DENIED"):
		return errors.New("it answered with an error: " + provider.Shorten(message))
	}
	return provider.Faultf("is refused: %s", provider.Shorten(message))
}
