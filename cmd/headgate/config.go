package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/caarlos0/env/v11"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/gate"
)

// Config is everything an operator can set. Its tags are the only place where a
// variable, its default and its meaning are written down: --help and
// docs/operating.md follow. example is for variables without a default.
type Config struct {
	Namespace            string `env:"HEADGATE_NAMESPACE,notEmpty" desc:"The namespace that Headgate runs in. Required."`
	ServiceAccount       string `env:"HEADGATE_SERVICE_ACCOUNT" envDefault:"headgate" desc:"The ServiceAccount that Headgate runs as: its writes are not held."`
	WebhookService       string `env:"HEADGATE_WEBHOOK_SERVICE" envDefault:"headgate" desc:"The Service through which the API server calls the webhook."`
	WebhookConfiguration string `env:"HEADGATE_WEBHOOK_CONFIGURATION" envDefault:"headgate" desc:"The MutatingWebhookConfiguration that gets the CA bundle."`
	CertSecret           string `env:"HEADGATE_CERT_SECRET" envDefault:"headgate-cert" desc:"The Secret that holds the serving certificate; it must exist and may be empty."`
	WebhookPort          int    `env:"HEADGATE_WEBHOOK_PORT" envDefault:"9443" desc:"The port that the webhook listens on."`

	MetricsAddress string `env:"HEADGATE_METRICS_ADDRESS" envDefault:":8080" desc:"Where /metrics is served; 0 turns it off."`
	ProbeAddress   string `env:"HEADGATE_PROBE_ADDRESS" envDefault:":8081" desc:"Where /healthz and /readyz are served."`

	PrometheusAddress string          `env:"HEADGATE_PROMETHEUS_ADDRESS" example:"http://prometheus.monitoring:9090" desc:"The Prometheus that analysis asks. Without it, no analysis ever passes."`
	MetricsSource     analysis.Source `env:"HEADGATE_METRICS_SOURCE" example:"ingress-nginx" desc:"Whose metrics success-rate, p99 and the like are computed from: ingress-nginx or traefik."`
	QueryTimeout      time.Duration   `env:"HEADGATE_QUERY_TIMEOUT" envDefault:"10s" desc:"The longest that one query may take."`
	NamespaceLabel    string          `env:"HEADGATE_NAMESPACE_LABEL" example:"namespace" desc:"The label that Prometheus puts on the series of a namespace. When set, a user's query sees only the series of its own."`

	IngressControllers []string      `env:"HEADGATE_INGRESS_CONTROLLERS" envDefault:"k8s.io/ingress-nginx" desc:"The IngressClass controllers known to honour canary annotations, comma-separated."`
	AnnotationsPrefix  string        `env:"HEADGATE_ANNOTATIONS_PREFIX" envDefault:"nginx.ingress.kubernetes.io" desc:"The prefix of the canary annotations that they read."`
	PreviewDomains     []string      `env:"HEADGATE_PREVIEW_DOMAINS" example:"preview.example.com" desc:"Domains under which any headgate.dev/preview-host may be, comma-separated. Below a host of its own Ingress a Deployment may always have one."`
	Settle             time.Duration `env:"HEADGATE_SETTLE" envDefault:"5s" desc:"How long after its write a weight is taken to be in force."`
	Drain              time.Duration `env:"HEADGATE_DRAIN" envDefault:"10s" desc:"How long canary pods outlive their traffic, after HEADGATE_SETTLE."`

	GateAddresses gate.Allowed `env:"HEADGATE_GATE_ADDRESSES" example:"https://gates.example.com/headgate" desc:"The URL prefixes that headgate.dev/gates may name, comma-separated. Without any, every gate is refused."`

	LeaderElection          bool `env:"HEADGATE_LEADER_ELECTION" envDefault:"true" desc:"Whether replicas agree on one that rolls out. Off only for a single process."`
	MaxConcurrentReconciles int  `env:"HEADGATE_MAX_CONCURRENT_RECONCILES" envDefault:"4" desc:"How many Deployments are looked at in parallel."`

	LogLevel  slog.Level `env:"HEADGATE_LOG_LEVEL" envDefault:"info" desc:"The least severe level that is logged: debug, info, warn or error."`
	LogFormat logFormat  `env:"HEADGATE_LOG_FORMAT" envDefault:"json" desc:"How log lines are written: json or text."`
}

// parseConfig reads and validates a Config. Its error has one line for every
// variable that is wrong.
func parseConfig(environ map[string]string) (Config, error) {
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: environ})
	if err != nil {
		return Config{}, explain(err, environ)
	}
	return cfg, cfg.Validate()
}

// Validate says what is wrong that types alone do not, one line for each variable.
func (c Config) Validate() error {
	return errors.Join(
		check(c.WebhookPort > 0 && c.WebhookPort <= 65535, "HEADGATE_WEBHOOK_PORT", c.WebhookPort, "want a port, 1 to 65535, e.g. 9443"),
		check(c.MetricsAddress == "0" || isAddress(c.MetricsAddress), "HEADGATE_METRICS_ADDRESS", c.MetricsAddress, "want host:port, e.g. :8080"),
		check(isAddress(c.ProbeAddress), "HEADGATE_PROBE_ADDRESS", c.ProbeAddress, "want host:port, e.g. :8081"),
		check(c.PrometheusAddress == "" || isURL(c.PrometheusAddress), "HEADGATE_PROMETHEUS_ADDRESS", c.PrometheusAddress, "want a URL, e.g. http://prometheus.monitoring:9090"),
		check(c.QueryTimeout > 0, "HEADGATE_QUERY_TIMEOUT", c.QueryTimeout, "want more than nothing, e.g. 10s"),
		each(c.PreviewDomains, isDomain, "HEADGATE_PREVIEW_DOMAINS", "want domains, e.g. preview.example.com"),
		check(c.Settle >= 0, "HEADGATE_SETTLE", c.Settle, "want 0s or more, e.g. 5s"),
		check(c.Drain >= 0, "HEADGATE_DRAIN", c.Drain, "want 0s or more, e.g. 10s"),
		check(c.MaxConcurrentReconciles > 0, "HEADGATE_MAX_CONCURRENT_RECONCILES", c.MaxConcurrentReconciles, "want 1 or more, e.g. 4"),
	)
}

func check(ok bool, variable string, value any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s=%q: %s", variable, fmt.Sprint(value), want)
}

// each checks every item of a list and blames the first that is wrong.
func each(list []string, ok func(string) bool, variable, want string) error {
	for _, item := range list {
		if !ok(item) {
			return check(false, variable, item, want)
		}
	}
	return nil
}

func isDomain(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 }

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
