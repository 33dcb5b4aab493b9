package datadog

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

const keys = "type: datadog, apiKeyFile: secret, applicationKeyFile: secret"

const success = `{"status":"ok","res_type":"time_series","from_date":1575317847000,"to_date":1575317937000,"group_by":[],
"query":"avg:x{*}","message":"","series":[{"metric":"x","display_name":"x","interval":30,"length":3,"aggr":"avg",
"scope":"*","pointlist":[[1575317850000,0.5],[1575317880000,null],[1575317910000,1.5]]},
{"metric":"x","scope":"pod:b","pointlist":[[1575317850000,4]]},{"metric":"x","scope":"pod:c","pointlist":[]}]}`

func TestProtocol(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, keys))
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, p, "avg:x{*}", map[string]replay.Exchange{
		"points":    {Body: success, Want: []float64{1, 4}},
		"a sum":     {Body: success, Reduce: provider.Sum, Want: []float64{2, 4}},
		"no data":   {Body: `{"status":"ok","series":[],"query":"avg:x{*}"}`},
		"only null": {Body: `{"status":"ok","series":[{"pointlist":[[1575317850000,null]]}]}`},
		"a bad query": {
			Status: 400, Body: `{"errors":["Error parsing query: unable to parse avg:x"]}`, Fault: true,
			Err: "is refused: Error parsing query: unable to parse avg:x",
		},
		"an error":    {Body: `{"status":"error","error":"Query timed out"}`, Fault: true, Err: "is refused: Query timed out"},
		"a wrong key": {Status: 403, Body: `{"errors":["Forbidden"]}`, Err: "it refuses Headgate's credentials (403 Forbidden)"},
		"a rate limit": {
			Status: 429, Body: `{"errors":["Rate limit of 300 requests"]}`,
			Err: "it has had too many requests (429): ask it less often with a longer interval",
		},
		"an outage": {Status: 503, Body: `<html>`, Err: "it answered 503 Service Unavailable"},
		"no JSON":   {Body: `<html>`, Err: "its answer is not the JSON that its API documents"},
		"half JSON": {Body: success[:200], Err: "its answer is not the JSON that its API documents"},
	})
}

func TestRequest(t *testing.T) {
	s := replay.NewServer(t)
	s.Body = success
	p, err := New(s.Entry(t, keys))
	if err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return time.Unix(1575317937, 0) }
	if _, err := p.Ask(t.Context(), provider.Question{Query: "avg:x{ns:{{namespace}}}"}, replay.Subject()); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"from": {"1575317847"}, "to": {"1575317937"}, "query": {"avg:x{ns:shop}"}}
	if diff := cmp.Diff(want, s.Request.URL.Query()); diff != "" || s.Request.URL.Path != "/api/v1/query" {
		t.Errorf("%s, parameters (-want +got):\n%s", s.Request.URL.Path, diff)
	}
	for _, name := range []string{"DD-API-KEY", "DD-APPLICATION-KEY"} {
		if got := s.Request.Header.Get(name); got != replay.Secret {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSettings(t *testing.T) {
	_, err := New(replay.NewServer(t).Entry(t, "type: datadog, apiKeyFile: secret"))
	const want = "apiKeyFile or applicationKeyFile is missing: " +
		"write for example apiKeyFile: datadog-api-key and applicationKeyFile: datadog-application-key"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	p := &Provider{}
	if err := p.Check(provider.Question{Query: queryExample, Reduce: provider.Sum}); err != nil {
		t.Error(err)
	}
	if err := p.Check(provider.Question{Query: "avg:x{ns:{{pod}}}"}); err == nil {
		t.Error("an unknown variable was accepted")
	}
}
