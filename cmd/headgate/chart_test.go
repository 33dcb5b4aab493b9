package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// renderings has what Helm makes of the chart: NAME.golden is the result of NAME.values.yaml,
// without the objects that are as in default.golden. A test of test/chart keeps it so; here
// the objects meet the program.
const renderings = "../../test/chart/testdata/"

// documents are the YAML documents of a golden file, by kind, name and namespace.
func documents(t *testing.T, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for document := range strings.SplitSeq(read(t, renderings+name+".golden"), "---\n") {
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%s: %v:\n%s", name, err, document)
		}
		if object.Kind != "" {
			all[strings.TrimSpace(object.Kind+" "+object.Name+" "+object.Namespace)] = document
		}
	}
	return all
}

// rendered are the objects of this kind that the chart makes of NAME.values.yaml.
func rendered[T any](t *testing.T, name, kind string) []T {
	t.Helper()
	all := documents(t, "default")
	for line := range strings.Lines(read(t, renderings+name+".golden")) {
		if identity, ok := strings.CutPrefix(line, "# Not rendered: "); ok {
			delete(all, strings.TrimSpace(identity))
		}
	}
	maps.Copy(all, documents(t, name))
	var objects []T
	for _, identity := range slices.Sorted(maps.Keys(all)) {
		isHook := strings.Contains(all[identity], "\n    helm.sh/hook: ") // it is there during an uninstall only
		if strings.HasPrefix(identity, kind+" ") && !isHook {
			var object T
			if err := yaml.UnmarshalStrict([]byte(all[identity]), &object); err != nil {
				t.Fatalf("%s: %v:\n%s", name, err, all[identity])
			}
			objects = append(objects, object)
		}
	}
	return objects
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// only is the one object of this kind that the chart makes of NAME.values.yaml.
func only[T any](t *testing.T, name, kind string) T {
	t.Helper()
	objects := rendered[T](t, name, kind)
	if len(objects) != 1 {
		t.Fatalf("%s has %d objects of kind %s", name, len(objects), kind)
	}
	return objects[0]
}

func deploymentOf(t *testing.T, name string) appsv1.Deployment {
	t.Helper()
	return only[appsv1.Deployment](t, name, "Deployment")
}

// configOf is the Config with which the chart starts the manager.
func configOf(t *testing.T, name string) Config {
	t.Helper()
	environ := map[string]string{}
	deployment := deploymentOf(t, name)
	for _, v := range deployment.Spec.Template.Spec.Containers[0].Env {
		environ[v.Name] = v.Value
		if v.ValueFrom != nil {
			environ[v.Name] = fromPod(t, deployment, v.ValueFrom)
		}
	}
	cfg, err := parseConfig(environ)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return cfg
}

// fromPod is what the kubelet makes of a reference to the pod.
func fromPod(t *testing.T, deployment appsv1.Deployment, from *corev1.EnvVarSource) string {
	t.Helper()
	switch {
	case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace":
		return deployment.Namespace
	case from.FieldRef != nil && from.FieldRef.FieldPath == "spec.serviceAccountName":
		return deployment.Spec.Template.Spec.ServiceAccountName
	case from.ResourceFieldRef != nil && from.ResourceFieldRef.Resource == "limits.memory":
		limit := deployment.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
		return limit.AsDec().String()
	}
	t.Fatalf("the kubelet of this test does not know %+v", from)
	panic("unreachable")
}

// A variable with a wrong name would have no effect, and nobody would notice.
func TestChartSetsVariablesThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, v := range variables() {
		known[v.name] = true
	}
	files, err := filepath.Glob(renderings + "*.golden")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".golden")
		for _, v := range deploymentOf(t, name).Spec.Template.Spec.Containers[0].Env {
			if !known[v.Name] {
				t.Errorf("%s: the manager does not know %s", name, v.Name)
			}
		}
		configOf(t, name)
	}
}

