package spec_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout/spec"
)

// A phase that is declared has a meaning, and the page for operators names it.
func TestPhases(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "annotations.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, listed []string
	ast.Inspect(file, func(n ast.Node) bool {
		constant, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := constant.Type.(*ast.Ident); ok && kind.Name == "Phase" {
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, value)
		}
		return true
	})
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range spec.Phases {
		listed = append(listed, string(p.Phase))
		if p.Meaning == "" || !strings.Contains(string(page), "`"+string(p.Phase)+"`") {
			t.Errorf("phase %s: meaning %q; it must have one, and docs/operating.md must name it", p.Phase, p.Meaning)
		}
	}
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("Phases and the constants differ; -declared +listed:\n%s", diff)
	}
}
