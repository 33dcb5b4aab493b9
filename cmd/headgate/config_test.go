package main

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/analysis"
)

func TestParseConfig(t *testing.T) {
	defaults := Config{
		Namespace:               "headgate-system",
		ServiceAccount:          "headgate",
		Lease:                   "headgate",
		WebhookService:          "headgate",
		WebhookConfiguration:    "zz-headgate",
		CertSecret:              "headgate-cert",
		WebhookPort:             9443,
		AdmissionMode:           byWebhook,
		MetricsAddress:          ":8080",
		ProbeAddress:            ":8081",
		QueryTimeout:            10 * time.Second,
		IngressControllers:      []string{"k8s.io/ingress-nginx"},
		AnnotationsPrefix:       "nginx.ingress.kubernetes.io",
		Settle:                  5 * time.Second,
		Drain:                   10 * time.Second,
		LeaderElection:          true,
		MaxConcurrentReconciles: 4,
		LogLevel:                slog.LevelInfo,
		LogFormat:               jsonFormat,
	}
	for name, tc := range map[string]struct {
		environ map[string]string
		change  func(*Config)
	}{
		"a namespace is enough": {nil, func(*Config) {}},
		"an empty value is the default": {
			map[string]string{"HEADGATE_PROMETHEUS_ADDRESS": "", "HEADGATE_METRICS_SOURCE": "", "HEADGATE_GATE_ADDRESSES": ""},
			func(*Config) {},
		},
		"sources, levels and formats are words": {
			map[string]string{"HEADGATE_METRICS_SOURCE": "traefik", "HEADGATE_LOG_LEVEL": "debug", "HEADGATE_LOG_FORMAT": "text"},
			func(c *Config) {
				c.MetricsSource, c.LogLevel, c.LogFormat = analysis.Traefik, slog.LevelDebug, textFormat
			},
		},
		"the API server may hold templates": {
			map[string]string{"HEADGATE_ADMISSION_MODE": "policy"},
			func(c *Config) { c.AdmissionMode = byPolicy },
		},
		"a list is separated by commas": {
			map[string]string{"HEADGATE_INGRESS_CONTROLLERS": "k8s.io/ingress-nginx,traefik.io/ingress-controller"},
			func(c *Config) {
				c.IngressControllers = []string{"k8s.io/ingress-nginx", "traefik.io/ingress-controller"}
			},
		},
		"it is for some namespaces": {
			map[string]string{"HEADGATE_NAMESPACES": "shop,blog", "HEADGATE_LEASE": "headgate-shop"},
			func(c *Config) { c.Namespaces, c.Lease = []string{"shop", "blog"}, "headgate-shop" },
		},
		"labels and annotations are JSON objects": {
			map[string]string{
				"HEADGATE_CANARY_LABELS": `{"team":"platform","app.kubernetes.io/part-of":"shop"}`, "HEADGATE_CANARY_ANNOTATIONS": "{}",
			},
			func(c *Config) { c.CanaryLabels = pairs{"team": "platform", "app.kubernetes.io/part-of": "shop"} },
		},
		"settle may be 0s and metrics may be off": {
			map[string]string{"HEADGATE_SETTLE": "0s", "HEADGATE_METRICS_ADDRESS": "0"},
			func(c *Config) { c.Settle, c.MetricsAddress = 0, "0" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			environ := map[string]string{"HEADGATE_NAMESPACE": "headgate-system"}
			maps.Copy(environ, tc.environ)
			got, err := parseConfig(environ)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults
			tc.change(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseConfigSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		environ map[string]string
		want    string
	}{
		"the namespace is required": {
			map[string]string{"HEADGATE_NAMESPACE": ""},
			"HEADGATE_NAMESPACE is not set; headgate --help explains it",
		},
		"a duration has a unit": {
			map[string]string{"HEADGATE_SETTLE": "5"},
			`HEADGATE_SETTLE="5": want a duration, e.g. 5s. How long routers may take to act on a weight. Metrics count from then on.`,
		},
		"a word must be known": {
			map[string]string{"HEADGATE_METRICS_SOURCE": "envoy"},
			`HEADGATE_METRICS_SOURCE="envoy": want a string, e.g. ingress-nginx. ` +
				`The source of the built-in metrics (success-rate, p99 and others): ingress-nginx or traefik.`,
		},
		"a mode must be known": {
			map[string]string{"HEADGATE_ADMISSION_MODE": "webhooks"},
			`HEADGATE_ADMISSION_MODE="webhooks": want a string, e.g. webhook. ` +
				`Who holds new templates: webhook, the one that Headgate serves, or policy, the API server by the policy of the chart. ` +
				`With policy there is no webhook server and no certificate.`,
		},
		"an address is a URL": {
			map[string]string{"HEADGATE_PROMETHEUS_ADDRESS": "prometheus:9090"},
			`HEADGATE_PROMETHEUS_ADDRESS="prometheus:9090": want a URL, e.g. http://prometheus.monitoring:9090`,
		},
		"a duration is not negative": {
			map[string]string{"HEADGATE_DRAIN": "-1s"},
			`HEADGATE_DRAIN="-1s": want 0s or more, e.g. 10s`,
		},
		"each address of a list is a URL": {
			map[string]string{"HEADGATE_GATE_ADDRESSES": "https://gates.example.com,gates.example.com"},
			`HEADGATE_GATE_ADDRESSES="https://gates.example.com,gates.example.com": ` +
				`want a list, e.g. https://gates.example.com/headgate. ` +
				`The URL prefixes that headgate.dev/gates may use, comma-separated. Without any, every gate is refused.`,
		},
		"a namespace is a name": {
			map[string]string{"HEADGATE_RECIPES_NAMESPACE": "Recipes"},
			`HEADGATE_RECIPES_NAMESPACE="Recipes": want the name of a namespace, e.g. headgate-recipes`,
		},
		"its own namespace is never one of them": {
			map[string]string{"HEADGATE_NAMESPACES": "shop,headgate-system"},
			`HEADGATE_NAMESPACES="headgate-system": want names of namespaces, neither kube-system nor Headgate's own, e.g. shop,blog`,
		},
		"nor is kube-system": {
			map[string]string{"HEADGATE_NAMESPACES": "kube-system"},
			`HEADGATE_NAMESPACES="kube-system": want names of namespaces, neither kube-system nor Headgate's own, e.g. shop,blog`,
		},
		"a domain is no wildcard": {
			map[string]string{"HEADGATE_PREVIEW_DOMAINS": "*.example.com"},
			`HEADGATE_PREVIEW_DOMAINS="*.example.com": want domains, e.g. preview.example.com`,
		},
		"labels are a JSON object": {
			map[string]string{"HEADGATE_CANARY_LABELS": "team=platform"},
			`HEADGATE_CANARY_LABELS="team=platform": want a JSON object, e.g. {"team":"platform"}. ` +
				`Labels for every object that Headgate makes for a rollout, such as one that a policy requires: ` +
				`the canary Deployment, Services, Ingresses and Jobs, not their pods.`,
		},
		"a label is one that the API server accepts": {
			map[string]string{"HEADGATE_CANARY_LABELS": `{"team":"the platform"}`},
			`HEADGATE_CANARY_LABELS="{\"team\":\"the platform\"}": want labels as a JSON object, e.g. {"team":"platform"}: ` +
				`value "the platform" of team: ` + validation.IsValidLabelValue("the platform")[0],
		},
		"a label of Headgate's own is refused": {
			map[string]string{"HEADGATE_CANARY_LABELS": `{"app.kubernetes.io/managed-by":"helm"}`},
			`HEADGATE_CANARY_LABELS="{\"app.kubernetes.io/managed-by\":\"helm\"}": want labels as a JSON object, ` +
				`e.g. {"team":"platform"}: app.kubernetes.io/managed-by: Headgate, Kubernetes or Argo CD gives it a meaning`,
		},
		"an annotation that a router reads is refused": {
			map[string]string{"HEADGATE_ANNOTATIONS_PREFIX": "nginx.test", "HEADGATE_CANARY_ANNOTATIONS": `{"nginx.test/canary-weight":"50"}`},
			`HEADGATE_CANARY_ANNOTATIONS="{\"nginx.test/canary-weight\":\"50\"}": want annotations as a JSON object, ` +
				`e.g. {"example.com/owner":"platform"}: nginx.test/canary-weight: the ingress controller reads it, ` +
				`and Headgate alone writes it`,
		},
		"one error names every wrong variable": {
			map[string]string{"HEADGATE_WEBHOOK_PORT": "0", "HEADGATE_PROBE_ADDRESS": "8081", "HEADGATE_MAX_CONCURRENT_RECONCILES": "0"},
			`HEADGATE_WEBHOOK_PORT="0": want a port, 1 to 65535, e.g. 9443
HEADGATE_PROBE_ADDRESS="8081": want host:port, e.g. :8081
HEADGATE_MAX_CONCURRENT_RECONCILES="0": want 1 or more, e.g. 4`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			environ := map[string]string{"HEADGATE_NAMESPACE": "headgate-system"}
			maps.Copy(environ, tc.environ)
			_, err := parseConfig(environ)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	for name, tc := range map[string]struct {
		args      []string
		out, fail string
	}{
		"--version":       {[]string{"--version"}, "headgate dev\n", ""},
		"--help":          {[]string{"--help"}, "Usage: headgate [--help | --version]\n", ""},
		"an unknown flag": {[]string{"--port=1"}, "", "flag provided but not defined: -port; headgate --help lists the flags"},
		"an argument": {
			[]string{"serve"}, "",
			`unexpected argument "serve": settings are environment variables, headgate --help lists them`,
		},
		"no arguments, no variables": {nil, "", "HEADGATE_NAMESPACE is not set; headgate --help explains it"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(context.Background(), tc.args, nil, &out)
			if tc.fail != "" {
				if err == nil || err.Error() != tc.fail {
					t.Errorf("run: %v, want %s", err, tc.fail)
				}
				return
			}
			if err != nil || !strings.HasPrefix(out.String(), tc.out) {
				t.Errorf("run: %v, wrote %q, want %q", err, out.String(), tc.out)
			}
		})
	}
}