// A template that a later webhook changes would not be seen by Headgate's.
func TestWebhookIsCalledLast(t *testing.T) {
	name := only[admissionv1.MutatingWebhookConfiguration](t, "default", "MutatingWebhookConfiguration").Name
	for _, other := range []string{
		"istio-sidecar-injector", "kyverno-resource-mutating-webhook-cfg", "vault-agent-injector-cfg", "vpa-webhook-config", "zookeeper",
	} {
		if name <= other {
			t.Errorf("%s is called before %s", name, other)
		}
	}
	if got := configOf(t, "default").WebhookConfiguration; got != name {
		t.Errorf("the manager writes the CA bundle into %q, want %q", got, name)
	}
	cfg, err := parseConfig(map[string]string{"HEADGATE_NAMESPACE": "headgate-system"})
	if err != nil || cfg.WebhookConfiguration != name {
		t.Errorf("the default of HEADGATE_WEBHOOK_CONFIGURATION is %q, want %q (%v)", cfg.WebhookConfiguration, name, err)
	}
	role := only[rbacv1.ClusterRole](t, "default", "ClusterRole")
	if got := role.Rules[len(role.Rules)-1].ResourceNames; !cmp.Equal(got, []string{name}) {
		t.Errorf("the manager may write %q, want %q", got, name)
	}
}

