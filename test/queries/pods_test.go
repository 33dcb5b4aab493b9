package queries

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
	promprovider "github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout"
)

// The pods of one namespace: two of the canary, one of stable, one of stable that was the
// canary of an earlier rollout, and others that share the beginning of their name.
const (
	canaryPod1 = "web-canary-6d4cf56db6-2bcdf"
	canaryPod2 = "web-canary-6d4cf56db6-4wxyz"
	stablePod  = "web-5b9c9dfc77-hjk2l"
	adoptedPod = "web-canary-7c8b9d5f44-x2x2x"
	otherPod   = "web-api-5b9c9dfc77-hjk2l"
)

// series writes a series of a pod, under the labels that Prometheus gives it.
func series(name, labels, pod, values string) string {
	variants := map[string]string{
		"target":   `{namespace="shop",pod=%q%s} %s`,
		"exporter": `{namespace="monitoring",pod="exporter-0",exported_namespace="shop",exported_pod=%q%s} %s`,
		"otlp":     `{k8s_namespace_name="shop",k8s_pod_name=%q%s} %s`,
	}
	variant, further, _ := strings.Cut(labels, ",")
	if further != "" {
		further = "," + further
	}
	return name + fmt.Sprintf(variants[variant], pod, further, values)
}

func measurePods(t *testing.T, text string, series ...string) rollout.Measurement {
	t.Helper()
	providers := analysis.Providers{analysis.DefaultProvider: promprovider.Of(newPrometheus(t, series...), time.Second, "")}
	noon := time.Unix(0, 0).Add(moment)
	resolved, err := analysis.New(providers, nil, analysis.Options{Now: func() time.Time { return noon }}).Resolve(t.Context(), "shop", text)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Measure(t.Context(), rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", CanaryReplicaSet: "web-canary-6d4cf56db6",
		Weight: 10, Window: window, Since: noon.Add(-5 * time.Minute),
	})
}

