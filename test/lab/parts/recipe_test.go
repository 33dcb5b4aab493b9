package parts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
		Helm:       "helm.sh/helm/v4 v" + Version(Helm),
		Kubectl:    "k8s.io/kubernetes v" + Version(Kubectl),

		ArgoRollouts: "github.com/argoproj/argo-rollouts v" + Version(ArgoRollouts),
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
