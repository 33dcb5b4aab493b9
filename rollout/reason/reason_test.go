package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A reason that is declared is explained, in the same order and group.
func TestEveryReasonIsExplained(t *testing.T) {
	var explained [][]Reason
	for _, g := range All() {
		var group []Reason
		for _, e := range g.Explanations {
			group = append(group, e.Reason)
		}
		explained = append(explained, group)
	}
	if diff := cmp.Diff(declared(t), explained); diff != "" {
		t.Errorf("every Reason needs a row, in the order of the constants; -declared +explained:\n%s", diff)
	}
}

// declared are the constants of reason.go, one slice for each const block.
func declared(t *testing.T) [][]Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]Reason
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		var group []Reason
		for _, s := range block.Specs {
			constant := s.(*ast.ValueSpec)
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			if err != nil || value != constant.Names[0].Name {
				t.Errorf("constant %s is %q, want its name", constant.Names[0].Name, value)
			}
			group = append(group, Reason(value))
		}
		all = append(all, group)
	}
	return all
}

func TestExplain(t *testing.T) {
	for e := range rows() {
		got, known := Explain(e.Reason)
		if diff := cmp.Diff(e, got); !known || diff != "" {
			t.Errorf("%s: %t, %s", e.Reason, known, diff)
		}
		if e.Reason.Warning() != e.Warning {
			t.Errorf("%s: Warning is %t in the row and %t by method", e.Reason, e.Warning, e.Reason.Warning())
		}
	}
	if e, known := Explain("MinimumReplicasAvailable"); known || Reason("MinimumReplicasAvailable").Warning() {
		t.Errorf("a reason of somebody else is explained: %+v", e)
	}
}

// A person can read every text as it stands: sentences, no placeholder that nobody
// explains, no page that is not there.
func TestTexts(t *testing.T) {
	capitals := regexp.MustCompile(`\b[A-Z]{3,}\b`)
	known := []string{"NAMESPACE", "NAME", "SERVICE", "INGRESS", "CONTAINER", "IMAGE", "JOB", "CRONJOB", "HPA"}
	for e := range rows() {
		for part, text := range map[string]string{"what it means": e.Meaning, "what to look at": e.LookAt} {
			if !strings.HasSuffix(text, ".") || strings.Contains(text, "  ") || strings.Count(text, "`")%2 != 0 {
				t.Errorf("%s: %s is not plain sentences: %q", e.Reason, part, text)
			}
			for _, page := range pageName.FindAllStringSubmatch(text, -1) {
				if _, err := os.Stat("../../docs/" + page[1] + ".md"); err != nil {
					t.Errorf("%s: %v", e.Reason, err)
				}
			}
		}
		for _, a := range e.Actions {
			if a.Want == "" || strings.HasSuffix(a.Want, ".") || strings.Contains(a.Want+a.Command, "\n") {
				t.Errorf("%s: %+v is not one line for a shell and what it is for", e.Reason, a)
			}
			for _, word := range capitals.FindAllString(a.Command, -1) {
				if !slices.Contains(known, word) {
					t.Errorf("%s: %q has %s, which the page does not explain", e.Reason, a.Command, word)
				}
			}
		}
	}
}

// A reason that nothing gives would be a promise that is not kept.
func TestEveryReasonIsGiven(t *testing.T) {
	var code strings.Builder
	for _, dir := range []string{"..", "../../ingress", "../../webhook"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for e := range rows() {
		if !regexp.MustCompile(`\breason\.` + string(e.Reason) + `\b`).MatchString(code.String()) {
			t.Errorf("%s is given nowhere in rollout, ingress and webhook", e.Reason)
		}
	}
}

// rows yields every row, in order.
func rows() func(func(Explanation) bool) {
	return func(yield func(Explanation) bool) {
		for _, g := range All() {
			for _, e := range g.Explanations {
				if !yield(e) {
					return
				}
			}
		}
	}
}
