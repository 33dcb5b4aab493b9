package main

// meanings says what each variable of Config means, in whole sentences. A variable
// without a meaning fails a test.
var meanings = map[string]string{
	"HEADGATE_NAMESPACE":             "The namespace that Headgate runs in. Required.",
	"HEADGATE_SERVICE_ACCOUNT":       "The ServiceAccount that Headgate runs as: its writes are not held.",
	"HEADGATE_WEBHOOK_SERVICE":       "The Service through which the API server calls the webhook.",
	"HEADGATE_WEBHOOK_CONFIGURATION": "The MutatingWebhookConfiguration that gets the CA bundle.",
	"HEADGATE_CERT_SECRET":           "The Secret that holds the serving certificate; it must exist and may be empty.",
	"HEADGATE_WEBHOOK_PORT":          "The port that the webhook listens on.",
	"HEADGATE_METRICS_ADDRESS":       "Where /metrics is served; 0 turns it off.",
	"HEADGATE_PROBE_ADDRESS":         "Where /healthz and /readyz are served.",
	"HEADGATE_PROMETHEUS_ADDRESS":    "The Prometheus that analysis asks. Without it, no analysis ever passes.",
	"HEADGATE_METRICS_SOURCE":        "Whose metrics success-rate, p99 and the like are computed from: ingress-nginx or traefik.",
	"HEADGATE_QUERY_TIMEOUT":         "The longest that one query may take.",
	"HEADGATE_NAMESPACE_LABEL": "The label that Prometheus puts on the series of a namespace. " +
		"When set, a user's query sees only the series of its own.",
	"HEADGATE_INGRESS_CONTROLLERS": "The IngressClass controllers known to honour canary annotations, comma-separated.",
	"HEADGATE_ANNOTATIONS_PREFIX":  "The prefix of the canary annotations that they read.",
	"HEADGATE_PREVIEW_DOMAINS": "Domains under which any headgate.dev/preview-host may be, comma-separated. " +
		"Below a host of its own Ingress a Deployment may always have one.",
	"HEADGATE_SETTLE": "How long after its write a weight is taken to be in force.",
	"HEADGATE_DRAIN":  "How long canary pods outlive their traffic, after HEADGATE_SETTLE.",
	"HEADGATE_GATE_ADDRESSES": "The URL prefixes that headgate.dev/gates may name, comma-separated. " +
		"Without any, every gate is refused.",
	"HEADGATE_LEADER_ELECTION":           "Whether replicas agree on one that rolls out. Off only for a single process.",
	"HEADGATE_MAX_CONCURRENT_RECONCILES": "How many Deployments are looked at in parallel.",
	"HEADGATE_LOG_LEVEL":                 "The least severe level that is logged: debug, info, warn or error.",
	"HEADGATE_LOG_FORMAT":                "How log lines are written: json or text.",
}
