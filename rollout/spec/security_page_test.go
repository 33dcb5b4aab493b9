package spec

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page names tests as `dir`: `TestA`, `TestB/subtest`. Each exists there, if the nested
// module test is there at all. A subtest of TestAnnotations is named like its annotation.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page := securityPage(t)
	exists, found := testsOfTheRepository(t), 0
	_, err := os.Stat("../../test")
	whole := err == nil
	lists := regexp.MustCompile("`([a-z][a-z0-9/-]*)`:((?:,?\\s+`(?:Test|Fuzz)[^`]+`)+)")
	name := regexp.MustCompile("`((?:Test|Fuzz)\\w*)(?:/([^`]+))?`")
	for _, list := range lists.FindAllStringSubmatch(page, -1) {
		for _, m := range name.FindAllStringSubmatch(list[2], -1) {
			found++
			if elsewhere := strings.HasPrefix(list[1], "test/") && !whole; !elsewhere && !exists[path.Join(list[1], m[1])] {
				t.Errorf("%s has no %s", list[1], m[1])
			}
			of := func(key string) bool { return path.Base(key) == m[2] }
			if m[1] == "TestAnnotations" && m[2] != "" && !slices.ContainsFunc(constantsOf(t), of) {
				t.Errorf("there is no annotation for %s/%s", m[1], m[2])
			}
		}
	}
	if all := len(name.FindAllString(page, -1)); all != found || found < 50 {
		t.Errorf("the page names %d tests, and %d of them with the directory where they are", all, found)
	}
}

// Every annotation has a row that says what could be tried with it, and the lab's test of it.
func TestSecurityPageHasEveryAnnotation(t *testing.T) {
	_, table, _ := strings.Cut(securityPage(t), "\n## Annotations\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := strings.Split(table, "\n| `")
	for _, key := range constantsOf(t) {
		if !slices.ContainsFunc(rows, func(row string) bool {
			cell, rest, _ := strings.Cut(row, "|")
			return strings.Contains("`"+cell, "`"+key+"`") && strings.Contains(rest, "`TestAnnotations/"+path.Base(key)+"`")
		}) {
			t.Errorf("docs/security.md has no row for %s with `test/security`: `TestAnnotations/%s`", key, path.Base(key))
		}
	}
}

func securityPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// constantsOf returns the values of the annotations in annotations.go.
func constantsOf(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("annotations.go")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range regexp.MustCompile(`\bAnnotation\w+ += "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		keys = append(keys, m[1])
	}
	if len(keys) < 20 {
		t.Fatalf("found %d annotations", len(keys))
	}
	return keys
}

// testsOfTheRepository has every test and fuzz target, as dir/TestName.
func testsOfTheRepository(t *testing.T) map[string]bool {
	t.Helper()
	const root = "../.."
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != root:
			return fs.SkipDir
		case !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := goparser.ParseFile(token.NewFileSet(), file, nil, goparser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[path.Join(filepath.ToSlash(dir), f.Name.Name)] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
