package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/headgate/headgate/test/lab/parts"
)

// Kubectl returns kubectl with args, ready to run as an administrator. It is the
// installed kubectl if it fits, otherwise one that was built; see parts.Ensure.
func (l *Lab) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.paths[parts.Kubectl], args...)
	if !l.options.Kubectl {
		cmd.Err = errors.New("the lab has no kubectl: start it with Options.Kubectl")
	}
	// Every lab has the same address, so kubectl must not find its cache of another lab.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig, "KUBECACHEDIR="+filepath.Join(l.Dir, "kubectl"),
		"PATH="+filepath.Dir(l.paths[parts.Plugin])+":"+os.Getenv("PATH")) // kubectl finds its plugins there
	return cmd
}
