package controlplane

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/headgate/headgate/test/lab/process"
)

// Options says what to run and where. All fields are required.
type Options struct {
	// Dir holds keys, data and logs.
	Dir string
	// Host is the machine's address, which pods reach too.
	Host netip.Addr
	// Etcd, APIServer and ControllerManager are paths of the programs.
	Etcd, APIServer, ControllerManager string
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	options   Options
	users     users
	ca        []byte
	processes []*process.Process
	apiServer *process.Process // one of processes
	audit     audit
}

// startLimit bounds each part's start on a busy machine with cold disks.
const startLimit = 2 * time.Minute

// Start runs the control plane and waits until it answers.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	c := &ControlPlane{options: o}
	if err := c.writeFiles(); err != nil {
		return nil, fmt.Errorf("start control plane: %w", err)
	}
	for _, start := range []func(context.Context) error{c.startEtcd, c.StartAPIServer, c.startControllerManager} {
		if err := start(ctx); err != nil {
			c.Stop()
			return nil, fmt.Errorf("start control plane: %w", err)
		}
	}
	return c, nil
}

// Stop kills every part, the last started first. Nothing is saved.
func (c *ControlPlane) Stop() {
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].Kill()
	}
	c.processes = nil
}

// URL is the API server's address.
func (c *ControlPlane) URL() string {
	return fmt.Sprintf("https://%s:6443", c.options.Host)
}

// Config is for a client that is user, one of the constants of this package, without
// client-side throttling. It panics for another name: only code can be wrong there.
func (c *ControlPlane) Config(user string) *rest.Config {
	return c.ConfigWithToken(c.users.token(user))
}

// ConfigWithToken is for a client that bears token, for example a ServiceAccount's.
func (c *ControlPlane) ConfigWithToken(token string) *rest.Config {
	return &rest.Config{
		Host:            c.URL(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca},
		QPS:             -1,
	}
}

func (c *ControlPlane) run(
	ctx context.Context, name, path string, args []string, ready func(context.Context) error,
) (*process.Process, error) {
	p, err := process.Start(process.Spec{Name: name, Path: path, Args: args, Log: c.file(name + ".log")})
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return p, p.WaitReady(ctx, ready)
}

func (c *ControlPlane) file(name string) string {
	return filepath.Join(c.options.Dir, name)
}

func (c *ControlPlane) write(name string, content []byte) error {
	return os.WriteFile(c.file(name), content, 0o600)
}
