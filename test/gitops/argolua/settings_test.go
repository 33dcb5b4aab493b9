package argolua

import (
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/golden"
)

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
	golden.Assert(t, text.String(), filepath.Join("..", scripts, "argocd-cm.yaml"))
}

func indent(text *strings.Builder, code string, by int) {
	for line := range strings.Lines(code) {
		if strings.TrimSpace(line) != "" {
			text.WriteString(strings.Repeat(" ", by))
		}
		text.WriteString(line)
	}
}
