package parts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// The versions are written twice: in go.mod, where they count, and in recipes,
// where people and rules read them.
func TestVersionsAreThoseThatGoModPins(t *testing.T) {
	pins := map[Part]string{
		Etcd:              "go.etcd.io/etcd/server/v3 v" + Version(Etcd),
		APIServer:         "k8s.io/kubernetes v" + Version(APIServer),
		ControllerManager: "k8s.io/kubernetes v" + Version(ControllerManager),
		Traefik:           "github.com/traefik/traefik/v3 v" + Version(Traefik),
		// Upstream tags 3.16.0 as v0.316.0.
		Prometheus: "github.com/prometheus/prometheus v0.3" + strings.TrimPrefix(Version(Prometheus), "3."),
		Kubectl:    "k8s.io/kubernetes v" + Version(Kubectl),

		ArgoRollouts: "github.com/argoproj/argo-rollouts v" + Version(ArgoRollouts),
		ArgoCD:       "github.com/argoproj/argo-cd/v3 v" + Version(ArgoCD),
	}
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range recipes {
		if name == Headgate {
			continue
		}
		t.Run(string(name), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, r.module, "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(regexp.QuoteMeta(pins[name]) + `\s`).Match(text) {
				t.Errorf("%s/go.mod does not require %q", r.module, pins[name])
			}
			if !strings.Contains(r.ldflags, r.version) && name != Etcd { // etcd has it in its source
				t.Errorf("flags %q do not set version %s", r.ldflags, r.version)
			}
		})
	}
}

// What two modules compile in the same version is compiled once. Only what both name
// counts: the rest of their graphs is not built.
func TestTheModulesAgreeOnVersions(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{} // version, by module path
	from := map[string]string{} // the file that said so
	for _, file := range []string{"go.mod", "test/go.mod", buildModule + "/go.mod"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(file, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{}
		for _, r := range parsed.Require {
			versions[r.Mod.Path] = r.Mod.Version
		}
		for _, r := range parsed.Replace {
			if _, required := versions[r.Old.Path]; required && r.New.Path == r.Old.Path {
				versions[r.Old.Path] = r.New.Version
			}
		}
		for path, version := range versions {
			if other, ok := seen[path]; ok && other != version {
				t.Errorf("%s requires %s %s, and %s requires %s: let both require the newer, or it and all that imports it is compiled twice",
					file, path, version, from[path], other)
			}
			seen[path], from[path] = version, file
		}
	}
}
