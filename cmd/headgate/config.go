package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/caarlos0/env/v11"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/gate"
	"github.com/headgate/headgate/rollout"
)

// Config is everything that an operator can set. The tag env names the variable,
// envDefault its default. example is for a variable without a default. What each
// variable means is in meanings. --help and docs/operating.md are generated from both.
type Config struct {
	Namespace            string   `env:"HEADGATE_NAMESPACE,notEmpty"`
	Namespaces           []string `env:"HEADGATE_NAMESPACES" example:"shop,blog"`
	ServiceAccount       string   `env:"HEADGATE_SERVICE_ACCOUNT" envDefault:"headgate"`
	Lease                string   `env:"HEADGATE_LEASE" envDefault:"headgate"`
	WebhookService       string   `env:"HEADGATE_WEBHOOK_SERVICE" envDefault:"headgate"`
	WebhookConfiguration string   `env:"HEADGATE_WEBHOOK_CONFIGURATION" envDefault:"zz-headgate"`
	CertSecret           string   `env:"HEADGATE_CERT_SECRET" envDefault:"headgate-cert"`
	CertDir              string   `env:"HEADGATE_CERT_DIR" example:"/etc/headgate/certificate"`
	WebhookPort          int      `env:"HEADGATE_WEBHOOK_PORT" envDefault:"9443"`

	AdmissionMode admissionMode `env:"HEADGATE_ADMISSION_MODE" envDefault:"webhook"`

	MetricsAddress string `env:"HEADGATE_METRICS_ADDRESS" envDefault:":8080"`
	ProbeAddress   string `env:"HEADGATE_PROBE_ADDRESS" envDefault:":8081"`

	PrometheusAddress string          `env:"HEADGATE_PROMETHEUS_ADDRESS" example:"http://prometheus.monitoring:9090"`
	MetricsSource     analysis.Source `env:"HEADGATE_METRICS_SOURCE" example:"ingress-nginx"`
	QueryTimeout      time.Duration   `env:"HEADGATE_QUERY_TIMEOUT" envDefault:"10s"`
	NamespaceLabel    string          `env:"HEADGATE_NAMESPACE_LABEL" example:"namespace"`
	RecipesNamespace  string          `env:"HEADGATE_RECIPES_NAMESPACE" example:"headgate-recipes"`
	ProvidersFile     string          `env:"HEADGATE_PROVIDERS_FILE" example:"/etc/headgate/providers/providers.yaml"`

	IngressControllers   []string      `env:"HEADGATE_INGRESS_CONTROLLERS" envDefault:"k8s.io/ingress-nginx"`
	AnnotationsPrefix    string        `env:"HEADGATE_ANNOTATIONS_PREFIX" envDefault:"nginx.ingress.kubernetes.io"`
	PreviewDomains       []string      `env:"HEADGATE_PREVIEW_DOMAINS" example:"preview.example.com"`
	PreviewBelowOwnHosts bool          `env:"HEADGATE_PREVIEW_BELOW_OWN_HOSTS" envDefault:"false"`
	Settle               time.Duration `env:"HEADGATE_SETTLE" envDefault:"5s"`
	Drain                time.Duration `env:"HEADGATE_DRAIN" envDefault:"10s"`

	GateAddresses gate.Allowed `env:"HEADGATE_GATE_ADDRESSES" example:"https://gates.example.com/headgate"`

	CanaryLabels      pairs `env:"HEADGATE_CANARY_LABELS" example:"{\"team\":\"platform\"}"`
	CanaryAnnotations pairs `env:"HEADGATE_CANARY_ANNOTATIONS" example:"{\"example.com/owner\":\"platform\"}"`

	LeaderElection          bool `env:"HEADGATE_LEADER_ELECTION" envDefault:"true"`
	MaxConcurrentReconciles int  `env:"HEADGATE_MAX_CONCURRENT_RECONCILES" envDefault:"4"`
	MemoryLimit             int  `env:"HEADGATE_MEMORY_LIMIT" example:"268435456"`

	LogLevel  slog.Level `env:"HEADGATE_LOG_LEVEL" envDefault:"info"`
	LogFormat logFormat  `env:"HEADGATE_LOG_FORMAT" envDefault:"json"`
}

// parseConfig reads and validates a Config. Its error has one line for each wrong
// variable.
func parseConfig(environ map[string]string) (Config, error) {
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: environ})
	if err != nil {
		return Config{}, explain(err, environ)
	}
	return cfg, cfg.Validate()
}