func TestMetricsOfPods(t *testing.T) {
	var cores, bytes, kube []string
	for pod, used := range map[string]int{canaryPod1: 3, canaryPod2: 6, stablePod: 2, adoptedPod: 4, otherPod: 1000} {
		// used cores * 15 s between two scrapes; the pause container and the sum over the pod are no container of the user's
		for _, container := range []string{"app", "sidecar"} {
			label := fmt.Sprintf("target,container=%q", container)
			cores = append(cores, series("container_cpu_usage_seconds_total", label, pod, fmt.Sprintf("0+%gx40", float64(used)*15/2)))
			bytes = append(bytes, series("container_memory_working_set_bytes", label, pod, fmt.Sprintf("%dx40", used<<19)))
		}
		cores = append(cores, series("container_cpu_usage_seconds_total", `target,container=""`, pod, fmt.Sprintf("0+%dx40", used*15)))
		kube = append(kube, series("kube_pod_container_status_restarts_total", `exporter,container="app"`, pod, fmt.Sprintf("%dx40", used)))
	}
	tokens := func(labels string, pod string, perScrape int) []string {
		return []string{
			series("gen_ai_client_token_usage_sum", labels+`,gen_ai_token_type="input"`, pod, fmt.Sprintf("0+%dx40", perScrape*40)),
			series("gen_ai_client_token_usage_sum", labels+`,gen_ai_token_type="output"`, pod, fmt.Sprintf("0+%dx40", perScrape*60)),
			series("gen_ai_client_operation_duration_seconds_count", labels, pod, fmt.Sprintf("0+%dx40", perScrape)),
		}
	}
	vllm := []string{
		series("vllm:prompt_tokens_total", "target", canaryPod1, "0+300x40"),
		series("vllm:generation_tokens_total", "target", canaryPod1, "0+200x40"),
		series("vllm:request_success_total", `target,finished_reason="stop"`, canaryPod1, "0+10x40"),
	}
	first := func(labels, pod string, late int) []string {
		const name = "gen_ai_server_time_to_first_token_seconds_bucket"
		return []string{
			series(name, labels+`,le="1"`, pod, fmt.Sprintf("0+%dx40", 100-late)), series(name, labels+`,le="4"`, pod, "0+100x40"),
			series(name, labels+`,le="+Inf"`, pod, "0+100x40"),
		}
	}
	for name, tt := range map[string]struct {
		text   string
		series []string
		want   rollout.Verdict
		says   string
	}{
		"cores":                {"cpu <= 5", cores, rollout.Pass, "cpu 4.5, want <= 5"},
		"cores against stable": {"cpu <= 1.6 * stable", cores, rollout.Pass, "cpu 1.5 * stable, want <= 1.6 * stable"},
		"too many cores": {
			"cpu <= 1.3 * stable", cores, rollout.Inconclusive, "cpu 1.5 * stable, want <= 1.3 * stable: 1 in a row, 2 are tolerated",
		},
		"bytes":       {"memory <= 5Mi", bytes, rollout.Pass, "memory 4.5Mi, want <= 5Mi"},
		"restarts":    {"restarts <= 9", kube, rollout.Pass, "restarts 9, want <= 9"},
		"no exporter": {"restarts <= 0", cores, rollout.Inconclusive, "restarts: no data"},
		"tokens": {
			"tokens-per-request <= 100", tokens("otlp", canaryPod1, 5), rollout.Pass, "tokens-per-request 100, want <= 100",
		},
		"tokens against stable": {
			"tokens-per-request <= 1.2 * stable", append(tokens("otlp", canaryPod1, 5), tokens("otlp", adoptedPod, 9)...), rollout.Pass,
			"tokens-per-request 1 * stable, want <= 1.2 * stable",
		},
		"tokens of vLLM":  {"tokens-per-request <= 50", vllm, rollout.Pass, "tokens-per-request 50, want <= 50"},
		"the first token": {"time-to-first-token <= 2s", first("target", canaryPod1, 2), rollout.Pass, "time-to-first-token 0.9694s, want <= 2s"},
		"a late one": {
			"time-to-first-token <= 2s", first("otlp", canaryPod1, 20), rollout.Inconclusive, "time-to-first-token 3.25s, want <= 2s: 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := measurePods(t, tt.text, tt.series...)
			if got.Verdict != tt.want || !strings.HasPrefix(got.Message, tt.says) {
				t.Errorf("%s: %s\nwant %s: %s", got.Verdict, got.Message, tt.want, tt.says)
			}
		})
	}
}

// Runs of an agent are judged one by one, beside stable.
func TestAgentErrorRate(t *testing.T) {
	const runs = "gen_ai_invoke_agent_duration_seconds_count"
	of := func(pod string, good, bad int) []string {
		labels := fmt.Sprintf("otlp,job=%q,instance=%q", "agent", pod)
		return []string{
			series(runs, labels, pod, fmt.Sprintf("0+%dx40", good)), series(runs, labels+`,error_type="timeout"`, pod, fmt.Sprintf("0+%dx40", bad)),
		}
	}
	for text, says := range map[string]string{
		"agent-error-rate":                        "agent-error-rate: canary 30% bad ones of",
		"agent-error-rate <= 1.2 * stable + 0.1%": "agent-error-rate: canary 30% bad ones of",
		"agent-error-rate <= 5%":                  "agent-error-rate 30%, want <= 5%: canary 30% bad ones of",
	} {
		got := measurePods(t, text, append(of(canaryPod1, 70, 30), append(of(stablePod, 99, 1), of(otherPod, 0, 99)...)...)...)
		if got.Verdict != rollout.Fail || !strings.HasPrefix(got.Message, says) || !strings.Contains(got.Message, "stable 1% of") {
			t.Errorf("%s: %s: %s", text, got.Verdict, got.Message)
		}
	}
	got := measurePods(t, "agent-error-rate <= 5%", append(of(canaryPod1, 99, 1), of(stablePod, 99, 1)...)...)
	if got.Verdict != rollout.Pass {
		t.Errorf("a healthy agent: %s: %s", got.Verdict, got.Message)
	}
}
