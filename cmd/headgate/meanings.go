package main

// meanings says what each variable of Config means, in whole sentences. A variable
// without a meaning fails a test.
var meanings = map[string]string{
	"HEADGATE_NAMESPACE": "The namespace that Headgate runs in. Required.",
	"HEADGATE_NAMESPACES": "The namespaces that Headgate is for, comma-separated. Empty: every namespace of the cluster. " +
		"Neither its own nor kube-system may be named.",
	"HEADGATE_LEASE":                 "The Lease for leader election, in HEADGATE_NAMESPACE.",
	"HEADGATE_SERVICE_ACCOUNT":       "The ServiceAccount that Headgate runs as. The webhook never holds its writes.",
	"HEADGATE_WEBHOOK_SERVICE":       "The Service through which the API server calls the webhook.",
	"HEADGATE_WEBHOOK_CONFIGURATION": "The MutatingWebhookConfiguration that Headgate writes the CA bundle into.",
	"HEADGATE_CERT_SECRET":           "The Secret for the serving certificate. It must exist and may be empty.",
	"HEADGATE_CERT_DIR": "A directory with tls.crt and tls.key that somebody else renews, such as cert-manager. " +
		"Headgate then needs neither HEADGATE_CERT_SECRET nor HEADGATE_WEBHOOK_CONFIGURATION.",
	"HEADGATE_WEBHOOK_PORT": "The port that the webhook listens on.",
	"HEADGATE_ADMISSION_MODE": "Who holds new templates: webhook, the one that Headgate serves, or policy, the API server " +
		"by the policy of the chart. With policy there is no webhook server and no certificate.",
	"HEADGATE_METRICS_ADDRESS": "The address that serves /metrics; 0 turns it off.",
	"HEADGATE_PROBE_ADDRESS":   "The address that serves /healthz and /readyz.",
	"HEADGATE_PROMETHEUS_ADDRESS": "The Prometheus that analysis queries. " +
		"Without it, a rollout with headgate.dev/analysis waits; any other goes by readiness and time.",
	"HEADGATE_METRICS_SOURCE": "The source of the built-in metrics (success-rate, p99 and others): ingress-nginx or traefik.",
	"HEADGATE_QUERY_TIMEOUT":  "The longest time for one query.",
	"HEADGATE_NAMESPACE_LABEL": "The label of a series that names its namespace. " +
		"A query that a user wrote sees only the series of the Deployment's own namespace. " +
		"Empty: it sees every series. The chart sets namespace.",
	"HEADGATE_RECIPES_NAMESPACE": "The namespace whose ConfigMaps every Deployment may name as recipe/NAME in " +
		"headgate.dev/analysis, if they have the label headgate.dev/recipe=true. Empty: the namespace of Headgate.",
	"HEADGATE_PROVIDERS_FILE": "A YAML file with further providers for analysis, and how to log in there. " +
		"docs/providers.md describes it.",
	"HEADGATE_INGRESS_CONTROLLERS": "The IngressClass controllers that honour canary annotations, comma-separated.",
	"HEADGATE_ANNOTATIONS_PREFIX":  "The prefix of the canary annotations that these controllers read.",
	"HEADGATE_PREVIEW_DOMAINS": "The domains below which every headgate.dev/preview-host may be, comma-separated. " +
		"Any other preview host is refused.",
	"HEADGATE_PREVIEW_BELOW_OWN_HOSTS": "Whether a headgate.dev/preview-host may also be below a host " +
		"that the Deployment's own Ingresses serve.",
	"HEADGATE_SETTLE": "How long routers may take to act on a weight. Metrics count from then on.",
	"HEADGATE_DRAIN":  "How long canary pods stay without traffic, after HEADGATE_SETTLE.",
	"HEADGATE_GATE_ADDRESSES": "The URL prefixes that headgate.dev/gates may use, comma-separated. " +
		"Without any, every gate is refused.",
	"HEADGATE_CANARY_LABELS": "Labels for every object that Headgate makes for a rollout, " +
		"such as one that a policy requires: the canary Deployment, Services, Ingresses and Jobs, not their pods.",
	"HEADGATE_CANARY_ANNOTATIONS":        "Annotations for every object that Headgate makes for a rollout.",
	"HEADGATE_LEADER_ELECTION":           "Whether replicas elect a leader, which alone runs rollouts. Turn it off only for a single process.",
	"HEADGATE_MAX_CONCURRENT_RECONCILES": "How many Deployments are processed in parallel.",
	"HEADGATE_MEMORY_LIMIT": "The memory limit of the container in bytes. The Go runtime collects garbage more often " +
		"when it uses 90% of it. Empty: it does not know a limit. GOMEMLIMIT has precedence. The chart sets it.",
	"HEADGATE_LOG_LEVEL":  "The lowest level that is logged: debug, info, warn or error.",
	"HEADGATE_LOG_FORMAT": "The format of log lines: json or text.",
}
