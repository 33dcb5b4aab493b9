package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

const chartDir = "../../charts/headgate/"

// render fills in a template of the chart with values.yaml, changed by change, as a
// release headgate in the namespace headgate-system. It has those of helm's functions
// that the templates use; make chart renders them with helm itself.
func render(t *testing.T, name string, change func(values map[string]any)) string {
	t.Helper()
	values := map[string]any{}
	unmarshal(t, read(t, chartDir+"values.yaml"), &values)
	change(values)

	chart := template.New("").Option("missingkey=zero")
	chart.Funcs(helmFunctions(chart))
	template.Must(chart.Parse(read(t, chartDir+"templates/_helpers.tpl")))
	template.Must(chart.New(name).Parse(read(t, chartDir+"templates/"+name)))
	var b bytes.Buffer
	if err := chart.ExecuteTemplate(&b, name, map[string]any{
		"Values":  values,
		"Release": map[string]any{"Name": "headgate", "Namespace": "headgate-system", "Service": "Helm"},
		"Chart":   map[string]any{"Name": "headgate", "Version": "1.2.3", "AppVersion": "1.2.3"},
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func helmFunctions(chart *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var b bytes.Buffer
			err := chart.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"toYaml": func(v any) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"toJson": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
		"nindent": func(width int, text string) string {
			line := "\n" + strings.Repeat(" ", width)
			return line + strings.ReplaceAll(text, "\n", line)
		},
		"join": func(separator string, list []any) string {
			var words []string
			for _, item := range list {
				words = append(words, fmt.Sprint(item))
			}
			return strings.Join(words, separator)
		},
		"default": func(initial, v any) any {
			if v == "" {
				return initial
			}
			return v
		},
		"sha256sum":  func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
		"quote":      func(v any) string { return strconv.Quote(fmt.Sprint(v)) },
		"contains":   func(part, text string) bool { return strings.Contains(text, part) },
		"trunc":      func(length int, text string) string { return text[:min(length, len(text))] },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"int":        func(v any) int { number, _ := v.(float64); return int(number) },
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}

func unchanged(map[string]any) {}

// renderAs is the first object of this kind in a template.
func renderAs[T any](t *testing.T, name, kind string, change func(values map[string]any)) T {
	t.Helper()
	for document := range strings.SplitSeq(render(t, name, change), "\n---\n") {
		if strings.Contains(document, "\nkind: "+kind+"\n") {
			var object T
			unmarshal(t, document, &object)
			return object
		}
	}
	t.Fatalf("%s has no %s", name, kind)
	panic("unreachable")
}

func webhookConfiguration(t *testing.T, change func(values map[string]any)) admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	return renderAs[admissionv1.MutatingWebhookConfiguration](t, "webhook.yaml", "MutatingWebhookConfiguration", change)
}

func managerEnv(t *testing.T, name string, change func(values map[string]any)) string {
	t.Helper()
	deployment := renderAs[appsv1.Deployment](t, "deployment.yaml", "Deployment", change)
	for _, v := range deployment.Spec.Template.Spec.Containers[0].Env {
		if v.Name == name {
			return v.Value
		}
	}
	t.Fatalf("the manager has no variable %s", name)
	panic("unreachable")
}

// A template that a later webhook changes would not be seen by Headgate's.
func TestWebhookIsCalledLast(t *testing.T) {
	name := webhookConfiguration(t, unchanged).Name
	for _, other := range []string{
		"istio-sidecar-injector", "kyverno-resource-mutating-webhook-cfg", "vault-agent-injector-cfg", "vpa-webhook-config", "zookeeper",
	} {
		if name <= other {
			t.Errorf("%s is called before %s", name, other)
		}
	}
	if got := managerEnv(t, "HEADGATE_WEBHOOK_CONFIGURATION", unchanged); got != name {
		t.Errorf("the manager writes the CA bundle into %q, want %q", got, name)
	}
	cfg, err := parseConfig(map[string]string{"HEADGATE_NAMESPACE": "headgate-system"})
	if err != nil || cfg.WebhookConfiguration != name {
		t.Errorf("the default of HEADGATE_WEBHOOK_CONFIGURATION is %q, want %q (%v)", cfg.WebhookConfiguration, name, err)
	}
	role := renderAs[rbacv1.ClusterRole](t, "rbac.yaml", "ClusterRole", unchanged)
	if got := role.Rules[len(role.Rules)-1].ResourceNames; !cmp.Equal(got, []string{name}) {
		t.Errorf("the manager may write %q, want %q", got, name)
	}
}

func TestWebhookLeavesNamespacesOut(t *testing.T) {
	const production = `
matchLabels: {stage: production}
matchExpressions: [{key: team, operator: Exists}]`
	for name, tt := range map[string]struct {
		selector, namespace string
		labels              labels.Set
		want                bool
	}{
		"an ordinary namespace":              {"{}", "shop", nil, true},
		"its own":                            {"{}", "headgate-system", nil, false},
		"kube-system":                        {"{}", "kube-system", nil, false},
		"one that the operator selects":      {production, "shop", labels.Set{"stage": "production", "team": "a"}, true},
		"one without a label of the two":     {production, "shop", labels.Set{"stage": "production"}, false},
		"one without the other":              {production, "shop", labels.Set{"team": "a"}, false},
		"its own, though it is selected":     {production, "headgate-system", labels.Set{"stage": "production", "team": "a"}, false},
		"kube-system, though it is selected": {production, "kube-system", labels.Set{"stage": "production", "team": "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			webhook := webhookConfiguration(t, func(values map[string]any) {
				var selector map[string]any
				unmarshal(t, tt.selector, &selector)
				values["webhook"].(map[string]any)["namespaceSelector"] = selector
			}).Webhooks[0]
			selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			set := labels.Merge(tt.labels, labels.Set{"kubernetes.io/metadata.name": tt.namespace})
			if got := webhook.NamespaceSelector != nil && selector.Matches(set); got != tt.want {
				t.Errorf("%s selects %v: %v, want %v", selector, set, got, tt.want)
			}
		})
	}
}

