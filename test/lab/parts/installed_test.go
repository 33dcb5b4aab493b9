package parts

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInstalled(t *testing.T) {
	tests := map[string]struct {
		name     Part
		variable string // that names the directory where the program is
		script   string // what the program does; "" means it is not there
		used     bool
		refused  string // after the path
	}{
		"an API server of the wanted release": {
			name: APIServer, variable: "KUBEBUILDER_ASSETS", script: "echo Kubernetes v1.37.9", used: true,
		},
		"an older API server": {
			name: APIServer, variable: "KUBEBUILDER_ASSETS", script: "echo Kubernetes v1.36.4",
			refused: " has version 1.36.4, want 1.37",
		},
		"assets without a controller manager": {
			name: ControllerManager, variable: "KUBEBUILDER_ASSETS",
		},
		"an API server on PATH, where nobody put it for tests": {
			name: APIServer, variable: "PATH", script: "echo Kubernetes v1.37.2",
		},
		"a Traefik that honours canary annotations": {
			name: Traefik, variable: "PATH", script: "echo 'Version:      3.8.0'", used: true,
		},
		"a Traefik that does not": {
			name: Traefik, variable: "PATH", script: "echo 'Version:      3.6.17'",
			refused: " has version 3.6.17, want 3.7 or later",
		},
		"a vendor's kubectl that is recent enough": {
			name: Kubectl, variable: "PATH", script: "echo Client Version: v1.32.4-dispatcher; echo Kustomize Version: v5.5.0", used: true,
		},
		"a kubectl among the assets": {
			name: Kubectl, variable: "KUBEBUILDER_ASSETS", script: "echo Client Version: v1.37.2", used: true,
		},
		"a kubectl that is not": {
			name: Kubectl, variable: "PATH", script: "echo Client Version: v1.29.14; echo Kustomize Version: v5.0.4",
			refused: " has version 1.29.14, want 1.30 or later",
		},
		"a program that does not run": {
			name: Traefik, variable: "PATH", script: "exit 3",
			refused: " does not tell its version: exit status 3",
		},
		"a program that does not know its version": {
			name: Prometheus, variable: "PATH", script: "echo prometheus, version unknown",
			refused: ` does not tell its version: no version in "prometheus, version unknown\n"`,
		},
		"a version only in a warning": {
			name: Kubectl, variable: "PATH", script: "echo 'WARNING: /home/me/v1.37.1/kube/config is readable by all' >&2; echo v1.29.0",
			refused: " has version 1.29.0, want 1.30 or later",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("KUBEBUILDER_ASSETS", "")
			t.Setenv("PATH", t.TempDir())
			t.Setenv(test.variable, dir)
			program := filepath.Join(dir, string(test.name))
			if test.script != "" {
				fake(t, program, test.script)
			}

			path, refused := recipes[test.name].installed(context.Background(), test.name)

			if want := map[bool]string{true: program}[test.used]; path != want {
				t.Errorf("installed = %q, want %q", path, want)
			}
			var want []string
			if test.refused != "" {
				want = []string{program + test.refused}
			}
			if diff := cmp.Diff(want, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

func fake(t *testing.T, program, script string) {
	t.Helper()
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
