package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/headgate/headgate/test/lab/parts"
)

// renderChart returns the chart's objects in the order in which helm installs them.
func (l *Lab) renderChart(ctx context.Context, values map[string]string) ([]*unstructured.Unstructured, error) {
	helm, ok := l.paths[parts.Helm]
	if !ok {
		return nil, errors.New("the lab has no helm: start it with Options.Headgate")
	}
	root, err := repositoryRoot(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{"template", "headgate", filepath.Join(root, "charts", "headgate"), "--namespace", HeadgateNamespace}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		args = append(args, "--set", name+"="+values[name])
	}
	rendered, err := output(ctx, helm, args...)
	if err != nil {
		return nil, err
	}
	return decode(rendered)
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

func decode(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096); ; {
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