func TestOwnQueriesAreConfined(t *testing.T) {
	label := func(value any) func(map[string]any) {
		return func(values map[string]any) { values["prometheus"].(map[string]any)["namespaceLabel"] = value }
	}
	for name, tt := range map[string]struct {
		change func(values map[string]any)
		want   string
	}{
		"by default":     {unchanged, "namespace"},
		"by another":     {label("kubernetes_namespace"), "kubernetes_namespace"},
		"unless said so": {label(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parseConfig(map[string]string{
				"HEADGATE_NAMESPACE":       "headgate-system",
				"HEADGATE_NAMESPACE_LABEL": managerEnv(t, "HEADGATE_NAMESPACE_LABEL", tt.change),
			})
			if err != nil || cfg.NamespaceLabel != tt.want {
				t.Errorf("queries are confined by the label %q, want %q (%v)", cfg.NamespaceLabel, tt.want, err)
			}
		})
	}
}

// The chart names the namespace of the recipes, and gives Headgate no more than get there.
func TestRecipesNamespaceOfTheChart(t *testing.T) {
	set := func(values map[string]any) { values["recipes"] = map[string]any{"namespace": "recipes"} }
	for _, tt := range []struct {
		change func(values map[string]any)
		want   string
	}{{unchanged, ""}, {set, "recipes"}} {
		cfg, err := parseConfig(map[string]string{
			"HEADGATE_NAMESPACE":         "headgate-system",
			"HEADGATE_RECIPES_NAMESPACE": managerEnv(t, "HEADGATE_RECIPES_NAMESPACE", tt.change),
		})
		if err != nil || cfg.RecipesNamespace != tt.want {
			t.Errorf("got %q, want %q (%v)", cfg.RecipesNamespace, tt.want, err)
		}
	}
	var verbs []string
	for _, rule := range renderAs[rbacv1.ClusterRole](t, "rbac.yaml", "ClusterRole", set).Rules {
		if slices.Contains(rule.Resources, "configmaps") {
			verbs = append(verbs, rule.Verbs...)
		}
	}
	if !slices.Equal(verbs, []string{"get"}) {
		t.Errorf("of ConfigMaps Headgate may %v", verbs)
	}
}

