package convert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout/spec"
)

// Each file of testdata is an input. The golden file beside it has what is printed: the manifests, with the remarks
// at their head, or the error.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.[yj][as][mo][ln]")
	if err != nil || len(inputs) < 10 {
		t.Fatalf("found %d inputs: %v", len(inputs), err)
	}
	for _, input := range inputs {
		name := filepath.Base(input)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			golden.Assert(t, printed(t, name, text), name+".golden")
		})
	}
}

// printed is what a person sees of a conversion.
func printed(t *testing.T, name string, text []byte) string {
	t.Helper()
	objects, err := Read(name, text)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	r, err := Convert(objects)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	if err := r.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	for _, remark := range r.Remarks {
		b.WriteString("# beside it: " + remark.String() + "\n")
	}
	checkManifests(t, b.String())
	return b.String()
}

// checkManifests reads what was printed as Headgate does.
func checkManifests(t *testing.T, text string) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var m struct {
			Kind     string
			Metadata struct{ Annotations map[string]string }
		}
		if d.Decode(&m) != nil {
			return
		}
		if m.Kind != "Deployment" {
			continue
		}
		if _, err := spec.ParseSpec(m.Metadata.Annotations); err != nil {
			t.Errorf("Headgate refuses the Deployment: %v", err)
		}
		if err := analysis.Check(m.Metadata.Annotations[spec.AnnotationAnalysis]); err != nil {
			t.Errorf("Headgate refuses the analysis: %v", err)
		}
	}
}
