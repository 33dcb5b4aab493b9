package analysis

import (
	"os"
	"regexp"
	"testing"
)

// Every yaml and text example that a user may copy is valid.
func TestExamplesInDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/analysis.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```(?:yaml|text)\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) < 4 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, example := range examples {
		if err := Check(string(example[1])); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}
