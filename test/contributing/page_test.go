package contributing

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommands runs the command blocks of the page in order: "sh" must end well,
// "sh red" must fail a test. "sh lint" is left to `make lint` itself.
func TestCommands(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	blocks := regexp.MustCompile("(?s)```(sh[^\n]*)\n(.*?)```").FindAllStringSubmatch(c.read("CONTRIBUTING.md"), -1)
	if len(blocks) < 5 {
		t.Fatalf("found %d command blocks", len(blocks))
	}
	for _, b := range blocks {
		switch b[1] {
		case "sh":
			c.green(b[2])
		case "sh red":
			c.red(b[2], "--- FAIL")
		case "sh lint":
		default:
			t.Errorf("a block is marked %q", b[1])
		}
	}
	if diff := c.green("git diff --stat -- rollout"); diff != "" {
		t.Errorf("after the page the tree is another one:\n%s", diff)
	}
}

// TestNames looks for every file, function and make target that a page names.
func TestNames(t *testing.T) {
	t.Parallel()
	makefile := content(t, "Makefile")
	for _, page := range []string{"CONTRIBUTING.md", "docs/design.md"} {
		text := content(t, page)
		paths := regexp.MustCompile("`([a-z.][\\w.-]*/[\\w./-]*|[A-Za-z.-]+\\.(?:md|yml))`").FindAllStringSubmatch(text, -1)
		for _, m := range paths {
			if strings.Contains(m[1], "NAME") || strings.Contains(m[1], "headgate.dev") {
				continue // a placeholder, or the name of an annotation
			}
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`(\\w+)` (?:of each kind of step is )?in `([\\w/.-]+\\.go)`").FindAllStringSubmatch(text, -1) {
			declared := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |const |var |\t)` + m[1] + `\b`)
			if !declared.MatchString(content(t, m[2])) {
				t.Errorf("%s names %s in %s, which does not declare it", page, m[1], m[2])
			}
		}
		for _, m := range regexp.MustCompile("`make ([a-z0-9-]+)`").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which is no target", page, m[1])
			}
		}
	}
}

// TestNamedTests looks for the end-to-end test that the page says to copy.
func TestNamedTests(t *testing.T) {
	t.Parallel()
	for _, m := range regexp.MustCompile("`(Test\\w+)` in `([\\w/.-]+)`").FindAllStringSubmatch(content(t, "CONTRIBUTING.md"), -1) {
		if !strings.Contains(content(t, m[2]), "func "+m[1]+"(") {
			t.Errorf("%s is not in %s", m[1], m[2])
		}
	}
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