func TestWebhookLeavesNamespacesOut(t *testing.T) {
	production := labels.Set{"stage": "production", "team": "a"}
	for name, tt := range map[string]struct {
		values, namespace string
		labels            labels.Set
		want              bool
	}{
		"an ordinary namespace":              {"default", "shop", nil, true},
		"its own":                            {"default", "headgate-system", nil, false},
		"kube-system":                        {"default", "kube-system", nil, false},
		"one that the operator selects":      {"webhook", "shop", production, true},
		"one without a label of the two":     {"webhook", "shop", labels.Set{"stage": "production"}, false},
		"one without the other":              {"webhook", "shop", labels.Set{"team": "a"}, false},
		"one of its namespaces":              {"namespaced", "blog", nil, true},
		"not one of its namespaces":          {"namespaced", "payments", nil, false},
		"its own, though it is selected":     {"webhook", "headgate-system", production, false},
		"kube-system, though it is selected": {"webhook", "kube-system", production, false},
	} {
		t.Run(name, func(t *testing.T) {
			webhook := only[admissionv1.MutatingWebhookConfiguration](t, tt.values, "MutatingWebhookConfiguration").Webhooks[0]
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

// In namespaced mode nothing gives a permission in a namespace that the release is not for.
func TestNamespacedReleaseStaysInItsNamespaces(t *testing.T) {
	cfg := configOf(t, "namespaced")
	if want := []string{"shop", "blog"}; !slices.Equal(cfg.Namespaces, want) || cfg.RecipesNamespace != "recipes" {
		t.Errorf("it is for %v and reads recipes in %q", cfg.Namespaces, cfg.RecipesNamespace)
	}
	for _, rule := range only[rbacv1.ClusterRole](t, "namespaced", "ClusterRole").Rules {
		if !slices.Equal(rule.Resources, []string{"ingressclasses"}) && !slices.Equal(rule.ResourceNames, []string{cfg.WebhookConfiguration}) {
			t.Errorf("in the whole cluster it may do %+v", rule)
		}
	}
	inCluster := only[rbacv1.ClusterRole](t, "default", "ClusterRole").Rules
	where := map[string]rbacv1.Role{}
	for _, role := range rendered[rbacv1.Role](t, "namespaced", "Role") {
		where[role.Namespace] = role
	}
	for _, namespace := range cfg.Namespaces {
		both := slices.Concat(where[namespace].Rules, only[rbacv1.ClusterRole](t, "namespaced", "ClusterRole").Rules)
		for i := range both {
			both[i].ResourceNames = nil // the name of the webhook configuration is another one
		}
		for _, rule := range inCluster {
			rule.ResourceNames = nil
			if !slices.ContainsFunc(both, func(other rbacv1.PolicyRule) bool { return cmp.Equal(rule, other) }) {
				t.Errorf("in %s it lacks %+v", namespace, rule)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(where)); !slices.Equal(got, []string{"blog", "headgate-system", "recipes", "shop"}) {
		t.Errorf("there are Roles in %v", got)
	}
}

// What cert-manager does, Headgate is not allowed to do.
func TestCertManagerTakesPermissionsAway(t *testing.T) {
	for _, values := range []string{"cert-manager", "cert-manager-issuer"} {
		cfg := configOf(t, values)
		pod := deploymentOf(t, values).Spec.Template.Spec
		if mount := pod.Containers[0].VolumeMounts; mount[len(mount)-1].MountPath != cfg.CertDir || cfg.CertDir == "" {
			t.Errorf("%s: reads %q, mounts %+v", values, cfg.CertDir, mount)
		}
		rules := only[rbacv1.ClusterRole](t, values, "ClusterRole").Rules
		for _, role := range rendered[rbacv1.Role](t, values, "Role") {
			rules = append(rules, role.Rules...)
		}
		for _, rule := range rules {
			if slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.APIGroups, "admissionregistration.k8s.io") {
				t.Errorf("%s: Headgate may %v %v", values, rule.Verbs, rule.Resources)
			}
		}
		if secrets := rendered[corev1.Secret](t, values, "Secret"); len(secrets) > 0 {
			t.Errorf("%s: the chart makes the Secret %s", values, secrets[0].Name)
		}
	}
}

func TestOwnQueriesAreConfined(t *testing.T) {
	for values, want := range map[string]string{"default": "namespace", "prometheus": "kubernetes_namespace", "open-queries": ""} {
		if got := configOf(t, values).NamespaceLabel; got != want {
			t.Errorf("%s: queries are confined by the label %q, want %q", values, got, want)
		}
	}
}

// The chart names the namespace of the recipes, and gives Headgate no more than get there.
func TestRecipesNamespaceOfTheChart(t *testing.T) {
	for values, want := range map[string]string{"default": "", "prometheus": "recipes"} {
		if got := configOf(t, values).RecipesNamespace; got != want {
			t.Errorf("%s: got %q, want %q", values, got, want)
		}
	}
	var verbs []string
	for _, rule := range only[rbacv1.ClusterRole](t, "prometheus", "ClusterRole").Rules {
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
	if cfg := configOf(t, "default"); len(cfg.PreviewDomains) > 0 || cfg.PreviewBelowOwnHosts {
		t.Errorf("by default: domains %q, own hosts %v", cfg.PreviewDomains, cfg.PreviewBelowOwnHosts)
	}
	if cfg := configOf(t, "ingress"); !slices.Equal(cfg.PreviewDomains, []string{"a.test", "b.test"}) || !cfg.PreviewBelowOwnHosts {
		t.Errorf("as allowed: domains %q, own hosts %v", cfg.PreviewDomains, cfg.PreviewBelowOwnHosts)
	}
}

func TestCanaryObjectsHaveTheOperatorsMetadata(t *testing.T) {
	if cfg := configOf(t, "default"); cfg.CanaryLabels != nil || cfg.CanaryAnnotations != nil {
		t.Errorf("by default: labels %v, annotations %v", cfg.CanaryLabels, cfg.CanaryAnnotations)
	}
	cfg := configOf(t, "canary")
	if !maps.Equal(cfg.CanaryLabels, pairs{"team": "platform"}) ||
		!maps.Equal(cfg.CanaryAnnotations, pairs{"example.com/why": `a "b", c: d`}) {
		t.Errorf("as written: labels %v, annotations %v", cfg.CanaryLabels, cfg.CanaryAnnotations)
	}
}

// What the chart writes into the file is what the manager reads, and the credentials are
// beside it.
func TestChartMountsProviders(t *testing.T) {
	if got := configOf(t, "providers").ProvidersFile; got != "/etc/headgate/providers/providers.yaml" {
		t.Errorf("HEADGATE_PROVIDERS_FILE is %q", got)
	}
	pod := deploymentOf(t, "providers").Spec.Template
	volume := pod.Spec.Volumes[0]
	if got := pod.Spec.Containers[0].VolumeMounts[0]; got.Name != volume.Name || got.MountPath != "/etc/headgate/providers" {
		t.Errorf("mounted %+v", got)
	}
	config := only[corev1.ConfigMap](t, "providers", "ConfigMap")
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
	plain := deploymentOf(t, "default").Spec.Template
	if len(plain.Spec.Volumes) > 0 || len(plain.Spec.Containers[0].VolumeMounts) > 0 {
		t.Error("without providers there is a volume")
	}
}
