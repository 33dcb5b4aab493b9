// Package web asks HTTP services that answer with JSON.
//
// A path comes from an annotation, and the operator's credentials go with the request. So
// a question must not lead anywhere but below the address that the operator wrote:
//
//   - The scheme and the host are the operator's. A path begins with a slash and is
//     appended to the path of the address.
//   - A path has no segment . or .. and no empty one, no %, ;, \\ and #, so that no server
//     reads it as another path.
//   - The values of variables are put into segments, query values and JSON strings after
//     the template was split into these: a value cannot end one.
//   - No header comes from an annotation, and no redirect is followed.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

const pathExample = "/scores/{{namespace}}?app={{deployment}}"

// Provider asks one service. It is safe for concurrent use.
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
	// On the same host there may be more than what is below the address.
	client.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Provider{client}, nil
}

// Check says whether q is a request below the address.
func (p *Provider) Check(q provider.Question) error {
	switch {
	case q.Query != "":
		return fmt.Errorf("query is for a provider of metrics, and this one is of type web: write for example path: %s", pathExample)
	case q.Path == "":
		return fmt.Errorf("there is no path: write for example path: %s", pathExample)
	case q.Reduce != "":
		return errors.New("reduce is for a provider that returns points of time: write the value in CEL, for example value: body.score")
	case len(q.Path) > provider.MaxText || len(q.Body) > provider.MaxText:
		return fmt.Errorf("path and body may have at most %d bytes each", provider.MaxText)
	}
	if _, err := requestFor(q, provider.Sample); err != nil {
		return err
	}
	return checkBody(q)
}

func checkBody(q provider.Question) error {
	switch q.Method {
	case "", http.MethodGet:
		if q.Body != "" {
			return errors.New("a body needs method: POST")
		}
		return nil
	case http.MethodPost:
	default:
		return fmt.Errorf("method %q: want GET or POST: write for example method: POST", q.Method)
	}
	body, err := provider.Sample(q.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if q.Body != "" && !json.Valid([]byte(body)) {
		return errors.New(`body is not JSON: write for example body: '{"app": "{{deployment}}", "weight": {{weight}}}'`)
	}
	return nil
}

// Ask sends the request of q.
func (p *Provider) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	r, err := requestFor(q, func(template string) (string, error) { return provider.FillIn(template, s, provider.Verbatim) })
	if err != nil {
		return provider.Answer{}, err
	}
	r.Header = http.Header{"Accept": {"application/json"}}
	if q.Method == http.MethodPost {
		body, err := provider.FillIn(q.Body, s, inJSON)
		if err != nil {
			return provider.Answer{}, err
		}
		r.Method, r.Body = q.Method, []byte(body)
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Send(ctx, r)
	if err != nil {
		return provider.Answer{}, err
	}
	answer := provider.Answer{Status: resp.Status}
	if json.Unmarshal(resp.Body, &answer.Body) != nil {
		answer.Body = nil
	}
	return answer, nil
}

// requestFor splits the path of q into segments and query values, and fills in the
// variables of each.
func requestFor(q provider.Question, fill func(template string) (string, error)) (provider.Request, error) {
	template, rawQuery, _ := strings.Cut(q.Path, "?")
	filled, err := fill(template)
	if err != nil {
		return provider.Request{}, fmt.Errorf("path: %w", err)
	}
	if !isBelow(filled) || strings.Count(filled, "/") != strings.Count(template, "/") {
		return provider.Request{}, fmt.Errorf("path %q: want a path below the address of the provider, "+
			"that begins with / and has no segment . or .., no empty segment, and none of %% ; \\ # : write for example path: %s",
			q.Path, pathExample)
	}
	query, err := queryFor(rawQuery, fill)
	if err != nil {
		return provider.Request{}, fmt.Errorf("path %q: %w", q.Path, err)
	}
	return provider.Request{Path: filled, Query: query}, nil
}

func queryFor(template string, fill func(template string) (string, error)) (url.Values, error) {
	written, err := url.ParseQuery(template)
	if err != nil || strings.ContainsFunc(template, isUnsafe) {
		return nil, fmt.Errorf("what follows the ? is not a query: write for example path: %s", pathExample)
	}
	query := url.Values{}
	for name, values := range written {
		filledName, err := fill(name)
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			filled, err := fill(value)
			if err != nil {
				return nil, err
			}
			query.Add(filledName, filled)
		}
	}
	return query, nil
}

// isBelow says whether every server reads text as a path below the one that it is
// appended to.
func isBelow(text string) bool {
	return strings.HasPrefix(text, "/") && !strings.ContainsAny(text, "%;") && !strings.ContainsFunc(text, isUnsafe) &&
		path.Clean(text) == "/"+strings.Trim(text, "/") && !strings.Contains(text, "//")
}

// isUnsafe is true for what a URL never has unescaped, and for a backslash, which some
// servers take for a slash.
func isUnsafe(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '#' }

// inJSON is value inside a JSON string.
func inJSON(value string) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "" // cannot happen: a string can be encoded
	}
	return string(text[1 : len(text)-1])
}