// Validate returns an error with one line for each variable whose value has the right
// type and is not allowed.
func (c Config) Validate() error {
	return errors.Join(
		checkEach(c.Namespaces, c.mayManage, "HEADGATE_NAMESPACES",
			"want names of namespaces, neither kube-system nor Headgate's own, e.g. shop,blog"),
		check(isDomain(c.Lease), "HEADGATE_LEASE", c.Lease, "want the name of a Lease, e.g. headgate"),
		check(c.WebhookPort > 0 && c.WebhookPort <= 65535, "HEADGATE_WEBHOOK_PORT", c.WebhookPort, "want a port, 1 to 65535, e.g. 9443"),
		check(c.MetricsAddress == "0" || isAddress(c.MetricsAddress), "HEADGATE_METRICS_ADDRESS", c.MetricsAddress,
			"want host:port, e.g. :8080"),
		check(isAddress(c.ProbeAddress), "HEADGATE_PROBE_ADDRESS", c.ProbeAddress, "want host:port, e.g. :8081"),
		check(c.PrometheusAddress == "" || isURL(c.PrometheusAddress), "HEADGATE_PROMETHEUS_ADDRESS", c.PrometheusAddress,
			"want a URL, e.g. http://prometheus.monitoring:9090"),
		check(c.QueryTimeout > 0, "HEADGATE_QUERY_TIMEOUT", c.QueryTimeout, "want more than 0s, e.g. 10s"),
		check(c.RecipesNamespace == "" || len(validation.IsDNS1123Label(c.RecipesNamespace)) == 0, "HEADGATE_RECIPES_NAMESPACE",
			c.RecipesNamespace, "want the name of a namespace, e.g. headgate-recipes"),
		checkEach(c.PreviewDomains, isDomain, "HEADGATE_PREVIEW_DOMAINS", "want domains, e.g. preview.example.com"),
		checkPairs(rollout.CheckExtraLabels(c.CanaryLabels), "HEADGATE_CANARY_LABELS", c.CanaryLabels,
			`want labels as a JSON object, e.g. {"team":"platform"}`),
		checkPairs(rollout.CheckExtraAnnotations(c.CanaryAnnotations, c.AnnotationsPrefix),
			"HEADGATE_CANARY_ANNOTATIONS", c.CanaryAnnotations,
			`want annotations as a JSON object, e.g. {"example.com/owner":"platform"}`),
		check(c.Settle >= 0, "HEADGATE_SETTLE", c.Settle, "want 0s or more, e.g. 5s"),
		check(c.Drain >= 0, "HEADGATE_DRAIN", c.Drain, "want 0s or more, e.g. 10s"),
		check(c.MaxConcurrentReconciles > 0, "HEADGATE_MAX_CONCURRENT_RECONCILES", c.MaxConcurrentReconciles, "want 1 or more, e.g. 4"),
		check(c.MemoryLimit >= 0, "HEADGATE_MEMORY_LIMIT", c.MemoryLimit, "want bytes, e.g. 268435456"),
	)
}

// mayManage says whether Headgate may be for this namespace. The webhook of the chart never
// holds a Deployment in the other two.
func (c Config) mayManage(namespace string) bool {
	return len(validation.IsDNS1123Label(namespace)) == 0 && namespace != metav1.NamespaceSystem && namespace != c.Namespace
}

// check returns nil if ok, otherwise an error that names the variable, its value and
// what is wanted instead.
func check(ok bool, variable string, value any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s=%q: %s", variable, fmt.Sprint(value), want)
}

// checkEach checks every item of a list. Its error is about the first wrong one.
func checkEach(list []string, ok func(string) bool, variable, want string) error {
	for _, item := range list {
		if !ok(item) {
			return check(false, variable, item, want)
		}
	}
	return nil
}

// checkPairs returns nil if err is, otherwise an error that also says what is wanted.
func checkPairs(err error, variable string, value pairs, want string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", check(false, variable, value, want), err)
}

// admissionMode is who holds new templates.
type admissionMode string

const (
	byWebhook admissionMode = "webhook" // this program
	byPolicy  admissionMode = "policy"  // the API server, by the policy of the chart
)

// UnmarshalText accepts "webhook" and "policy".
func (m *admissionMode) UnmarshalText(text []byte) error {
	switch mode := admissionMode(text); mode {
	case byWebhook, byPolicy:
		*m = mode
		return nil
	}
	return fmt.Errorf("unknown admission mode %q", text)
}

// pairs are labels or annotations, as a JSON object: an annotation may contain commas
// and colons.
type pairs map[string]string

// UnmarshalText reads {"key":"value"}. An empty text is no pairs.
func (p *pairs) UnmarshalText(text []byte) error {
	*p = nil
	if len(text) == 0 {
		return nil
	}
	var parsed map[string]string
	if err := json.Unmarshal(text, &parsed); err != nil {
		return err
	}
	if len(parsed) > 0 {
		*p = parsed
	}
	return nil
}

// String is the inverse of UnmarshalText.
func (p pairs) String() string {
	text, err := json.Marshal(map[string]string(p))
	if err != nil {
		return "" // cannot happen: strings can be encoded
	}
	return string(text)
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
