package analysis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// podMetric is a built-in metric about the pods themselves, from series that name a pod.
type podMetric struct {
	named   string
	meaning string
	bound   string // examples, in Markdown
	example string
	check   func(spec.Condition) bool

	// number is the PromQL for the pods of one side of the split.
	number func(side podSide) string
}

func (m podMetric) name() string { return m.named }

func (m podMetric) checkBound(c spec.Condition) error {
	if c.Bound() < 0 || c.Unit() != spec.TimesStable && !m.check(c) {
		return fmt.Errorf("metric %q: the condition %q does not fit: write for example %s %s", m.named, c, m.named, m.example)
	}
	return nil
}

func (podMetric) needsTraffic() bool { return false }

func (m podMetric) docs() metricDocs { return metricDocs{m.meaning, m.bound} }

// query needs no source: these series are not the ingress controller's.
func (m podMetric) query(_ sourceSeries, s rollout.Subject) string {
	return m.number(podSide{s, canaryTrack})
}

// againstStable is the PromQL for how many times stable's number the canary's is.
func (m podMetric) againstStable(s rollout.Subject) string {
	return fmt.Sprintf("(%s) / (%s)", m.number(podSide{s, canaryTrack}), m.number(podSide{s, stableTrack}))
}

// podSide writes PromQL about the pods of one side of the split.
type podSide struct {
	subject rollout.Subject
	track   string
}

// podLabels are the labels for a namespace and a pod: of a target that Prometheus found
// in Kubernetes, of an exporter about other pods that is scraped without honor_labels,
// and of OpenTelemetry's resource attributes.
var podLabels = [][2]string{{"namespace", "pod"}, {"exported_namespace", "exported_pod"}, {"k8s_namespace_name", "k8s_pod_name"}}

// byPod are the labels that tell pods apart.
const byPod = "by (pod, exported_pod, k8s_pod_name)"

// safe are the letters of a pod-template-hash and of the end of a pod's name:
// k8s.io/apimachinery/pkg/util/rand.
const safe = "[bcdfghjklmnpqrstvwxz2456789]"

// matchers selects the pods of the side. Pods that were a canary and became stable keep
// their names, so stable's are all pods of the two names that are not the canary's now.
func (p podSide) matchers(namespace, pod string) string {
	canary := provider.PodsOf(p.subject)
	if p.track == canaryTrack {
		return fmt.Sprintf(`%s=%q,%s=~%q`, namespace, p.subject.Namespace, pod, canary)
	}
	all := fmt.Sprintf("(%s|%s)-%s{1,10}-%[3]s{5}", p.subject.Deployment, p.subject.CanaryDeployment, safe)
	return fmt.Sprintf(`%s=%q,%s=~%q,%[3]s!~%[5]q`, namespace, p.subject.Namespace, pod, all, canary)
}

// each is format for every series of one of metrics, whatever the labels for its pod are.
// %s in format is a selector. further are more label matchers, with a comma before them.
func (p podSide) each(format, further string, metrics ...string) string {
	var sides []string
	for _, metric := range metrics {
		for _, labels := range podLabels {
			sides = append(sides, fmt.Sprintf(format, metric+"{"+p.matchers(labels[0], labels[1])+further+"}"))
		}
	}
	return strings.Join(sides, " or ")
}

func (p podSide) increases(further string, metrics ...string) string {
	return p.each("increase(%s["+promDuration(p.subject.Window)+"])", further, metrics...)
}

func isPodMetric(name string) bool {
	metric, err := builtInNamed(name)
	_, is := metric.(podMetric)
	return err == nil && is
}

// checkPods says whether it is known which pods are the canary's. A pattern for no name
// would match every series without a pod.
func checkPods(s rollout.Subject) error {
	if provider.PodsOf(s) == "" {
		return errors.New("the ReplicaSet of the canary is not known yet")
	}
	return nil
}

