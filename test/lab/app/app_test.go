package app

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigSaysHowToWriteAValue(t *testing.T) {
	for name, want := range map[string]string{
		"ERROR_RATE":        `ERROR_RATE: invalid value "lots": write it like "0.5"`,
		"LATENCY":           `LATENCY: invalid value "lots": write it like "250ms"`,
		"STARTUP_DELAY":     `STARTUP_DELAY: invalid value "lots": write it like "3s"`,
		"NEVER_READY":       `NEVER_READY: invalid value "lots": write it like "true"`,
		"TASK_FAILURE_RATE": `TASK_FAILURE_RATE: invalid value "lots": write it like "0.3"`,
		"TOKENS_PER_TASK":   `TOKENS_PER_TASK: invalid value "lots": write it like "1200"`,
		"TOOL_ERROR_RATE":   `TOOL_ERROR_RATE: invalid value "lots": write it like "0.1"`,
		"CRASH_AFTER":       `CRASH_AFTER: invalid value "lots": write it like "5s"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "lots")
			if _, err := load(); err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

func TestServiceAnswers(t *testing.T) {
	for sentence, c := range map[string]struct {
		config           config
		path             string
		code             int
		version, purpose string
		body             string
	}{
		"a healthy one with its version": {config{version: "v1", pod: "web-1"}, "/", 200, "v1", "", `{"pod":"web-1","version":"v1"}`},
		"an error on purpose is marked":  {config{version: "v1", errorRate: 1}, "/", 500, "v1", "1", `{"pod":"","version":"v1"}`},
		"a healthy one is ready":         {config{errorRate: 1}, "/healthz", 200, "", "", ""},
		"one that never is ready":        {config{neverReady: true}, "/healthz", 503, "", "", "NEVER_READY is set"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler(c.config).ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			got := []any{w.Code, w.Header().Get(VersionHeader), w.Header().Get(OnPurposeHeader), strings.TrimSpace(w.Body.String())}
			if diff := cmp.Diff([]any{c.code, c.version, c.purpose, c.body}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetricsCountByCode(t *testing.T) {
	h := handler(config{version: "v1", errorRate: 1})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`http_requests_total{code="500"} 1`, `http_request_duration_seconds_count 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %s:\n%s", want, w.Body)
		}
	}
}

func TestTasksAreCountedAsAnAgentWould(t *testing.T) {
	h := handler(config{version: "v1", taskFailureRate: 0.2, tokensPerTask: 1200, toolErrorRate: 0.1})
	for range 10 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"agent_tasks_started_total 10", "agent_tasks_completed_total 8", "agent_tokens_total 12000",
		"agent_tool_calls_total 30", "agent_tool_errors_total 3",
	} {
		if !strings.Contains(w.Body.String(), "\n"+want+"\n") {
			t.Errorf("metrics lack %s:\n%s", want, w.Body)
		}
	}
}
