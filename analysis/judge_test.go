package analysis

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

// Answers of Prometheus's HTTP API.
const (
	noSeries  = `{"status":"success","data":{"resultType":"vector","result":[]}}`
	histogram = `{"status":"success","data":{"resultType":"vector","result":[` +
		`{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]}}`
	refusal = `{"status":"error","errorType":"execution","error":"found duplicate series"}`
)

func vector(values ...string) string {
	samples := make([]string, len(values))
	for i, v := range values {
		samples[i] = fmt.Sprintf(`{"metric":{"pod":"%d"},"value":[1,%q]}`, i, v)
	}
	return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(samples, ","))
}

func scalar(value string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, value)
}

// prometheusAt confines queries by namespaceLabel.
func prometheusAt(t *testing.T, address string, timeout time.Duration, namespaceLabel string) Providers {
	t.Helper()
	entry := provider.NewEntry(DefaultProvider, "prometheus", address)
	entry.Timeout, entry.NamespaceLabel = timeout, namespaceLabel
	p, err := prometheus.New(entry)
	if err != nil {
		t.Fatal(err)
	}
	return Providers{DefaultProvider: p}
}

// server answers every query by the first key of answers that it contains, and
// records what it was asked.
func server(t *testing.T, answers map[string]string) (Providers, func() []string) {
	t.Helper()
	return confinedServer(t, "", answers)
}

func confinedServer(t *testing.T, namespaceLabel string, answers map[string]string) (Providers, func() []string) {
	t.Helper()
	var (
		mu    sync.Mutex
		asked []string
	)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		mu.Lock()
		asked = append(asked, query)
		mu.Unlock()
		if r.FormValue("limit") != "1000" || r.FormValue("timeout") == "" || r.FormValue("time") != "" {
			t.Errorf("parameters %v", r.Form)
		}
		answer := noSeries
		for key, text := range answers {
			if strings.Contains(query, key) {
				answer = text
			}
		}
		if strings.Contains(answer, "error") {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return prometheusAt(t, s.URL, 10*time.Second, namespaceLabel), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(asked))
	}
}

func configMaps(data map[string]string) client.Reader {
	b := fake.NewClientBuilder()
	for name, text := range data {
		b.WithObjects(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Data:       map[string]string{"analysis": text},
		})
	}
	b.WithObjects(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "empty"}})
	return b.Build()
}

// measure resolves text in the namespace of s and measures once.
func measure(t *testing.T, j *Judge, text string, s rollout.Subject) rollout.Measurement {
	t.Helper()
	resolved, err := j.Resolve(t.Context(), s.Namespace, text)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Measure(t.Context(), s)
}

