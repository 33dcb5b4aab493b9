package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/headgate/headgate/test/chart"
	"github.com/headgate/headgate/test/lab/parts"
)

// renderChart returns the chart's objects in the order in which helm installs them. Hooks
// are not among them: those of the chart belong to an uninstall.
func (l *Lab) renderChart(ctx context.Context, namespace string, values map[string]string) ([]*unstructured.Unstructured, error) {
	root, err := repositoryRoot(ctx)
	if err != nil {
		return nil, err
	}
	rendered, err := chart.Render(ctx, filepath.Join(root, "charts", "headgate"), chart.Release{
		Name: "headgate", Namespace: namespace, KubeVersion: parts.Version(parts.APIServer), Set: values,
		// The lab's Prometheus scrapes what asks for it.
		Values: map[string]any{"podAnnotations": map[string]any{"prometheus.io/scrape": "true"}},
	})
	if err != nil {
		return nil, err
	}
	objects, err := decode(rendered)
	return slices.DeleteFunc(objects, func(obj *unstructured.Unstructured) bool {
		return obj.GetAnnotations()["helm.sh/hook"] != ""
	}), err
}

// repositoryRoot returns the checkout: the nested test module replaces the product's
// module with it.
func repositoryRoot(ctx context.Context) (string, error) {
	dir, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/headgate/headgate")
	return strings.TrimSpace(string(dir)), err
}

// output runs a program and returns its stdout. The error quotes its stderr.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s %s: %w", filepath.Base(name), args[0], err)
	}
	return out, nil
}

func decode(manifest string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096); ; {
		obj := &unstructured.Unstructured{}
		err := d.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the rendered chart: %w", err)
		}
		if len(obj.Object) > 0 { // a document may have comments only
			objects = append(objects, obj)
		}
	}
}
