package spec

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page names every annotation, and what it shows as steps are steps.
func TestRolloutsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/rollouts.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for key := range examples {
		if !strings.Contains(page, "`"+key+"`") {
			t.Errorf("%s is not there", key)
		}
	}
	for _, kind := range StepKinds {
		word, _, _ := strings.Cut(kind.Doc().Example, "=")
		if !strings.Contains(page, "`"+word) {
			t.Errorf("no example of the step kind %s", kind)
		}
	}
	_, page, _ = strings.Cut(page, "## Strategies")
	page, _, _ = strings.Cut(page, "## What is waited for")
	shown := 0
	for _, cell := range regexp.MustCompile("(?m)^\\|(?: [a-z][^|]*\\|)? `([^`]+)`").FindAllStringSubmatch(page, -1) {
		shown++
		for word := range strings.SplitSeq(cell[1], ", ") {
			if _, err := parseStep(word); err != nil {
				t.Errorf("%q: %v", cell[1], err)
			}
		}
	}
	if shown < 15 {
		t.Errorf("found %d examples of steps", shown)
	}
}

// Every kind of step is in the order of the documentation, and its example reads
// and prints back.
func TestStepKinds(t *testing.T) {
	if len(StepKinds) != len(stepForms) {
		t.Errorf("StepKinds has %d kinds, PerKind %d", len(StepKinds), len(stepForms))
	}
	for _, kind := range StepKinds {
		example := kind.Doc().Example
		if s, err := parseStep(example); err != nil || s.Kind != kind || s.String() != example {
			t.Errorf("%s: example %q reads as %+v, %v", kind, example, s, err)
		}
	}
}
