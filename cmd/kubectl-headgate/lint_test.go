package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/cmd/kubectl-headgate/lint"
)

// Each manifest of testdata/lint has mistakes. Its golden file has the findings.
func TestLint(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := newCluster()
			if code := c.run(t, "lint", "-f", file); code != exitFound {
				t.Errorf("exit code %d, want %d: %s", code, exitFound, c.err.String())
			}
			golden.Assert(t, c.out.String()+c.err.String(), strings.TrimPrefix(strings.TrimSuffix(file, ".yaml"), "testdata/")+".golden")
			if len(c.Actions()) > 0 {
				t.Errorf("lint asked the cluster: %v", c.Actions())
			}
		})
	}
}

func TestLintForPrograms(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "lint", "-f", "testdata/lint/shared.yaml", "-o", "sarif"); code != exitFound {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	golden.Assert(t, c.out.String(), "lint/shared.sarif")
	c.run(t, "lint", "-f", "testdata/lint/shared.yaml", "-o", "json")
	var seen struct {
		Schema string
		lint.Result
	}
	if err := json.Unmarshal(c.out.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Schema != lintSchema || len(seen.Findings) != 2 || seen.Findings[0].Line != 11 || seen.Deployments[0] != "prod/api" {
		t.Errorf("got %+v", seen)
	}
}

// Nothing is wrong with what we tell people to apply.
func TestExamplesHaveNoFindings(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "lint", "-f", "../../examples"); code != 0 || c.out.String() != "" {
		t.Errorf("exit code %d:\n%s", code, c.out.String())
	}
	if !strings.HasPrefix(c.err.String(), "5 Deployments opted in: 0 errors, 0 warnings, 0 notes") {
		t.Errorf("got %q", c.err.String())
	}
	if c.run(t, "lint", "-f", "../../examples", "-o", "json"); !strings.Contains(c.out.String(), `"findings": []`) {
		t.Errorf("no findings are an empty list in JSON: %s", c.out.String())
	}
}

// What is not among the files is only told where the rest of the application is.
func TestLintOfADeploymentAlone(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "lint", "-f", "../../examples/canary/deployment.yaml"); code != 0 || c.out.String() != "" {
		t.Errorf("exit code %d:\n%s", code, c.out.String())
	}
}

func TestLintExitCodes(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"template.yaml": "a: {{ .Values.a }}\n  b: 1\n",
		"wrong.yaml":    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: many}\n",
		"other.yaml":    "kind: Kustomization\nresources: [a.yaml]\n---\nreplicas: 3\n---\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"lint":                                 {exitUnusable, "which manifests?"},
		"lint web":                             {exitUnusable, "name files with -f"},
		"lint -f " + folder + "/no.yaml":       {exitUnusable, "no such file"},
		"lint -f x --strict":                   {exitUnusable, "unknown flag"},
		"lint -f x -o yaml":                    {exitUnusable, "want json or sarif"},
		"lint -f " + folder + "/template.yaml": {exitUnusable, "helm template"},
		"lint -f " + folder + "/wrong.yaml":    {exitFound, "wrong.yaml:3: error: the API server would refuse this object"},
		"lint -f " + folder + "/other.yaml":    {0, "0 Deployments opted in"},
	} {
		c := newCluster()
		code := c.run(t, strings.Fields(args)...)
		if all := c.out.String() + c.err.String(); code != want.code || !strings.Contains(all, want.text) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", args, code, want.code, want.text, all)
		}
	}
}
