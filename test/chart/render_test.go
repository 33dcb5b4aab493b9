package chart_test

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/test/chart"
)

const (
	dir     = "../../charts/headgate"
	version = "1.37.2"
)

func release(set map[string]string) chart.Release {
	return chart.Release{Name: "headgate", Namespace: "headgate-system", KubeVersion: version, Set: set}
}

func TestObjectsComeInTheOrderInWhichTheyAreInstalled(t *testing.T) {
	rendered, err := chart.Render(t.Context(), dir, release(map[string]string{"replicas": "2"}))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, match := range regexp.MustCompile(`(?m)^kind: (\w+)$`).FindAllStringSubmatch(rendered, -1) {
		kinds = append(kinds, match[1])
	}
	account, deployment := slices.Index(kinds, "ServiceAccount"), slices.Index(kinds, "Deployment")
	webhook := slices.Index(kinds, "MutatingWebhookConfiguration")
	if account < 0 || deployment < account || webhook < deployment {
		t.Errorf("kinds = %v, want ServiceAccount, Deployment, MutatingWebhookConfiguration in this order", kinds)
	}
	if !strings.Contains(rendered, "\n  replicas: 2\n") {
		t.Errorf("replicas are not set:\n%s", rendered)
	}
	if !strings.HasPrefix(rendered, "---\n# Source: headgate/templates/") || strings.Contains(rendered, "NOTES.txt") {
		t.Errorf("rendered = %.200q …, want objects only", rendered)
	}
}

func TestWhatHelmRefusesIsRefused(t *testing.T) {
	old := release(nil)
	old.KubeVersion = "1.30.0"
	for name, test := range map[string]struct {
		release chart.Release
		want    string
	}{
		"a value that the schema does not know": {release(map[string]string{"replcas": "2"}), "replcas"},
		"a namespace that cannot exist":         {release(map[string]string{"recipes.namespace": "Recipes"}), "namespace"},
		"its own namespace":                     {release(map[string]string{"namespaces": "{headgate-system}"}), "namespace of the release"},
		"kube-system":                           {release(map[string]string{"namespaces": "{shop,kube-system}"}), "/namespaces/1"},
		"a value of the wrong type":             {release(map[string]string{"replicas": "many"}), "replicas"},
		"a cluster that is too old":             {old, "the chart wants Kubernetes >=1.31.0-0, not v1.30.0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := chart.Render(t.Context(), dir, test.release)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
}

// Where Helm's command line is installed, it has to print the same.
func TestHelmPrintsTheSame(t *testing.T) {
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("helm is not installed")
	}
	for _, set := range []map[string]string{
		{},
		{"replicas": "1", "metrics.serviceMonitor.enabled": "true", "prometheus.address": "http://prometheus:9090"},
		{"prometheus.metricsSource": "traefik", "ingress.previewBelowOwnHosts": "true"},
	} {
		args := []string{"template", "headgate", dir, "--namespace", "headgate-system", "--kube-version", version}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			args = append(args, "--set", name+"="+set[name])
		}
		want, err := exec.Command(helm, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := chart.Render(t.Context(), dir, release(set))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.TrimSpace(got)); diff != "" {
			t.Errorf("with %v (-helm +here):\n%s", set, diff)
		}
	}
}
