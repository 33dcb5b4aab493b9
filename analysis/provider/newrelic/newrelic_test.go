package newrelic

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

const account = "type: newrelic, account: 1234567, apiKeyFile: secret"

func results(rows string) string {
	return `{"data":{"actor":{"account":{"nrql":{"results":` + rows + `}}}}}`
}

func failure(class, message string) string {
	return `{"data":{"actor":{"account":{"nrql":null}}},"errors":[{"message":"` + message +
		`","path":["actor","account","nrql"],"extensions":{"errorClass":"` + class + `"}}]}`
}

func TestProtocol(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, account))
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, p, "SELECT count(*) FROM Transaction", map[string]replay.Exchange{
		"a number": {Body: results(`[{"count": 1000}]`), Want: []float64{1000}},
		"facets": {
			Body: results(`[{"facet": "a", "average.duration": 0.5, "name": "a"}, {"facet": "b", "average.duration": 0.7, "name": "b"}]`),
			Want: []float64{0.5, 0.7},
		},
		"a percentile": {Body: results(`[{"percentile.duration": {"95": 0.31}}]`), Want: []float64{0.31}},
		"a time series": {
			Body: results(`[{"beginTimeSeconds": 1, "endTimeSeconds": 2, "count": 3}, {"beginTimeSeconds": 2, "endTimeSeconds": 3, "count": 4}]`),
			Want: []float64{3, 4},
		},
		"no data":     {Body: results(`[{"average.duration": null}]`)},
		"no rows":     {Body: results(`[]`)},
		"two numbers": {Body: results(`[{"a": 1, "b": 2}]`), Fault: true, Err: "yields 2 numbers in one row, want one: select one value"},
		"a bad query": {
			Body: failure("INVALID_INPUT", "NRQL Syntax Error: Error at line 1"), Fault: true,
			Err: "is refused: NRQL Syntax Error: Error at line 1",
		},
		"a slow query": {Body: failure("TIMEOUT", "the query took too long"), Err: "it answered with an error: the query took too long"},
		"a limit": {
			Body: failure("TOO_MANY_REQUESTS", "limit"), Err: "it has had too many requests: ask it less often with a longer interval",
		},
		"a rate limit": {Status: 429, Body: `{}`, Err: "it has had too many requests (429): ask it less often with a longer interval"},
		"a wrong key": {
			Status: 401, Body: `{"errors":[{"message":"unknown key"}]}`, Err: "it refuses Headgate's credentials (401 Unauthorized)",
		},
		"no account": {Body: `{"data":{"actor":{"account":null}}}`, Err: "its answer has no result: may Headgate's key read this account?"},
		"an outage":  {Status: 502, Body: `<html>`, Err: "it answered 502 Bad Gateway"},
		"no JSON":    {Body: `<html>`, Err: "its answer is not the JSON that its API documents"},
	})
}

// A query is a variable of the document: it cannot ask for anything else.
func TestRequest(t *testing.T) {
	s := replay.NewServer(t)
	s.Body = results(`[{"count": 1}]`)
	p, err := New(s.Entry(t, account))
	if err != nil {
		t.Fatal(err)
	}
	query := `SELECT count(*) FROM Log WHERE ns = '{{namespace}}' SINCE {{window-seconds}} seconds ago") { results } } }`
	if _, err := p.Ask(t.Context(), provider.Question{Query: query}, replay.Subject()); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal([]byte(s.Sent), &sent); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"account": 1234567.0, "nrql": `SELECT count(*) FROM Log WHERE ns = 'shop' SINCE 90 seconds ago") { results } } }`,
	}
	if diff := cmp.Diff(want, sent.Variables); diff != "" || sent.Query != document {
		t.Errorf("document %s, variables (-want +got):\n%s", sent.Query, diff)
	}
	if got := s.Request.Header.Get("API-Key"); got != replay.Secret || s.Request.URL.Path != "/graphql" {
		t.Errorf("path %s, key %q", s.Request.URL.Path, got)
	}
	if err := p.Check(provider.Question{Query: queryExample}); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	_, err := New(replay.NewServer(t).Entry(t, "type: newrelic, apiKeyFile: secret"))
	const want = "account or apiKeyFile is missing: write for example account: 1234567 and apiKeyFile: newrelic-user-key"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
