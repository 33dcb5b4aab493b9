package cloudwatch

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/replay"
)

const withKeys = "type: cloudwatch, region: eu-central-1, accessKeyIDFile: secret, secretAccessKeyFile: secret"

const success = `{"MetricDataResults":[
{"Id":"q","Label":"a","StatusCode":"Complete","Timestamps":[1.71E9,1.71000006E9],"Values":[0.5,1.5]},
{"Id":"q","Label":"b","StatusCode":"Complete","Timestamps":[1.71E9],"Values":[4]}],"Messages":[]}`

func failure(kind, message string) string {
	return `{"__type":"com.amazonaws.cloudwatch.v2010_08_01#` + kind + `","message":"` + message + `"}`
}

func TestProtocol(t *testing.T) {
	s := replay.NewServer(t)
	p, err := New(s.Entry(t, withKeys))
	if err != nil {
		t.Fatal(err)
	}
	const refused, tooMany = "it refuses Headgate's credentials (403 Forbidden)",
		"it has had too many requests (429): ask it less often with a longer interval"
	s.Run(t, p, "SELECT AVG(x) FROM y", map[string]replay.Exchange{
		"points":  {Body: success, Want: []float64{1, 4}},
		"a sum":   {Body: success, Reduce: provider.Sum, Want: []float64{2, 4}},
		"no data": {Body: `{"MetricDataResults":[{"Id":"q","Label":"a","StatusCode":"Complete","Timestamps":[],"Values":[]}]}`},
		"partial data": {
			Body: `{"MetricDataResults":[{"Label":"a","StatusCode":"PartialData","Values":[1]}]}`, Want: []float64{1}, Warns: true,
		},
		"more pages": {
			Body: `{"NextToken":"x","MetricDataResults":[{"Label":"a","StatusCode":"Complete","Values":[1]}]}`, Want: []float64{1},
			Warns: true,
		},
		"a bad query": {
			Status: 400, Body: failure("ValidationError", "Error in expression"), Fault: true, Err: "is refused: Error in expression",
		},
		"throttled":      {Status: 400, Body: failure("Throttling", "Rate exceeded"), Err: tooMany},
		"a rate limit":   {Status: 429, Err: tooMany},
		"no permission":  {Status: 400, Body: failure("AccessDenied", "not authorized"), Err: refused},
		"a wrong key":    {Status: 403, Body: failure("InvalidSignatureException", "x"), Err: refused},
		"an expired key": {Status: 400, Body: failure("ExpiredTokenException", "x"), Err: refused},
		"an outage": {
			Status: 500, Body: failure("InternalServiceFault", "try again"), Err: "it answered 500 Internal Server Error: try again",
		},
		"XML in any case": {Body: `<GetMetricDataResponse/>`, Err: "its answer is not the JSON that its API documents"},
	})
}

// A window of 90 seconds that ends at 12:05:20 is 12:03 to 12:05.
func TestRequest(t *testing.T) {
	s := replay.NewServer(t)
	s.Body = success
	p, err := New(s.Entry(t, withKeys))
	if err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return time.Date(2026, 3, 1, 12, 5, 20, 0, time.UTC) }
	query := `[{"Id":"errors","MetricStat":{"Metric":{"Namespace":"{{namespace}}","MetricName":"5xx"},"Period":60,"Stat":"Sum"}}]`
	if err := p.Check(provider.Question{Query: query}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ask(t.Context(), provider.Question{Query: query}, replay.Subject()); err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(s.Sent), &sent); err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
	want := map[string]any{
		"StartTime": float64(end.Add(-2 * time.Minute).Unix()), "EndTime": float64(end.Unix()), "ScanBy": "TimestampAscending",
		"MetricDataQueries": []any{map[string]any{"Id": "errors", "MetricStat": map[string]any{
			"Metric": map[string]any{"Namespace": "shop", "MetricName": "5xx"}, "Period": 60.0, "Stat": "Sum",
		}}},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	h := s.Request.Header
	if h.Get("X-Amz-Target") != "GraniteServiceVersion20100801.GetMetricData" || h.Get("X-Amz-Date") != "20260301T120520Z" {
		t.Errorf("headers %v", h)
	}
	const scope = "AWS4-HMAC-SHA256 Credential=s3cret/20260301/eu-central-1/monitoring/aws4_request, " +
		"SignedHeaders=accept;content-encoding;content-length;content-type;host;x-amz-date;x-amz-target, Signature="
	if got := h.Get("Authorization"); !strings.HasPrefix(got, scope) {
		t.Errorf("Authorization %s", got)
	}
	if got := signature(s); !strings.HasSuffix(h.Get("Authorization"), got) {
		t.Errorf("Authorization %s, want the signature %s", h.Get("Authorization"), got)
	}
}

func TestExpression(t *testing.T) {
	got, err := queriesOf("SELECT AVG(x) FROM y")
	want := []map[string]any{{"Id": "q", "Expression": "SELECT AVG(x) FROM y", "Period": 60}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	p := &Provider{}
	if err := p.Check(provider.Question{Query: queryExample}); err != nil {
		t.Error(err)
	}
	if err := p.Check(provider.Question{Query: "[1]"}); err == nil {
		t.Error("a list of numbers was accepted")
	}
}

// A pod with EKS Pod Identity gets its keys from an agent on the node.
func TestPodIdentity(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("pod-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "pod-token" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte(`{"AccessKeyId":"AKIDPOD","SecretAccessKey":"x","Token":"session","Expiration":"2099-01-01T00:00:00Z"}`))
	}))
	t.Cleanup(agent.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.URL)
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
	s := replay.NewServer(t)
	s.Body = success
	p, err := New(s.Entry(t, "type: cloudwatch, region: eu-central-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ask(t.Context(), provider.Question{Query: "SELECT AVG(x) FROM y"}, replay.Subject()); err != nil {
		t.Fatal(err)
	}
	h := s.Request.Header
	if h.Get("X-Amz-Security-Token") != "session" || !strings.Contains(h.Get("Authorization"), "Credential=AKIDPOD/") {
		t.Errorf("headers %v", h)
	}
}

func TestARoleWithoutCredentials(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"code":"AccessDeniedException","message":"no association, request 3f2a"}`))
	}))
	t.Cleanup(agent.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.URL)
	p, err := New(replay.NewServer(t).Entry(t, "type: cloudwatch, region: eu-central-1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Ask(t.Context(), provider.Question{Query: "SELECT AVG(x) FROM y"}, replay.Subject())
	if err == nil || err.Error() != "AWS gives no credentials to the role of Headgate: AccessDeniedException" {
		t.Errorf("got %v", err)
	}
}

func TestSettings(t *testing.T) {
	for settings, want := range map[string]string{
		"type: cloudwatch": "region is missing: write for example region: eu-central-1",
		"type: cloudwatch, region: eu-central-1": "there are no credentials: write accessKeyIDFile and secretAccessKeyFile, " +
			"or give Headgate's ServiceAccount a role by EKS Pod Identity or IRSA",
		"type: cloudwatch, region: eu-central-1, accessKeyIDFile: secret": "accessKeyIDFile and secretAccessKeyFile belong together: " +
			"write for example accessKeyIDFile: aws-id and secretAccessKeyFile: aws-secret",
	} {
		if _, err := New(replay.NewServer(t).Entry(t, settings)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", settings, err)
		}
	}
}
