// Package chart renders a Helm chart with Helm's own engine, as "helm template" does.
// Helm's command line would take longer to build than the rest of the lab's own code.
package chart

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Release is what the user of a chart chooses. All fields but Values and Set are required.
type Release struct {
	Name, Namespace string
	KubeVersion     string            // of the cluster, as in "1.37.2"
	Values          map[string]any    // as in a file of helm --values; it is not changed
	Set             map[string]string // as in helm --set, over Values: "image.tag" is the field tag of image
}

// ReadValues reads a file of helm --values. It refuses a name that is there twice.
func ReadValues(file string) (map[string]any, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(content, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return values, nil
}

// Render returns the objects of the chart in a directory, as YAML, in the order in which
// Helm installs them. It refuses values that the chart's schema refuses.
func Render(ctx context.Context, dir string, r Release) (string, error) {
	files, err := r.files(ctx, dir)
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return isNotes(name) })
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", fmt.Errorf("read rendered chart %s: %w", dir, err)
	}
	var b strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	for _, h := range hooks {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", h.Path, h.Manifest)
	}
	return b.String(), nil
}

// Notes returns what helm prints after an install.
func Notes(ctx context.Context, dir string, r Release) (string, error) {
	files, err := r.files(ctx, dir)
	if err != nil {
		return "", err
	}
	for name, text := range files {
		if isNotes(name) {
			return text, nil
		}
	}
	return "", fmt.Errorf("chart %s has no NOTES.txt", dir)
}

func isNotes(name string) bool { return path.Base(name) == "NOTES.txt" }

func (r Release) files(ctx context.Context, dir string) (map[string]string, error) {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", dir, err)
	}
	files, err := r.render(ctx, chart)
	if err != nil {
		return nil, fmt.Errorf("render chart %s: %w", dir, err)
	}
	return files, nil
}

// render returns each template's output under the template's name.
func (r Release) render(ctx context.Context, chart *v2.Chart) (map[string]string, error) {
	values := runtime.DeepCopyJSON(r.Values)
	if values == nil {
		values = map[string]any{}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		if err := strvals.ParseInto(name+"="+r.Set[name], values); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	version, err := common.ParseKubeVersion(r.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("version of Kubernetes %q: %w", r.KubeVersion, err)
	}
	if want := chart.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, version.Version) {
		return nil, fmt.Errorf("the chart wants Kubernetes %s, not %s", want, version.Version)
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	release := common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.RenderWithContext(ctx, chart, all)
}