// A user reaches no preview host that the operator did not allow.
func TestPreviewHostsAreTheOperators(t *testing.T) {
	set := func(values map[string]any) {
		ingress := values["ingress"].(map[string]any)
		ingress["previewDomains"], ingress["previewBelowOwnHosts"] = []any{"a.test", "b.test"}, true
	}
	for name, tt := range map[string]struct {
		change   func(values map[string]any)
		domains  []string
		ownHosts bool
	}{
		"none by default":      {unchanged, nil, false},
		"those that it allows": {set, []string{"a.test", "b.test"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			environ := map[string]string{"HEADGATE_NAMESPACE": "headgate-system"}
			for _, variable := range []string{"HEADGATE_PREVIEW_DOMAINS", "HEADGATE_PREVIEW_BELOW_OWN_HOSTS"} {
				environ[variable] = managerEnv(t, variable, tt.change)
			}
			cfg, err := parseConfig(environ)
			if err != nil || !slices.Equal(cfg.PreviewDomains, tt.domains) || cfg.PreviewBelowOwnHosts != tt.ownHosts {
				t.Errorf("domains %q, own hosts %v, %v", cfg.PreviewDomains, cfg.PreviewBelowOwnHosts, err)
			}
		})
	}
}

func TestCanaryObjectsHaveTheOperatorsMetadata(t *testing.T) {
	set := func(values map[string]any) {
		values["canary"] = map[string]any{
			"labels":      map[string]any{"team": "platform"},
			"annotations": map[string]any{"example.com/why": `a "b", c: d`},
		}
	}
	for name, tt := range map[string]struct {
		change              func(values map[string]any)
		labels, annotations pairs
	}{
		"none by default": {unchanged, nil, nil},
		"as written":      {set, pairs{"team": "platform"}, pairs{"example.com/why": `a "b", c: d`}},
	} {
		t.Run(name, func(t *testing.T) {
			environ := map[string]string{"HEADGATE_NAMESPACE": "headgate-system"}
			for _, variable := range []string{"HEADGATE_CANARY_LABELS", "HEADGATE_CANARY_ANNOTATIONS"} {
				environ[variable] = managerEnv(t, variable, tt.change)
			}
			cfg, err := parseConfig(environ)
			if err != nil || !maps.Equal(cfg.CanaryLabels, tt.labels) || !maps.Equal(cfg.CanaryAnnotations, tt.annotations) {
				t.Errorf("labels %v, annotations %v, %v", cfg.CanaryLabels, cfg.CanaryAnnotations, err)
			}
		})
	}
}

// What the chart writes into the file is what the manager reads, and the credentials are
// beside it.
func TestChartMountsProviders(t *testing.T) {
	change := func(values map[string]any) {
		values["providers"] = map[string]any{
			"list":           []any{map[string]any{"name": "mimir", "type": "prometheus", "address": "http://mimir", "bearerTokenFile": "token"}},
			"existingSecret": "credentials",
		}
	}
	if got := managerEnv(t, "HEADGATE_PROVIDERS_FILE", change); got != "/etc/headgate/providers/providers.yaml" {
		t.Errorf("HEADGATE_PROVIDERS_FILE is %q", got)
	}
	pod := renderAs[appsv1.Deployment](t, "deployment.yaml", "Deployment", change).Spec.Template
	volume := pod.Spec.Volumes[0]
	if got := pod.Spec.Containers[0].VolumeMounts[0]; got.Name != volume.Name || got.MountPath != "/etc/headgate/providers" {
		t.Errorf("mounted %+v", got)
	}
	config := renderAs[corev1.ConfigMap](t, "deployment.yaml", "ConfigMap", change)
	sources := volume.Projected.Sources
	if len(sources) != 2 || sources[0].Secret.Name != "credentials" || sources[1].ConfigMap.Name != config.Name {
		t.Errorf("sources %+v", sources)
	}
	file := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(file, []byte(config.Data["providers.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	providers, err := newProviders(Config{ProvidersFile: file, QueryTimeout: time.Second})
	if err != nil || providers["mimir"] == nil {
		t.Errorf("got %v, %v", providers, err)
	}
	plain := renderAs[appsv1.Deployment](t, "deployment.yaml", "Deployment", unchanged).Spec.Template
	if len(plain.Spec.Volumes) > 0 || len(plain.Spec.Containers[0].VolumeMounts) > 0 {
		t.Error("without providers there is a volume")
	}
}
