package analysis

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

// canned is a provider that always gives the same answer.
type canned struct {
	answer provider.Answer
	err    error
	asked  *provider.Question
}

func (c canned) Check(provider.Question) error { return nil }

func (c canned) Ask(_ context.Context, q provider.Question, _ rollout.Subject) (provider.Answer, error) {
	if c.asked != nil {
		*c.asked = q
	}
	return c.answer, c.err
}

func TestOtherProviders(t *testing.T) {
	numbers := func(values ...float64) canned { return canned{answer: provider.Answer{Numbers: values}} }
	web := func(status int, body any) canned { return canned{answer: provider.Answer{Status: status, Body: body}} }
	object := map[string]any{"score": 0.9, "ready": true, "scores": []any{0.5, 0.95}}
	for name, tt := range map[string]struct {
		metric   string
		provider canned
		verdict  rollout.Verdict
		message  string
	}{
		"a condition": {
			`query: x, condition: "< 1%"`, numbers(0.001, 0.002), rollout.Pass, "m 0.2%, want < 1% (worst of 2)",
		},
		"an expression that holds": {
			`query: x, cel: "result > 0 && result < 1"`, numbers(0.5), rollout.Pass, "m 0.5, want result > 0 && result < 1",
		},
		"an expression that does not": {
			`query: x, cel: "result > 0 && result < 1"`, numbers(1.5), rollout.Fail, "m 1.5, want result > 0 && result < 1",
		},
		"the worst of several decides": {`query: x, cel: "result < 1"`, numbers(0.5, 3, 0.7), rollout.Fail, "m 3, want result < 1"},
		"all at once": {
			`query: x, cel: "results.all(r, r < 1) && size(results) > 1"`, numbers(0.5, 0.7), rollout.Pass,
			"m [0.5 0.7], want results.all(r, r < 1) && size(results) > 1",
		},
		"no data":        {`query: x, cel: "result < 1"`, numbers(), rollout.Inconclusive, "m: no data"},
		"no data at all": {`query: x, cel: "results.all(r, r < 1)"`, numbers(), rollout.Inconclusive, "m: no data"},
		"NaN":            {`query: x, cel: "result < 1"`, numbers(0.5, math.NaN()), rollout.Inconclusive, "m: not a number"},
		"NaN and a Fail": {`query: x, cel: "result < 1"`, numbers(math.NaN(), 2), rollout.Fail, "m 2, want result < 1"},
		"NaN among all":  {`query: x, cel: "results.all(r, r < 1)"`, numbers(0.5, math.Inf(1)), rollout.Inconclusive, "m: not a number"},
		"incomplete": {
			`query: x, cel: "result < 1"`, canned{answer: provider.Answer{Numbers: []float64{0.5}, Warnings: []string{"one shard is down"}}},
			rollout.Inconclusive, "m: incomplete answer: one shard is down",
		},
		"a provider that is down": {
			`query: x, condition: "< 1"`, canned{err: errors.New("it answered 503 Service Unavailable")}, rollout.Error,
			"provider other: it answered 503 Service Unavailable",
		},
		"a query that is refused": {
			`query: x, condition: "< 1"`, canned{err: provider.QueryFault("is refused: no such metric")}, rollout.Error,
			"m: query is refused: no such metric",
		},
		"more numbers than anybody needs": {
			`query: x, condition: "< 1"`, numbers(make([]float64, 1001)...), rollout.Error, "m: query yields 1001 numbers, want at most 1000",
		},
		"a value": {`path: /x, value: body.score, condition: ">= 90%"`, web(200, object), rollout.Pass, "m 90%, want >= 90%"},
		"several values": {
			`path: /x, value: body.scores, condition: ">= 90%"`, web(200, object), rollout.Fail, "m 50%, want >= 90% (worst of 2)",
		},
		"a value and cel": {
			`path: /x, value: body.score, cel: "result > 0.8 && status == 200"`, web(200, object), rollout.Pass,
			"m 0.9, want result > 0.8 && status == 200",
		},
		"cel about the body":         {`path: /x, cel: body.ready`, web(200, object), rollout.Pass, "m: status 200, want body.ready"},
		"cel about the status":       {`path: /x, cel: "status == 204"`, web(204, nil), rollout.Pass, "m: status 204, want status == 204"},
		"a status that is looked at": {`path: /x, cel: "status == 204"`, web(503, nil), rollout.Fail, "m: status 503, want status == 204"},
		"a status that is not":       {`path: /x, cel: "body.ready"`, web(503, object), rollout.Error, "provider other: it answered 503"},
		"a value that is missing": {
			`path: /x, value: body.rating, condition: "> 1"`, web(200, object), rollout.Error,
			"m: value body.rating: no such key: rating",
		},
		"a condition on what is missing": {
			`path: /x, cel: "body.rating > 1"`, web(200, object), rollout.Error, "m: cel body.rating > 1: no such key: rating",
		},
		"no JSON": {`path: /x, cel: "body.rating > 1"`, web(200, nil), rollout.Error, "m: the answer is not JSON"},
		"null is no data": {
			`path: /x, value: body.none, condition: "> 1"`, web(200, map[string]any{"none": nil}), rollout.Inconclusive, "m: no data",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := "{failureLimit: 0, metrics: [{name: m, provider: other, " + tt.metric + "}]}"
			got := measure(t, New(Providers{"other": tt.provider}, nil, Options{}), text, subject())
			if diff := cmp.Diff(rollout.Measurement{Verdict: tt.verdict, Message: tt.message}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheProviderGetsTheWholeQuestion(t *testing.T) {
	var got provider.Question
	text := `{metrics: [{name: m, provider: other, path: "/{{namespace}}", method: POST, body: "{}", value: body.x, condition: "> 0"}]}`
	measure(t, New(Providers{"other": canned{asked: &got}}, nil, Options{}), text, subject())
	if diff := cmp.Diff(provider.Question{Path: "/{{namespace}}", Method: "POST", Body: "{}"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAProviderForSomeNamespaces(t *testing.T) {
	p := InNamespaces(canned{answer: provider.Answer{Numbers: []float64{1}}}, []string{"bank", "mail"})
	text := `{metrics: [{name: m, provider: other, query: x, condition: "> 0"}]}`
	got := measure(t, New(Providers{"other": p}, nil, Options{}), text, subject())
	want := rollout.Measurement{
		Verdict: rollout.Error,
		Message: "m: query is not allowed: the operator has set up this provider for other namespaces than shop",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A ConfigMap is not checked when somebody writes it, and a provider may go away.
func TestResolveAsksTheProviders(t *testing.T) {
	reader := configMaps(map[string]string{"shared": `{metrics: [{name: up, query: "up(", condition: "> 0"}]}`})
	judge := New(Providers{DefaultProvider: prometheus.None()}, reader, Options{})
	for text, want := range map[string]string{
		"configmap/shared": `configmap/shared: metric "up": query does not parse at 1:4: parse error: unclosed left parenthesis: `,
		`{metrics: [{name: m, provider: gone, query: up, condition: "> 0"}]}`: `metric "m": unknown provider "gone": `,
	} {
		if _, err := judge.Resolve(t.Context(), "shop", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestUserMetricErrors(t *testing.T) {
	providers := Providers{DefaultProvider: prometheus.None(), "scores": canned{}}
	for name, tt := range map[string]struct{ metric, want string }{
		"an unknown provider": {
			"provider: mimir, query: up, condition: '> 0'",
			`unknown provider "mimir": the operator has set up prometheus, scores (HEADGATE_PROVIDERS_FILE)`,
		},
		"a provider without a question": {
			"provider: prometheus, condition: '> 0'",
			`there is no query: write for example query: sum(rate(http_requests_total{namespace="{{namespace}}", code=~"5.."}[{{window}}]))`,
		},
		"a path for Prometheus": {
			"path: /x, cel: body.ok",
			`path, method and body are for a web provider: write for example query: ` +
				`sum(rate(http_requests_total{namespace="{{namespace}}", code=~"5.."}[{{window}}]))`,
		},
		"reduce for Prometheus": {
			"query: up, reduce: sum, condition: '> 0'",
			"reduce is for a provider that returns points of time: write a PromQL query that yields one number",
		},
		"cel for a built-in metric": {
			"cel: result > 0",
			"method, body, reduce, value and cel belong to a query or a path: " +
				`write for example {name: queue-length, query: "max(queue_length)", cel: "result < 100"}`,
		},
		"two conditions": {"query: up, condition: '> 0', cel: result > 0", "condition and cel exclude each other: write one of them"},
		"no condition": {
			"query: up",
			`condition "": want an operator (< <= > >= == !=) and a number with an optional unit (%, ms, s, Mi, Gi): write for example "<= 500ms"`,
		},
		"a value of a query": {
			"query: up, value: body.x, condition: '> 0'",
			"value is for the body of an answer, so it belongs to a path: a query yields numbers",
		},
		"a condition without a number": {
			"provider: scores, path: /x, condition: '> 0'",
			"a condition needs a number: write for example value: body.score, or cel: body.ready instead of the condition",
		},
		"an expression with a mistake": {
			"query: up, cel: result",
			`cel "result" is double, want true or false: write for example result > 0 && result < 0.01`,
		},
		"a value with a mistake": {
			"provider: scores, path: /x, value: bdy.x, condition: '> 0'",
			`value "bdy.x" does not compile at 1:1: undeclared reference to 'bdy' (did you mean 'body'?): write for example body.score`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := providers.Check("{metrics: [{name: m, " + tt.metric + "}]}")
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(`metric "m": `+tt.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	const want = `unknown provider "mimir": there are none (HEADGATE_PROVIDERS_FILE)`
	if _, err := Providers(nil).named("mimir"); err == nil || err.Error() != want {
		t.Errorf("without providers: %v", err)
	}
}
