package ingress

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/spec"
)

// TestExamplesInDocs parses every example that a user may copy.
func TestExamplesInDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) < 3 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, example := range examples {
		var annotations map[string]string
		if err := yaml.UnmarshalStrict(example[1], &annotations); err != nil {
			t.Fatalf("%v:\n%s", err, example[1])
		}
		if _, err := spec.ParseSpec(annotations); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}

// TestStepsInDocs parses every header and cookie step in the text.
func TestStepsInDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile("`((?:header|cookie)=[^`]+)`").FindAllSubmatch(page, -1)
	if len(steps) < 4 {
		t.Fatalf("found %d steps", len(steps))
	}
	for _, step := range steps {
		if _, err := spec.ParseSteps("0%, " + string(step[1])); err != nil {
			t.Error(err)
		}
	}
}
