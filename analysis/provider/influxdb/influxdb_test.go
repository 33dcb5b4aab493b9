package influxdb

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

const (
	version2 = "type: influxdb, version: 2, org: platform, tokenFile: secret"
	version3 = "type: influxdb, version: 3, database: metrics, tokenFile: secret"
)

const twoTables = "#group,false,false,true\r\n#datatype,string,long,double\r\n#default,mean,,\r\n" +
	",result,table,_start,_value,host\r\n,,0,2022-12-31T05:41:24Z,15.43,A\r\n,,1,2022-12-31T05:41:24Z,59.25,B\r\n" +
	"\r\n,result,table,_value,region\r\n,,2,52.62,east\r\n,,2,,west\r\n\r\n"

func TestFlux(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, version2))
	if err != nil {
		t.Fatal(err)
	}
	const notCSV = "its answer is not the CSV that its API documents"
	s.Run(t, p, "from(bucket: \"web\")", map[string]replay.Exchange{
		"tables":  {Body: twoTables, Want: []float64{15.43, 59.25, 52.62}},
		"no data": {Body: "\r\n"},
		"nothing": {},
		"no value": {
			Body: ",result,table,mean\r\n,,0,1\r\n", Fault: true,
			Err: "yields a table without the column _value: end it with an aggregate, such as mean()",
		},
		"a text":       {Body: ",result,table,_value\r\n,,0,up\r\n", Fault: true, Err: `yields "up", want numbers`},
		"a late error": {Body: "error,reference\r\nFailed to parse query,897\r\n", Fault: true, Err: "is refused: Failed to parse query"},
		"a bad query": {
			Status: 400, Body: `{"code":"invalid","message":"compilation failed: undefined identifier"}`, Fault: true,
			Err: "is refused: compilation failed: undefined identifier",
		},
		"a token": {
			Status: 401, Body: `{"code":"unauthorized","message":"unauthorized access"}`,
			Err: "it refuses Headgate's credentials (401 Unauthorized)",
		},
		"a rate limit": {
			Status: 429, Body: `{"code":"too many requests","message":"x"}`,
			Err: "it has had too many requests (429): ask it less often with a longer interval",
		},
		"an outage":   {Status: 500, Body: `{"code":"internal error","message":"panic"}`, Err: "it answered 500 Internal Server Error: panic"},
		"no CSV":      {Body: `{"results": []}`, Err: notCSV},
		"broken CSV":  {Body: "\"a", Err: notCSV},
		"a short row": {Body: ",result,table,_value\r\n,,0\r\n", Err: notCSV},
	})
}

func TestSQL(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, version3))
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, p, "SELECT 1", map[string]replay.Exchange{
		"rows":         {Body: `[{"avg": 0.5, "host": "a", "time": "2025-01-20T17:01:40"}, {"avg": 3, "host": "b"}]`, Want: []float64{0.5, 3}},
		"no rows":      {Body: `[]`},
		"null":         {Body: `[{"avg": null}]`},
		"two numbers":  {Body: `[{"a": 1, "b": 2}]`, Fault: true, Err: "yields 2 numbers in one row, want one: select one value"},
		"a bad query":  {Status: 400, Body: `{"error": "table 'web' not found"}`, Fault: true, Err: "is refused: table 'web' not found"},
		"a rate limit": {Status: 429, Err: "it has had too many requests (429): ask it less often with a longer interval"},
		"an outage":    {Status: 503, Body: "down", Err: "it answered 503 Service Unavailable"},
		"no JSON":      {Body: "host,avg", Err: "its answer is not the JSON that its API documents"},
	})
}

func TestRequests(t *testing.T) {
	for settings, want := range map[string]string{
		version2: "/api/v2/query?org=platform | Token s3cret | application/vnd.flux | from shop since 1m30s",
		version3: `/api/v3/query_sql | Bearer s3cret | application/json | {"db":"metrics","format":"json","q":"from shop since 1m30s"}`,
	} {
		s := replay.NewServer(t)
		s.Body = "[]"
		p, err := New(s.Entry(t, settings))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Ask(t.Context(), provider.Question{Query: "from {{namespace}} since {{window}}"}, replay.Subject())
		r := s.Request
		got := r.RequestURI + " | " + r.Header.Get("Authorization") + " | " + r.Header.Get("Content-Type") + " | " + s.Sent
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestSettings(t *testing.T) {
	for settings, want := range map[string]string{
		"type: influxdb":             "version 0: want 2 (Flux) or 3 (SQL): write for example version: 3",
		"type: influxdb, version: 2": "org is missing: write for example org: platform",
		"type: influxdb, version: 3": "database is missing: write for example database: metrics",
	} {
		if _, err := New(replay.NewServer(t).Entry(t, settings)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", settings, err)
		}
	}
}
