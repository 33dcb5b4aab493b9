package main

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// fuzzedProviders are entries of every type, at address, with a secret.
const fuzzedProviders = `providers:
- {name: prometheus, type: prometheus, address: ADDRESS, bearerTokenFile: secret}
- {name: web, type: web, address: ADDRESS, bearerTokenFile: secret}
- {name: datadog, type: datadog, address: ADDRESS, apiKeyFile: secret, applicationKeyFile: secret}
- {name: cloudwatch, type: cloudwatch, address: ADDRESS, region: eu-central-1, accessKeyIDFile: secret, secretAccessKeyFile: secret}
- {name: newrelic, type: newrelic, address: ADDRESS, account: 7, apiKeyFile: secret}
- {name: graphite, type: graphite, address: ADDRESS}
- {name: flux, type: influxdb, address: ADDRESS, version: 2, org: o, tokenFile: secret}
- {name: sql, type: influxdb, address: ADDRESS, version: 3, database: d, tokenFile: secret}
`

// FuzzProviderAnswer lets a provider of each type answer anything. It is numbers or an
// error, which is short and does not have the credentials in it.
func FuzzProviderAnswer(f *testing.F) {
	var answer atomic.Pointer[[]byte]
	status := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write(*answer.Load())
	}))
	f.Cleanup(s.Close)
	providers := fuzzedAt(f, s.URL)
	names := slices.Sorted(maps.Keys(providers))
	for i := range names {
		for _, body := range answerSeeds {
			f.Add(uint8(i), uint16(200), []byte(body))
		}
		f.Add(uint8(i), uint16(400), []byte(`{"errors":["bad"],"error":"bad","message":"bad","__type":"x#Throttling"}`))
	}
	f.Fuzz(func(t *testing.T, at uint8, code uint16, body []byte) {
		if code < 200 || code > 599 || code == 204 || code == 304 {
			code = 200
		}
		status.Store(int64(code))
		answer.Store(&body)
		name := names[int(at)%len(names)]
		question := provider.Question{Query: "x"}
		if name == "web" {
			question = provider.Question{Path: "/x"}
		}
		got, err := providers[name].Ask(context.Background(), question, rollout.Subject{Namespace: "shop", Window: time.Minute})
		switch {
		case err != nil && (len(err.Error()) > 2000 || strings.Contains(err.Error(), fuzzedSecret)):
			t.Errorf("%s: the error for %q is %v", name, body, err)
		case err == nil && code/100 != 2 && name != "web":
			t.Errorf("%s: %d %q is an answer: %+v", name, code, body, got)
		}
	})
}

var answerSeeds = []string{
	"", "null", "[]", "{}", "<html>",
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]}]}}`,
	`{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}`,
	`{"status":"success","data":{"resultType":"matrix","result":null}}`,
	`{"status":"error","errorType":"execution","error":"found duplicate series"}`,
	`{"status":"ok","series":[{"pointlist":[[1,0.5],[2,null],[3]]}]}`,
	`{"MetricDataResults":[{"Label":"a","StatusCode":"Complete","Values":[1e308,1e308]}],"NextToken":"x"}`,
	`{"data":{"actor":{"account":{"nrql":{"results":[{"a":1,"b":{"c":2}}]}}}}}`,
	`{"errors":[{"message":"m","extensions":{"errorClass":"TIMEOUT"}}]}`,
	`[{"target":"a","datapoints":[[1.5,1],[null,2]]}]`, `[{"a":1},{"b":null}]`,
	",result,table,_value\n,,0,1.5\n", "error,reference\nbad,7\n", "#datatype,string\n\n,result,table\n", "error", `"` + "\n",
}

const fuzzedSecret = "s3cretOfNobody"

func fuzzedAt(f *testing.F, address string) analysis.Providers {
	f.Helper()
	dir := f.TempDir()
	c := Config{QueryTimeout: 5 * time.Second, ProvidersFile: filepath.Join(dir, "providers.yaml")}
	for file, text := range map[string]string{
		c.ProvidersFile:              strings.ReplaceAll(fuzzedProviders, "ADDRESS", address),
		filepath.Join(dir, "secret"): fuzzedSecret,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	providers, err := newProviders(c)
	if err != nil {
		f.Fatal(err)
	}
	return providers
}
