package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rolloutToConvert = `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: web:2}]}}
  strategy:
    canary:
      stableService: web
      trafficRouting: {nginx: {stableIngress: web}}
      steps: [{setWeight: 10}, {pause: {}}]
`

// runConvert converts text, from a file or from the standard input, and returns what a person sees.
func runConvert(t *testing.T, text string, stdin bool, args ...string) (code int, out, told string) {
	t.Helper()
	file := t.TempDir() + "/rollout.yaml"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var outText, errText bytes.Buffer
	s := streams{out: &outText, err: &errText, environ: func(string) string { return "" }}
	from := file
	if stdin {
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		s.in, from = in, "-"
	}
	root := newRoot(s, nil)
	root.SetArgs(append([]string{"convert", "-f", from}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		code = report(err, &errText)
	}
	return code, outText.String(), errText.String()
}

func TestConvert(t *testing.T) {
	partly := strings.Replace(rolloutToConvert, "{pause: {}}", "{pause: {}}, {plugin: {name: a}}", 1)
	for name, tt := range map[string]struct {
		text      string
		stdin     bool
		code      int
		out, told string // a part of each; "" means that nothing is written
	}{
		"everything":     {rolloutToConvert, false, 0, "headgate.dev/steps: 10%, pause", ""},
		"standard input": {rolloutToConvert, true, 0, "headgate.dev/steps: 10%, pause", ""},
		"a part": {partly, true, exitLost, "headgate.dev/steps: 10%, pause",
			"-:11: Rollout web, spec.strategy.canary.steps[2] is not carried over:"},
		"nothing": {"kind: Service\n", false, 1, "", "error: there is no Rollout"},
		"no YAML": {"kind: {\n", true, 1, "", "error: -: yaml: line"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, told := runConvert(t, tt.text, tt.stdin)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(told, tt.told) ||
				tt.out == "" && out != "" || tt.told == "" && told != "" {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, tt.code, out, told)
			}
		})
	}
}

func TestConvertAsJSON(t *testing.T) {
	code, out, _ := runConvert(t, strings.Replace(rolloutToConvert, "spec:", "spec:\n  paused: true", 1), false, "-o", "json")
	var r struct {
		Schema    string
		Manifests []struct{ Kind string }
		Remarks   []struct {
			Kind, Object, Path, Text string
			Line                     int
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitLost {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if r.Schema != "headgate.dev/convert/v1" || len(r.Manifests) != 1 || r.Manifests[0].Kind != "Deployment" || len(r.Remarks) != 1 ||
		r.Remarks[0].Kind != "lost" || r.Remarks[0].Path != "spec.paused" || r.Remarks[0].Line != 5 || r.Remarks[0].Object != "Rollout web" {
		t.Errorf("got:\n%s", out)
	}
}

// What is converted has no error that "kubectl headgate lint" finds.
func TestConvertedIsLinted(t *testing.T) {
	inputs, err := filepath.Glob("convert/testdata/[af]*.yaml")
	if err != nil || len(inputs) < 10 {
		t.Fatalf("found %d inputs: %v", len(inputs), err)
	}
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		if err != nil {
			t.Fatal(err)
		}
		_, manifests, _ := runConvert(t, string(text), false)
		file := filepath.Join(t.TempDir(), "deployment.yaml")
		if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCluster()
		c.run(t, "lint", "-f", file)
		for line := range strings.Lines(c.out.String() + c.err.String()) {
			if strings.Contains(line, ": error: ") && !strings.Contains(line, "RecreateNotSupported") { // a remark says so
				t.Errorf("%s: %s", filepath.Base(input), line)
			}
		}
	}
}