func isBare(c spec.Condition) bool   { return c.Unit() == "" }
func isTime(c spec.Condition) bool   { return c.Unit() == "s" || c.Unit() == "ms" }
func isMemory(c spec.Condition) bool { return c.Unit() == "Mi" || c.Unit() == "Gi" }

const (
	restarts = iota
	cpu
	memory
	timeToFirstToken
	tokensPerRequest
)

// podMetrics are about restarts and resources, from kube-state-metrics and cAdvisor, and
// about the models behind an AI service, from OpenTelemetry's GenAI conventions
// (opentelemetry.io/docs/specs/semconv/gen-ai, all in development) and from vLLM.
var podMetrics = [...]podMetric{
	restarts: {
		named: "restarts", check: isBare, bound: "`0`", example: "<= 0",
		meaning: "restarts of the canary's containers since its pods began (kube-state-metrics)",
		number: func(p podSide) string {
			return "sum(" + p.each("%s", "", "kube_pod_container_status_restarts_total") + ")"
		},
	},
	cpu: {
		named: "cpu", check: isBare, bound: "`0.5` or `1.3 * stable`", example: "<= 1.3 * stable",
		meaning: "CPU cores that a pod of the canary uses on average (cAdvisor)",
		number: func(p podSide) string {
			rates := p.each("rate(%s["+promDuration(p.subject.Window)+"])", `,container!=""`, "container_cpu_usage_seconds_total")
			return "avg(sum " + byPod + " (" + rates + "))"
		},
	},
	memory: {
		named: "memory", check: isMemory, bound: "`512Mi`, `2Gi` or `1.3 * stable`", example: "<= 1.3 * stable",
		meaning: "memory that a pod of the canary uses on average, its working set (cAdvisor)",
		number: func(p podSide) string {
			return "avg(sum " + byPod + " (" + p.each("%s", `,container!=""`, "container_memory_working_set_bytes") + "))"
		},
	},
	timeToFirstToken: {
		named: "time-to-first-token", check: isTime, bound: "`2s` or `1.2 * stable`", example: "<= 2s",
		meaning: "time within which 95% of the canary's answers begin (OpenTelemetry GenAI, vLLM)",
		number: func(p podSide) string {
			return "histogram_quantile(0.95, sum by (le) (" + p.increases("", "gen_ai_server_time_to_first_token_seconds_bucket",
				"gen_ai_client_operation_time_to_first_chunk_seconds_bucket", "vllm:time_to_first_token_seconds_bucket") + "))"
		},
	},
	tokensPerRequest: {
		named: "tokens-per-request", check: isBare, bound: "`1500` or `1.2 * stable`", example: "<= 1.2 * stable",
		meaning: "tokens, read and written, for each request of the canary to a model (OpenTelemetry GenAI, vLLM)",
		number: func(p podSide) string {
			conventions := "sum(" + p.increases("", "gen_ai_client_token_usage_sum") + ") / sum(" +
				p.increases("", "gen_ai_client_operation_duration_seconds_count") + ")"
			vllm := "(sum(" + p.increases("", "vllm:prompt_tokens_total") + ") + sum(" + p.increases("", "vllm:generation_tokens_total") +
				")) / sum(" + p.increases("", "vllm:request_success_total") + ")"
			return conventions + " or " + vllm
		},
	},
}

// requestRate is how much traffic the canary gets.
type requestRate struct{}

func (requestRate) name() string { return "request-rate" }

func (m requestRate) checkBound(c spec.Condition) error {
	if !isBare(c) || c.Bound() < 0 {
		return fmt.Errorf("metric %q: want requests in a second, not %q: write for example request-rate >= 5", m.name(), c)
	}
	return nil
}

func (requestRate) query(series sourceSeries, s rollout.Subject) string {
	return fmt.Sprintf("(%s or vector(0)) / %d", canaryRequests(series, s), int(s.Window.Seconds()))
}

func (requestRate) needsTraffic() bool { return true }

func (requestRate) docs() metricDocs {
	return metricDocs{meaning: "requests that the canary answers in a second", bound: "`5`"}
}
