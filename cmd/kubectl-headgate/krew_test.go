package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

// krewManifest is what Krew reads of the manifest.
type krewManifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Version, ShortDescription string
		Platforms                 []struct {
			URI, SHA256, Bin string
			Selector         struct{ MatchLabels map[string]string }
		}
	}
}

// fillIn does what krew-release-bot does (pkg/source/template.go of its repository).
func fillIn(t *testing.T) krewManifest {
	t.Helper()
	const tag = "v1.2.3"
	address := func(url, tag string) string {
		var b bytes.Buffer
		if err := template.Must(template.New("url").Parse(url)).Execute(&b, map[string]string{"TagName": tag}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("uri: %s\n    sha256: %064x", b.String(), 1)
	}
	text, err := os.ReadFile("../../.krew.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	filled := template.Must(template.New("krew").Funcs(template.FuncMap{"addURIAndSha": address}).Parse(string(text)))
	if err := filled.Execute(&b, map[string]string{"TagName": tag}); err != nil {
		t.Fatal(err)
	}
	var m krewManifest
	if err := yaml.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatalf("%v in:\n%s", err, b.String())
	}
	return m
}

// Each platform of the manifest has the archive that "make dist" makes for it.
func TestKrewManifest(t *testing.T) {
	m := fillIn(t)
	if m.Kind != "Plugin" || m.Metadata.Name != "headgate" || m.Spec.Version != "v1.2.3" || len(m.Spec.ShortDescription) > 50 {
		t.Errorf("got %+v", m)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`(?m)^PLATFORMS \?= (.*)$`).FindSubmatch(makefile)
	if made == nil || !strings.Contains(string(makefile), "dist/$1_$(NUMBER)_$(word 1,$2)_$(word 2,$2).tar.gz") {
		t.Fatal("the Makefile names platforms or archives in another way")
	}
	want := strings.Fields(string(made[1]))
	for _, p := range m.Spec.Platforms {
		system, processor := p.Selector.MatchLabels["os"], p.Selector.MatchLabels["arch"]
		i := slices.Index(want, system+"/"+processor)
		if i < 0 {
			t.Errorf("make dist makes no archive for %s/%s", system, processor)
			continue
		}
		want = slices.Delete(want, i, i+1)
		uri := fmt.Sprintf("https://github.com/headgate/headgate/releases/download/v1.2.3/kubectl-headgate_1.2.3_%s_%s.tar.gz", system, processor)
		if p.URI != uri || p.SHA256 == "" || (system == "windows") != (p.Bin == "kubectl-headgate.exe") {
			t.Errorf("got %+v, want %s", p, uri)
		}
	}
	if len(want) > 0 {
		t.Errorf("the manifest lacks %v", want)
	}
}
