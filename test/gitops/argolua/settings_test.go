package argolua

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite argocd-cm.yaml")

// TestSettings: argocd-cm.yaml has the Lua files, and nothing else.
func TestSettings(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("# For Argo CD: the health of Deployments that Headgate rolls out, and its buttons. It is made from\n" +
		"# health.lua and actions/*.lua by: go -C test test ./gitops/argolua -update\n" +
		"data:\n  resource.customizations.health.apps_Deployment: |\n")
	indent(&text, script(t, "health"), 4)
	text.WriteString("  resource.customizations.actions.apps_Deployment: |\n    mergeBuiltinActions: true\n    discovery.lua: |\n")
	indent(&text, script(t, "actions/discovery"), 6)
	text.WriteString("    definitions:\n")
	files, err := filepath.Glob(filepath.Join(scripts, "actions", "*.lua"))
	if err != nil || len(files) != 8 {
		t.Fatalf("%d files below actions (%v), want 7 buttons and discovery.lua", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		if name != "discovery" {
			text.WriteString("    - name: " + name + "\n      action.lua: |\n")
			indent(&text, script(t, "actions/"+name), 8)
		}
	}
	path := filepath.Join(scripts, "argocd-cm.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text.String(), string(now)); diff != "" {
		t.Errorf("argocd-cm.yaml is not what the Lua files make (-want +got):\n%s\nrun: go -C test test ./gitops/argolua -update", diff)
	}
}

func indent(text *strings.Builder, code string, by int) {
	for line := range strings.Lines(code) {
		if strings.TrimSpace(line) != "" {
			text.WriteString(strings.Repeat(" ", by))
		}
		text.WriteString(line)
	}
}
