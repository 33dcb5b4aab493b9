// Package influxdb asks InfluxDB: version 2 with Flux, version 3 with SQL.
//
//	2  https://docs.influxdata.com/influxdb/v2/query-data/execute-queries/influx-api/
//	   https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/
//	3  https://docs.influxdata.com/influxdb3/core/query-data/execute-queries/influxdb-v3-api/
package influxdb

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// Provider asks one InfluxDB. It is safe for concurrent use.
type Provider struct {
	client    *provider.Client
	version   int
	org       string // of version 2
	database  string // of version 3
	tokenFile string // "": the connection has credentials, or needs none
}

type settings struct {
	provider.Connection
	Version   int    `json:"version"`
	Org       string `json:"org"`
	Database  string `json:"database"`
	TokenFile string `json:"tokenFile"`
}

// New returns the provider of an entry.
func New(e provider.Entry) (*Provider, error) {
	var s settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	switch {
	case s.Version != 2 && s.Version != 3:
		return nil, fmt.Errorf("version %d: want 2 (Flux) or 3 (SQL): write for example version: 3", s.Version)
	case s.Version == 2 && s.Org == "":
		return nil, errors.New("org is missing: write for example org: platform")
	case s.Version == 3 && s.Database == "":
		return nil, errors.New("database is missing: write for example database: metrics")
	}
	client, err := e.Client(s.Connection, "")
	if err != nil {
		return nil, err
	}
	return &Provider{client, s.Version, s.Org, s.Database, e.File(s.TokenFile)}, nil
}

// Check says whether q is a query.
func (p *Provider) Check(q provider.Question) error {
	if p.version == 2 {
		const example = `from(bucket: "web") |> range(start: -{{window}}) |> filter(fn: (r) => r.pod =~ /^{{canary-pods}}$/) |> mean()`
		return provider.CheckQuery(q, "Flux", example, false)
	}
	const example = `SELECT avg(duration) FROM web WHERE namespace = '{{namespace}}' AND time > now() - INTERVAL '{{window-seconds}} seconds'`
	return provider.CheckQuery(q, "SQL", example, false)
}

// Ask sends the query.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	query, err := provider.FillIn(q.Query, s, provider.Verbatim)
	if err != nil {
		return provider.Answer{}, err
	}
	if p.version == 2 {
		return p.askFlux(ctx, query)
	}
	return p.askSQL(ctx, query)
}

func (p *Provider) askFlux(ctx context.Context, query string) (provider.Answer, error) {
	resp, err := p.send(ctx, "Token", provider.Request{
		Path:   "/api/v2/query",
		Query:  url.Values{"org": {p.org}},
		Body:   []byte(query),
		Header: http.Header{"Content-Type": {"application/vnd.flux"}, "Accept": {"application/csv"}},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	numbers, err := valuesOf(resp.Body)
	return provider.Answer{Numbers: numbers}, err
}

func (p *Provider) askSQL(ctx context.Context, query string) (provider.Answer, error) {
	body, err := json.Marshal(map[string]string{"db": p.database, "q": query, "format": "json"})
	if err != nil {
		return provider.Answer{}, err // cannot happen: strings
	}
	resp, err := p.send(ctx, "Bearer", provider.Request{
		Path:   "/api/v3/query_sql",
		Body:   body,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
	})
	if err != nil {
		return provider.Answer{}, err
	}
	var rows []map[string]any
	if err := resp.Decode(&rows); err != nil {
		return provider.Answer{}, err
	}
	numbers, err := provider.NumbersOfRows(rows)
	return provider.Answer{Numbers: numbers}, err
}

// send returns a response with a status of 2xx. scheme is how a token is written.
func (p *Provider) send(ctx context.Context, scheme string, r provider.Request) (provider.Response, error) {
	r.Method = http.MethodPost
	if p.tokenFile != "" {
		token, err := provider.ReadSecret(p.tokenFile)
		if err != nil {
			return provider.Response{}, err
		}
		r.Header.Set("Authorization", scheme+" "+token)
	}
	resp, err := p.client.Send(ctx, r)
	if err != nil {
		return provider.Response{}, err
	}
	return resp, resp.Failed(reason(resp))
}

// reason is the text of an error. Version 2 calls it message, version 3 error.
func reason(resp provider.Response) string {
	var said struct{ Message, Error string }
	if resp.Decode(&said) != nil {
		return ""
	}
	return said.Message + said.Error
}

// valuesOf returns the column _value of every table in annotated CSV. A table begins with
// its header. A query that fails halfway is a table with the column error.
func valuesOf(text []byte) ([]float64, error) {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord = -1
	var numbers []float64
	value := -1
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return numbers, nil
		}
		if err != nil {
			return nil, errors.New("its answer is not the CSV that its API documents")
		}
		header := slices.Contains(record, "table") || slices.Contains(record, "error")
		switch {
		case strings.HasPrefix(record[0], "#"): // an annotation
		case header && slices.Contains(record, "error"):
			return nil, failedIn(reader, slices.Index(record, "error"))
		case header:
			if value = slices.Index(record, "_value"); value < 0 {
				return nil, provider.QueryFault("yields a table without the column _value: end it with an aggregate, such as mean()")
			}
		default:
			if numbers, err = appendValue(numbers, record, value); err != nil {
				return nil, err
			}
		}
	}
}

// appendValue skips an empty value, which is null.
func appendValue(numbers []float64, record []string, column int) ([]float64, error) {
	if column < 0 || column >= len(record) {
		return nil, errors.New("its answer is not the CSV that its API documents")
	}
	if record[column] == "" {
		return numbers, nil
	}
	number, err := strconv.ParseFloat(record[column], 64)
	if err != nil {
		return nil, provider.Faultf("yields %q, want numbers", provider.Shorten(record[column]))
	}
	return append(numbers, number), nil
}

func failedIn(reader *csv.Reader, column int) error {
	record, err := reader.Read()
	if err != nil || column >= len(record) {
		return errors.New("its answer is not the CSV that its API documents")
	}
	return provider.Faultf("is refused: %s", provider.Shorten(record[column]))
}
