// Package examples checks the manifests that a user may apply. What they do is shown by test/e2e.
package examples

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/rollout/spec"
)

// example is what the manifests of one folder hold.
type example struct {
	deployment appsv1.Deployment
	service    corev1.Service
	ingress    netv1.Ingress
	cronJobs   map[string]batchv1.CronJob
	configMaps map[string]corev1.ConfigMap
}

// Folders that have no Deployment: recipes has analyses, argocd has settings of Argo CD, and
// github-actions has a workflow.
var withoutDeployment = []string{recipesFolder, "argocd", "github-actions"}

const recipesFolder = "recipes"

func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(withoutDeployment, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) < 5 {
		t.Fatalf("found %d examples, want at least 5", len(names))
	}
	return names
}

// read refuses unknown fields, as kubectl does.
func read(t *testing.T, folder string) example {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	e := example{cronJobs: map[string]batchv1.CronJob{}, configMaps: map[string]corev1.ConfigMap{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		obj, _, err := decoder.Decode([]byte(text(t, file)), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch obj := obj.(type) {
		case *appsv1.Deployment:
			e.deployment = *obj
		case *corev1.Service:
			e.service = *obj
		case *netv1.Ingress:
			e.ingress = *obj
		case *batchv1.CronJob:
			e.cronJobs[obj.Name] = *obj
		case *corev1.ConfigMap:
			e.configMaps[obj.Name] = *obj
		default:
			t.Fatalf("%s: %T is not among the kinds that an example has", file, obj)
		}
	}
	return e
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// providers are those of a manager that has only Prometheus.
var providers = analysis.Providers{analysis.DefaultProvider: prometheus.None()}

// What a user writes in an example parses, and what it names is there.
func TestAnnotations(t *testing.T) {
	for _, folder := range folders(t) {
		t.Run(folder, func(t *testing.T) {
			e := read(t, folder)
			wanted, err := spec.ParseSpec(e.deployment.Annotations)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range wanted.Steps {
				if cron, ok := e.cronJobs[step.Job]; step.Job != "" && (!ok || cron.Spec.Suspend == nil || !*cron.Spec.Suspend) {
					t.Errorf("step %s: there is no suspended CronJob of that name", step)
				}
			}
			if err := providers.Check(wanted.Analysis); err != nil {
				t.Fatal(err)
			}
			judged, err := analysis.Parse(wanted.Analysis)
			if err != nil {
				t.Fatal(err)
			}
			if judged.ConfigMap == "" {
				return
			}
			shared, ok := e.configMaps[judged.ConfigMap].Data["analysis"]
			if !ok {
				t.Fatalf("there is no ConfigMap %s with the key analysis", judged.ConfigMap)
			}
			if err := providers.Check(shared); err != nil {
				t.Errorf("ConfigMap %s: %v", judged.ConfigMap, err)
			}
		})
	}
}

// Each recipe can be used as it is, and agent-quality with each of its parameters.
func TestRecipes(t *testing.T) {
	builder, uses := fake.NewClientBuilder(), map[string][]string{
		"recipe/agent-quality, more-errors=0.5%, more-failures=2%, ended=my_tasks_total, completed=my_good_tasks_total": {
			"20% + 0.5%", "20% + 2%", "'my_tasks_total{namespace=", "'my_good_tasks_total{namespace=",
		},
	}
	for name, recipe := range read(t, recipesFolder).configMaps {
		recipe.Namespace = "headgate-system"
		builder.WithObjects(&recipe)
		uses["recipe/"+name] = nil
	}
	judge := analysis.New(providers, builder.Build(), analysis.Options{RecipesNamespace: "headgate-system"})
	for text, parts := range uses {
		resolved, err := judge.Resolve(t.Context(), "shop", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, part := range parts {
			if !strings.Contains(resolved.Rules(), part) {
				t.Errorf("%s: %s is not in\n%s", text, part, resolved.Rules())
			}
		}
	}
}

// The Ingress leads to the Service and the Service to the pods, and all examples can be applied to one namespace.
func TestRoutes(t *testing.T) {
	owner := map[string]string{}
	for _, folder := range folders(t) {
		e := read(t, folder)
		pods := labels.Set(e.deployment.Spec.Template.Labels)
		if len(e.service.Spec.Selector) == 0 || !labels.SelectorFromSet(e.service.Spec.Selector).Matches(pods) {
			t.Errorf("%s: the Service does not select the pods", folder)
		}
		rule := e.ingress.Spec.Rules[0]
		if to := rule.HTTP.Paths[0].Backend.Service.Name; to != e.service.Name {
			t.Errorf("%s: the Ingress leads to Service %s, want %s", folder, to, e.service.Name)
		}
		for _, name := range []string{e.deployment.Name, rule.Host} {
			if other, taken := owner[name]; taken {
				t.Errorf("%s: %s is in %s too", folder, name, other)
			}
			owner[name] = folder
		}
	}
}

// Every example is in the index and says how to apply it and how to send a version back.
func TestPages(t *testing.T) {
	index := text(t, "README.md")
	for _, folder := range folders(t) {
		if !strings.Contains(index, "]("+folder+"/)") {
			t.Errorf("README.md does not lead to %s", folder)
		}
		page := text(t, filepath.Join(folder, "README.md"))
		name := read(t, folder).deployment.Name
		for _, want := range []string{
			"kubectl apply -f examples/" + folder + "/",
			"kubectl annotate deployment " + name + " headgate.dev/command=abort",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s/README.md does not say %q", folder, want)
			}
		}
	}
}
