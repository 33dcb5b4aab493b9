package install

import (
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/chart"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/parts"
)

// TestTheAPIServerTakesEveryOption applies what the chart makes of each test/chart/testdata/*.values.yaml
// as a dry run: the API server knows each field and each value, compiles each policy, and would
// store the object. Kinds of the Prometheus Operator and of cert-manager are not among its own; package
// chart decodes the former into their types.
func TestTheAPIServerTakesEveryOption(t *testing.T) {
	files, err := filepath.Glob("../chart/testdata/*.values.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	applied := 0
	for _, file := range files {
		for _, object := range rendered(t, file) {
			group := object.GroupVersionKind().Group
			if group == "monitoring.coreos.com" || group == "cert-manager.io" {
				continue
			}
			ensureNamespace(t, object.GetNamespace())
			config := client.ApplyConfigurationFromUnstructured(object)
			if err := shared.Client().Apply(t.Context(), config, client.FieldOwner("helm"), client.DryRunAll); err != nil {
				t.Errorf("%s: %s %s: %v", filepath.Base(file), object.GetKind(), object.GetName(), err)
			}
			applied++
		}
	}
	if applied < 300 {
		t.Errorf("applied only %d objects", applied)
	}
}

// rendered are the objects that the chart makes of the values in file.
func rendered(t *testing.T, file string) (objects []*unstructured.Unstructured) {
	t.Helper()
	values, err := chart.ReadValues(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := chart.Render(t.Context(), present, chart.Release{
		Name: "headgate", Namespace: lab.HeadgateNamespace, KubeVersion: parts.Version(parts.APIServer), Values: values,
	})
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatalf("%s: %v\n%s", file, err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// ensureNamespace makes a namespace: also a dry run needs one.
func ensureNamespace(t *testing.T, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := shared.Client().Create(t.Context(), ns); name != "" && err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}