func TestMeasureAnswers(t *testing.T) {
	const text = `{failureLimit: 0, metrics: [{name: idle, query: "idle", condition: "> 20%"}]}`
	tests := map[string]struct {
		answer string
		want   rollout.Measurement
	}{
		"a vector":    {vector("0.5"), rollout.Measurement{Verdict: rollout.Pass, Message: "idle 50%, want > 20%"}},
		"two samples": {vector("0.5", "0.1"), rollout.Measurement{Verdict: rollout.Fail, Message: "idle 10%, want > 20% (worst of 2)"}},
		"a scalar":    {scalar("0.1"), rollout.Measurement{Verdict: rollout.Fail, Message: "idle 10%, want > 20%"}},
		"no series":   {noSeries, rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: no data"}},
		"NaN":         {vector("NaN"), rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: not a number"}},
		"infinity":    {scalar("+Inf"), rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: not a number"}},
		"a histogram": {
			histogram,
			rollout.Measurement{
				Verdict: rollout.Error,
				Message: "idle: query yields histograms, want numbers: use histogram_quantile or histogram_fraction",
			},
		},
		"a refusal": {
			refusal,
			rollout.Measurement{Verdict: rollout.Error, Message: "idle: query is refused by Prometheus: found duplicate series"},
		},
		"with warning": {
			strings.Replace(vector("0.5"), `"data"`, `"warnings":["one store is down"],"data"`, 1),
			rollout.Measurement{Verdict: rollout.Inconclusive, Message: "idle: incomplete answer: one store is down"},
		},
		"with info": {
			strings.Replace(vector("0.5"), `"data"`, `"infos":["may not be a counter"],"data"`, 1),
			rollout.Measurement{Verdict: rollout.Pass, Message: "idle 50%, want > 20%"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			prom, _ := server(t, map[string]string{"idle": tt.answer})
			got := measure(t, New(prom, nil, Options{}), text, subject())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureWithoutAnAnswer(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); hanging.Close() })

	tests := map[string]struct{ address, want string }{
		"refused":     {closed.URL, "Prometheus does not answer: dial: connect: connection refused"},
		"503":         {status(503), "Prometheus does not answer: server error: 503"},
		"502":         {status(502), "Prometheus does not answer: server error: 502"},
		"not allowed": {status(403), "Prometheus does not answer: client error: 403"},
		"timeout":     {hanging.URL, "Prometheus does not answer: timed out after 1s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := New(prometheusAt(t, tt.address, time.Second, ""), nil, Options{Source: Traefik})
			got := measure(t, j, "success-rate >= 99%, p99 <= 500ms", subject())
			if diff := cmp.Diff(rollout.Measurement{Verdict: rollout.Error, Message: tt.want}, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureWithoutSettings(t *testing.T) {
	prom, asked := server(t, nil)
	tests := map[string]struct {
		judge      *Judge
		text, want string
	}{
		"no Prometheus": {New(nil, nil, Options{Source: Traefik}), "p99 <= 1s",
			"no Prometheus is configured: set HEADGATE_PROMETHEUS_ADDRESS"},
		"no source for a built-in metric": {New(prom, nil, Options{}), "p99 > 1s",
			`metric "p99": no metrics source is configured: set HEADGATE_METRICS_SOURCE to ingress-nginx or traefik`},
		"no source for a minimum": {New(prom, nil, Options{}), `{minRequests: 5, metrics: [{name: up, query: up, condition: "> 0"}]}`,
			"minRequests: no metrics source is configured: set HEADGATE_METRICS_SOURCE to ingress-nginx or traefik"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := measure(t, tt.judge, tt.text, subject())
			if diff := cmp.Diff(rollout.Measurement{Verdict: rollout.Error, Message: tt.want}, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
	if queries := asked(); len(queries) > 0 {
		t.Errorf("asked %q", queries)
	}
}

func TestMeasureAsksExactly(t *testing.T) {
	series, s := nginxSeries{}, subject()
	tests := map[string]struct {
		options Options
		label   string // of the namespace
		text    string
		weight  int
		matched bool
		window  time.Duration
		want    []string
	}{
		"a built-in metric, the requests and the share": {
			options: Options{Source: IngressNginx}, text: "success-rate >= 100%", weight: 10, window: s.Window,
			want: []string{successRate{}.query(series, s), canaryRequests(series, s), stableOnlyRequests(series, s)},
		},
		"no share without a weight: nobody may be sending the header": {
			options: Options{Source: IngressNginx}, text: "success-rate >= 100%", matched: true, window: s.Window,
			want: []string{successRate{}.query(series, s), canaryRequests(series, s)},
		},
		"the share again, once there is a weight besides the header": {
			options: Options{Source: IngressNginx}, text: "success-rate >= 100%", weight: 10, matched: true, window: s.Window,
			want: []string{successRate{}.query(series, s), canaryRequests(series, s), stableOnlyRequests(series, s)},
		},
		"nothing of the router's while no request can come": {
			options: Options{Source: IngressNginx}, text: "success-rate >= 100%", window: s.Window,
		},
		"a user's query alone while no request can come": {
			options: Options{Source: IngressNginx}, window: s.Window,
			text: `{minRequests: 50, metrics: [{name: p99, condition: "> 1s"}, {name: up, query: "up", condition: "> 0"}]}`,
			want: []string{"up"},
		},
		"a user's query and the share": {
			options: Options{Source: IngressNginx}, weight: 10, window: s.Window,
			text: `{failureLimit: 0, metrics: [{name: up, query: "up", condition: "> 0"}]}`,
			want: []string{"up", stableOnlyRequests(series, s)},
		},
		"a user's query alone, confined": {
			label: "ns", weight: 10, window: s.Window,
			text: `{failureLimit: 0, metrics: [{name: up, query: 'up{a="{{service}}"}', condition: "> 0"}]}`,
			want: []string{`up{a="web",ns="shop"}`},
		},
		"the interval where no window is given": {
			text: `{interval: 2m, metrics: [{name: up, query: 'rate(up[{{window}}])', condition: "> 0"}]}`, weight: 10,
			want: []string{`rate(up[2m])`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			prom, asked := confinedServer(t, tt.label, nil)
			s := s
			s.Weight, s.Matched, s.Window = tt.weight, tt.matched, tt.window
			measure(t, New(prom, nil, tt.options), tt.text, s)
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), asked()); diff != "" {
				t.Errorf("queries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureBeforeThereIsTraffic(t *testing.T) {
	const mixed = `{failureLimit: 0, metrics: [{name: success-rate, condition: ">= 100%"}, {name: idle, query: "idle", condition: "> 20%"}]}`
	few := "too few requests: the canary received 0 in 1m30s, want >= 10; at weight 0%, only requests that match its header or cookie reach it"
	tests := map[string]struct {
		text    string
		matched bool
		want    rollout.Measurement
	}{
		"the user's own query decides": {mixed, false, rollout.Measurement{Verdict: rollout.Pass, Message: "idle 90%, want > 20%"}},
		"without one nothing does": {
			"success-rate >= 99%",
			false,
			rollout.Measurement{Verdict: rollout.Inconclusive, Message: "nothing was measured"},
		},
		"a header that nobody sends is no verdict": {mixed, true, rollout.Measurement{Verdict: rollout.Inconclusive, Message: few}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			prom, _ := server(t, map[string]string{"unless (sum(": vector("480"), "idle": vector("0.9")})
			s := subject()
			s.Weight, s.Matched = 0, tt.matched
			got := measure(t, New(prom, nil, Options{Source: Traefik}), tt.text, s)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureFindsARouterThatIgnoresTheCanary(t *testing.T) {
	prom, _ := server(t, map[string]string{"unless (sum(": vector("480"), "idle": vector("0.9")})
	const text = `{failureLimit: 0, metrics: [{name: idle, query: "idle", condition: "> 20%"}]}`
	got := measure(t, New(prom, nil, Options{Source: Traefik}), text, subject())
	want := rollout.Measurement{Verdict: rollout.Error, Ignored: true,
		Message: "the router ignores the canary: stable received 480 requests and the canary none at weight 10%"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
}

func TestMeasureAsksFourAtATime(t *testing.T) {
	prometheus := newBarrier(maxConcurrent)
	s := httptest.NewServer(prometheus)
	t.Cleanup(s.Close)
	text := strings.Repeat("p99 > 1s,", 10)
	measure(t, New(prometheusAt(t, s.URL, 10*time.Second, ""), nil, Options{Source: Traefik}), text, subject())
	if prometheus.most != maxConcurrent || prometheus.all != 12 {
		t.Errorf("%d of %d queries ran at once, want %d of 12", prometheus.most, prometheus.all, maxConcurrent)
	}
}

// barrier answers no request before size requests have arrived, and counts them.
type barrier struct {
	mu             sync.Mutex
	now, most, all int
	full           chan struct{}
	size           int
}

func newBarrier(size int) *barrier { return &barrier{size: size, full: make(chan struct{})} }

func (g *barrier) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	g.now, g.all = g.now+1, g.all+1
	g.most = max(g.most, g.now)
	if g.all == g.size {
		close(g.full)
	}
	g.mu.Unlock()
	<-g.full
	time.Sleep(5 * time.Millisecond) // a fifth would arrive now
	g.mu.Lock()
	g.now--
	g.mu.Unlock()
	_, _ = w.Write([]byte(noSeries))
}

func TestPlan(t *testing.T) {
	reader := configMaps(map[string]string{
		"line": lineExample, "yaml": "interval: 1m\nfailureLimit: 2\nmetrics: [{name: p99, condition: '<= 1s'}]",
		"wrong": "fast", "loop": "configmap/line",
	})
	tests := map[string]struct {
		text, wantErr string
		want          *rollout.AnalysisPlan
	}{
		"no analysis":           {text: " "},
		"a line":                {text: lineExample, want: &rollout.AnalysisPlan{Interval: 5 * time.Second, NeedsTraffic: true}},
		"a line in a ConfigMap": {text: "configmap/line", want: &rollout.AnalysisPlan{Interval: 5 * time.Second, NeedsTraffic: true}},
		"YAML in a ConfigMap": {
			text: "configmap/yaml",
			want: &rollout.AnalysisPlan{Interval: time.Minute, FailureLimit: 2, NeedsTraffic: true},
		},
		"a ConfigMap that does not exist": {text: "configmap/gone", wantErr: `reading configmap/gone: configmaps "gone" not found`},
		"a ConfigMap without key": {
			text:    "configmap/empty",
			wantErr: `configmap/empty: the key "analysis" is missing: write for example analysis: success-rate >= 99%, p99 <= 500ms`,
		},
		"a ConfigMap in error": {
			text:    "configmap/wrong",
			wantErr: `configmap/wrong: "fast" has no condition: write for example success-rate >= 99%, p99 <= 500ms; or auto`,
		},
		"a ConfigMap of ConfigMap": {
			text: "configmap/loop",
			wantErr: "configmap/loop refers to configmap/line, want the analysis itself: " +
				"write for example analysis: success-rate >= 99%, p99 <= 500ms",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := planOf(t, reader, tt.text)
			if text := fmt.Sprint(err); tt.wantErr != "" && text != tt.wantErr || tt.wantErr == "" && err != nil {
				t.Errorf("error %s, want %s", text, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// planOf is nil where there is no analysis.
func planOf(t *testing.T, reader client.Reader, text string) (*rollout.AnalysisPlan, error) {
	t.Helper()
	resolved, err := New(nil, reader, Options{}).Resolve(t.Context(), "shop", text)
	if resolved == nil {
		return nil, err
	}
	plan := resolved.Plan()
	return &plan, err
}

func TestResolveReadsOnlyItsNamespace(t *testing.T) {
	reader := configMaps(map[string]string{"line": lineExample})
	_, err := New(nil, reader, Options{}).Resolve(t.Context(), "bank", "configmap/line")
	if !apierrors.IsNotFound(err) {
		t.Errorf("got %v, want not found", err)
	}
}

// An edit of the ConfigMap between the two calls counts in the next reconcile: the
// limits of one version are never applied to the conditions of another.
func TestPlanAndMeasurementAreOfOneVersion(t *testing.T) {
	version := func(interval, condition string) map[string]string {
		return map[string]string{"analysis": fmt.Sprintf(
			`{interval: %s, failureLimit: 0, metrics: [{name: idle, query: "max_over_time(idle[{{window}}])", condition: %q}]}`,
			interval, condition)}
	}
	shared := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shared"}, Data: version("1m", "> 20%")}
	cluster := fake.NewClientBuilder().WithObjects(shared).Build()
	prom, asked := server(t, map[string]string{"idle": vector("0.5")})
	s := subject()
	s.Window = 0 // look back over the interval
	judge := New(prom, cluster, Options{})
	old, err := judge.Resolve(t.Context(), "shop", "configmap/shared")
	if err != nil {
		t.Fatal(err)
	}
	shared.Data = version("2m", "> 90%")
	if err := cluster.Update(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	if got, want := old.Plan().Interval, time.Minute; got != want {
		t.Errorf("interval %s, want %s", got, want)
	}
	want := rollout.Measurement{Verdict: rollout.Pass, Message: "idle 50%, want > 20%"}
	if diff := cmp.Diff(want, old.Measure(t.Context(), s)); diff != "" {
		t.Errorf("the old version (-want +got):\n%s", diff)
	}
	want = rollout.Measurement{Verdict: rollout.Fail, Message: "idle 50%, want > 90%"}
	if diff := cmp.Diff(want, measure(t, judge, "configmap/shared", s)); diff != "" {
		t.Errorf("the new version (-want +got):\n%s", diff)
	}
	windows := []string{"max_over_time(idle[1m])", "max_over_time(idle[2m])"}
	if diff := cmp.Diff(windows, asked()); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}
