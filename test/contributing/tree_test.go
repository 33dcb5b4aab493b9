// Package contributing runs CONTRIBUTING.md: its commands, the names in it, and its
// checklists, on a copy of the tree.
package contributing

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// tree is a copy of the product in a git repository of its own.
type tree struct {
	*testing.T
	dir string
}

// copyTree copies what git tracks, or would track, without the test module: that
// has its own go.mod and is not needed to build the product.
func copyTree(t *testing.T) tree {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("listing the files of the checkout: %v", err)
	}
	c := tree{T: t, dir: t.TempDir()}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if strings.HasPrefix(name, "test/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		c.write(name, string(content))
	}
	c.green("git init -q && git add -A && git -c user.name=test -c user.email=test@example.com commit -qm tree")
	return c
}

func (c tree) read(name string) string {
	c.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.Fatal(err)
	}
	return string(content)
}

func (c tree) write(name, content string) {
	c.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		c.Fatal(err)
	}
}

// replace is an edit as a person makes it. What it replaces must be there.
func (c tree) replace(name, old, with string) {
	c.Helper()
	content := c.read(name)
	if !strings.Contains(content, old) {
		c.Fatalf("%s has no %q: the checklist of this test is out of date", name, old)
	}
	c.write(name, strings.Replace(content, old, with, 1))
}

// run is the output of script and whether it ended well.
func (c tree) run(script string) (string, bool) {
	cmd := exec.CommandContext(c.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func (c tree) green(script string) string {
	c.Helper()
	out, well := c.run(script)
	if !well {
		c.Fatalf("should be green: %s\n%s", script, out)
	}
	return out
}

// red runs script, which must fail and say want.
func (c tree) red(script, want string) {
	c.Helper()
	out, well := c.run(script)
	if well || !strings.Contains(out, want) {
		c.Errorf("should be red with %q: %s\n%s", want, script, out)
	}
}
