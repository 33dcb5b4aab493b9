package graphite

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

const success = `[{"target": "shop.a", "tags": {"name": "shop.a"},
"datapoints": [[1.0, 1311836008], [null, 1311836018], [5.0, 1311836028]]},
{"target": "shop.b", "datapoints": [[2, 1311836008]]}, {"target": "shop.c", "datapoints": [[null, 1311836008]]}]`

func TestProtocol(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, "type: graphite"))
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, p, "shop.*", map[string]replay.Exchange{
		"points":    {Body: success, Want: []float64{3, 2}},
		"the last":  {Body: success, Reduce: provider.Last, Want: []float64{5, 2}},
		"no data":   {Body: `[]`},
		"only null": {Body: `[{"target": "x", "datapoints": [[null, 1311836008]]}]`},
		"a bad target": {
			Status: 400, Body: "Invalid target: unbalanced parentheses\nmore", Fault: true,
			Err: "is refused: Invalid target: unbalanced parentheses",
		},
		"an error":     {Status: 500, Body: "<html>Traceback", Err: "it answered 500 Internal Server Error"},
		"a login":      {Status: 401, Body: "", Err: "it refuses Headgate's credentials (401 Unauthorized)"},
		"a rate limit": {Status: 429, Body: "slow down", Err: "it has had too many requests (429): ask it less often with a longer interval"},
		"no JSON":      {Body: `<html>`, Err: "its answer is not the JSON that its API documents"},
		"another JSON": {Body: `{"error": "x"}`, Err: "its answer is not the JSON that its API documents"},
	})
}

func TestRequest(t *testing.T) {
	s := replay.NewServer(t)
	s.Body = success
	p, err := New(s.Entry(t, "type: graphite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ask(t.Context(), provider.Question{Query: queryExample}, replay.Subject()); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"target": {"sumSeries(shop.web-canary.*.errors)"}, "from": {"-90s"}, "until": {"now"}, "format": {"json"}}
	if diff := cmp.Diff(want, s.Request.URL.Query()); diff != "" || s.Request.URL.Path != "/render" {
		t.Errorf("%s, parameters (-want +got):\n%s", s.Request.URL.Path, diff)
	}
	if err := p.Check(provider.Question{Query: queryExample}); err != nil {
		t.Error(err)
	}
}
