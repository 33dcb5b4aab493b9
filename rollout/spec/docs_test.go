package spec

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
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

// Every annotation of annotations.go is one that a user may write, with an example,
// or one that Headgate writes.
func TestEveryAnnotationHasAnExample(t *testing.T) {
	ours := map[string]bool{
		"AnnotationRollout": true, "AnnotationPhase": true, "AnnotationState": true, "AnnotationAnalysisRules": true,
		"AnnotationScaleDown": true, "AnnotationAdoptedBy": true,
	}
	file, err := goparser.ParseFile(token.NewFileSet(), "annotations.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Annotation") || len(v.Values) != 1 {
			return true
		}
		key := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
		if _, written := examples[key]; strings.HasPrefix(key, AnnotationPrefix) && !written && !ours[v.Names[0].Name] {
			t.Errorf("%s (%s) has no example in errors.go, so it is refused as unknown", v.Names[0].Name, key)
		}
		found++
		return true
	})
	if found < 15 {
		t.Errorf("found %d annotations", found)
	}
}
