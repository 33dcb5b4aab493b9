package provider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "providers.yaml", `
providers:
- name: mimir
  type: prometheus
  address: https://mimir.example.com/prometheus/
  tenant: shop
  headers: {X-Team: platform}
  headerFiles: {X-Key: key}
  bearerTokenFile: token
  tls: {caFile: /etc/ca.crt, serverName: mimir}
- name: scores
  type: web
  namespaces: [shop, bank]
`)
	entries, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[0].Type != "prometheus" || entries[1].Name != "scores" {
		t.Fatalf("entries %+v", entries)
	}
	if diff := cmp.Diff([]string{"shop", "bank"}, entries[1].Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	var c Connection
	if err := entries[0].Decode(&c); err != nil {
		t.Fatal(err)
	}
	want := Connection{
		header:  header{Name: "mimir", Type: "prometheus"},
		Address: "https://mimir.example.com/prometheus/", Tenant: "shop", BearerTokenFile: "token",
		Headers: map[string]string{"X-Team": "platform"}, HeaderFiles: map[string]string{"X-Key": "key"},
		TLS: TLS{CAFile: "/etc/ca.crt", ServerName: "mimir"},
	}
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Connection{})); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	for file, want := range map[string]string{"": "", "/etc/ca.crt": "/etc/ca.crt", "token": filepath.Join(dir, "token")} {
		if got := entries[0].File(file); got != want {
			t.Errorf("File(%q) = %q, want %q", file, got, want)
		}
	}
}

func TestReadFileErrors(t *testing.T) {
	const example = "write for example {providers: [{name: mimir, type: prometheus, address: https://mimir.example.com/prometheus}]}"
	for name, tt := range map[string]struct{ text, want string }{
		"no list":      {"providers: {}", "providers cannot be of type object: " + example},
		"another list": {"provider: []", `unknown field "provider": docs/providers.md lists the fields of each type`},
		"no YAML":      {"providers: [", "yaml: line 1: did not find expected node content: " + example},
		"no name": {
			"providers: [{type: web}]", `providers[0]: name "": want lower-case letters, digits and -: write for example name: mimir`,
		},
		"a name twice": {
			"providers: [{name: a}, {name: a}]",
			"providers[1]: there is another provider named a: give each its own name",
		},
		"a number": {"providers: [{name: 5}]", "providers[0]: name cannot be of type number: " + example},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "providers.yaml", tt.text)
			_, err := ReadFile(path)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(path+": "+tt.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := ReadFile("/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}
