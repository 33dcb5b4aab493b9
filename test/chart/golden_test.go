package chart_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/golden"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/chart"
)

// TestGolden renders the chart once for each file testdata/NAME.values.yaml. NAME.golden has what
// the values change: each object that default.golden has not, whole, and the notes if they
// differ. The tests of cmd/headgate read the same files with the types of Kubernetes.
func TestGolden(t *testing.T) {
	initial := printed(t, nil)
	for name, values := range options(t) {
		t.Run(name, func(t *testing.T) {
			got := printed(t, values).text()
			if name != "default" {
				got = printed(t, values).without(initial)
			}
			got = strings.ReplaceAll(got, indented(dashboardFile(t)), "    … files/dashboard.json …\n")
			golden.Assert(t, got, name+".golden")
		})
	}
}

// indented is the content of a file as it is in a ConfigMap.
func indented(content []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(string(content), "\n"), "\n", "\n    ") + "\n"
}

// options are the values of every file testdata/NAME.values.yaml, by NAME.
func options(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	all := map[string]map[string]any{}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".values.yaml")] = readValues(t, file)
	}
	return all
}

func readValues(t *testing.T, file string) map[string]any {
	t.Helper()
	values, err := chart.ReadValues(file)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// output is what helm prints for some values.
type output struct {
	documents []string // each begins with its Source comment
	notes     string
}

var between = regexp.MustCompile(`(?m)^---\n`)

func printed(t *testing.T, values map[string]any) output {
	t.Helper()
	r := release(nil)
	r.Values = values
	objects, err := chart.Render(t.Context(), dir, r)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := chart.Notes(t.Context(), dir, r)
	if err != nil {
		t.Fatal(err)
	}
	return output{between.Split(objects, -1)[1:], notes}
}

func (o output) text() string {
	return "---\n" + strings.Join(o.documents, "---\n") + commented(o.notes)
}

// without is the text of o without the objects that other has too. Those that only other
// has are named at the beginning.
func (o output) without(other output) string {
	var b strings.Builder
	here := o.identities()
	for _, identity := range other.identities() {
		if !slices.Contains(here, identity) {
			fmt.Fprintf(&b, "# Not rendered: %s\n", identity)
		}
	}
	for _, document := range o.documents {
		if !slices.Contains(other.documents, document) {
			b.WriteString("---\n" + document)
		}
	}
	if o.notes != other.notes {
		b.WriteString(commented(o.notes))
	}
	return b.String()
}

// identities are kind, name and namespace of each object.
func (o output) identities() []string {
	var all []string
	for _, document := range o.documents {
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			panic(fmt.Sprintf("Helm decoded this before: %v:\n%s", err, document))
		}
		all = append(all, strings.TrimSpace(object.Kind+" "+object.Name+" "+object.Namespace))
	}
	return all
}

// commented is text as comments of YAML.
func commented(text string) string {
	var b strings.Builder
	b.WriteString("---\n# Notes:\n")
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		b.WriteString(strings.TrimRight("# "+line, " \n") + "\n")
	}
	return b.String()
}
