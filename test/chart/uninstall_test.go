package chart_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/chart"
)

// object reads the first object of a kind in the rendered chart; false: there is none.
func object(t *testing.T, set map[string]string, kind string, into any) bool {
	t.Helper()
	rendered, err := chart.Render(t.Context(), dir, release(set))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if !strings.Contains(document, "\nkind: "+kind+"\n") {
			continue
		}
		if err := yaml.Unmarshal([]byte(document), into); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

// The Job of an uninstall does the work of the managers, so it has their settings.
func TestTheUninstallHasTheSettingsOfTheManagers(t *testing.T) {
	set := map[string]string{
		"ingress.controllers": "{a,b}", "ingress.annotationsPrefix": "example.com", "ingress.settle": "7s", "ingress.drain": "9s",
		"canary.labels.team": "platform", "log.level": "debug", "image.tag": "1.2.3",
	}
	var job batchv1.Job
	var managers appsv1.Deployment
	if !object(t, set, "Job", &job) || !object(t, set, "Deployment", &managers) {
		t.Fatal("there is no Job or no Deployment")
	}
	cleanup, manager := job.Spec.Template.Spec, managers.Spec.Template.Spec
	theirs := map[string]corev1.EnvVar{}
	for _, e := range manager.Containers[0].Env {
		theirs[e.Name] = e
	}
	for _, e := range cleanup.Containers[0].Env {
		if diff := cmp.Diff(theirs[e.Name], e); diff != "" {
			t.Errorf("(-managers +uninstall)\n%s", diff)
		}
	}
	for name, pair := range map[string][2]any{
		"image":           {manager.Containers[0].Image, cleanup.Containers[0].Image},
		"ServiceAccount":  {manager.ServiceAccountName, cleanup.ServiceAccountName},
		"pod security":    {manager.SecurityContext, cleanup.SecurityContext},
		"its container's": {manager.Containers[0].SecurityContext, cleanup.Containers[0].SecurityContext},
		"resources":       {manager.Containers[0].Resources, cleanup.Containers[0].Resources},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-managers +uninstall)\n%s", name, diff)
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(managers.Spec.Selector)
	if err != nil || selector.Matches(labels.Set(job.Spec.Template.Labels)) {
		t.Errorf("the pod of the Job looks like a manager (%v): the webhook would be asked there", err)
	}
}

func TestTheUninstallIsBounded(t *testing.T) {
	for timeout, want := range map[string]int64{"4m": 270, "90s": 120} {
		var job batchv1.Job
		if !object(t, map[string]string{"uninstall.timeout": timeout}, "Job", &job) {
			t.Fatal("there is no Job")
		}
		if got := *job.Spec.ActiveDeadlineSeconds; got != want {
			t.Errorf("uninstall.timeout %s: the Job may take %d s, want %d", timeout, got, want)
		}
	}
	if object(t, map[string]string{"uninstall.cleanup": "false"}, "Job", &batchv1.Job{}) {
		t.Error("uninstall.cleanup is false, and there is a Job")
	}
	for name, value := range map[string]string{"uninstall.timeout": "1h", "uninstall.unjudged": "keep", "uninstall.cleanUp": "true"} {
		if _, err := chart.Render(t.Context(), dir, release(map[string]string{name: value})); err == nil {
			t.Errorf("%s=%s is not refused", name, value)
		}
	}
}
