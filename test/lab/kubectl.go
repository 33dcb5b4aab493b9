package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/headgate/headgate/test/lab/parts"
)

// Kubectl is kubectl with args, ready to run as an administrator: the installed one or, as parts.Ensure
// says, one that was built.
func (l *Lab) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.paths[parts.Kubectl], args...)
	if !l.options.Kubectl {
		cmd.Err = errors.New("the lab has no kubectl: start it with Options.Kubectl")
	}
	// Every lab has the same address, so what kubectl remembers of another's API must not be found.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig, "KUBECACHEDIR="+filepath.Join(l.Dir, "kubectl"))
	return cmd
}
