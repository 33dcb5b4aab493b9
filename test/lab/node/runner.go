package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/netns"
)

// runner runs one pod, from its binding to its deletion.
type runner struct {
	agent  *Agent
	pod    *corev1.Pod // as first seen: the fields that the lab uses cannot change
	ctx    context.Context
	cancel context.CancelFunc // the pod is gone from the API, or the lab stops

	address    netip.Addr
	network    *netns.Namespace
	kubeconfig string            // path; "" when the pod has no ServiceAccount token
	files      map[string]string // what the pod's processes see in place of the machine's files
	containers []*container
	written    corev1.PodStatus // what the API server has; the runner's own goroutine alone uses it

	changed     chan struct{} // the status is to be written
	terminating chan struct{} // closed when the pod has a deletionTimestamp
	once        sync.Once
	grace       time.Duration
}

// retryDelay is the time until the next try after an object prevented a start, for example
// a missing ConfigMap.
const retryDelay = time.Second

func newRunner(a *Agent, pod *corev1.Pod) *runner {
	r := &runner{agent: a, pod: pod, written: pod.Status, changed: make(chan struct{}, 1), terminating: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(a.ctx)
	for _, c := range pod.Spec.Containers {
		r.containers = append(r.containers, newContainer(r, c))
	}
	return r
}

// observe sees the pod as it is now.
func (r *runner) observe(pod *corev1.Pod) {
	if pod.DeletionTimestamp == nil {
		return
	}
	r.once.Do(func() {
		if s := pod.DeletionGracePeriodSeconds; s != nil {
			r.grace = time.Duration(*s) * time.Second
		}
		close(r.terminating)
	})
}

func (r *runner) run() {
	defer r.close()
	if !r.openUntilDone() {
		return
	}
	var running sync.WaitGroup
	for _, c := range r.containers {
		running.Go(c.run)
	}
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	r.writeStatusUntil(ended)
	r.delete()
}

// openUntilDone gives the pod its network. It returns false if the pod was deleted before
// it had one.
func (r *runner) openUntilDone() bool {
	for {
		err := r.open()
		if err == nil {
			return true
		}
		for _, c := range r.containers {
			c.wait("ContainerCreating", err.Error())
		}
		r.writeStatus()
		if !r.sleep(retryDelay) {
			r.delete()
			return false
		}
	}
}

func (r *runner) open() error {
	var err error
	if !r.address.IsValid() {
		if r.address, err = r.agent.addresses.take(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(r.dir(), 0o755); err != nil {
		return err
	}
	if err := r.writeNames(); err != nil {
		return err
	}
	if err := r.writeKubeconfig(); err != nil {
		return err
	}
	octets := r.address.As4()
	r.network, err = netns.New(fmt.Sprintf("pod%d.%d", octets[2], octets[3]), r.address, r.agent.Host)
	return err
}

func (r *runner) close() {
	r.cancel()
	if r.network != nil {
		r.network.Close()
	}
	if r.address.IsValid() {
		r.agent.addresses.giveBack(r.address)
	}
}

// ending returns whether no process of the pod may start any more.
func (r *runner) ending() bool {
	select {
	case <-r.ctx.Done():
		return true
	case <-r.terminating:
		return true
	default:
		return false
	}
}

// sleep returns false if the pod ends before d has passed.
func (r *runner) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.ctx.Done():
	case <-r.terminating:
	}
	return false
}

// delete tells the API server that no process of the pod runs any more, if the pod is
// being deleted.
func (r *runner) delete() {
	select {
	case <-r.terminating:
	default:
		return
	}
	for r.ctx.Err() == nil {
		if remove(r.ctx, r.agent.Client, r.pod) == nil {
			return
		}
		time.Sleep(retryDelay)
	}
}

func (r *runner) dir() string { return r.agent.podDir(r.pod.Namespace, r.pod.Name) }

func (a *Agent) podDir(namespace, name string) string {
	return filepath.Join(a.Dir, "pods", namespace, name)
}

// writeKubeconfig gives the pod's processes a kubeconfig with exactly the rights of the
// pod's ServiceAccount.
func (r *runner) writeKubeconfig() error {
	if mount := r.pod.Spec.AutomountServiceAccountToken; mount != nil && !*mount {
		return nil
	}
	token, err := r.agent.tokens.get(r.ctx, r.pod.Namespace, r.pod.Spec.ServiceAccountName)
	if err != nil {
		return err
	}
	content, err := controlplane.Kubeconfig(r.agent.PodConfig(token))
	if err != nil {
		return err
	}
	r.kubeconfig = filepath.Join(r.dir(), "kubeconfig")
	return os.WriteFile(r.kubeconfig, content, 0o600)
}

// KillPod kills every process of the pod with SIGKILL, as an out-of-memory
// kill would. The node restarts its containers as the pod's restartPolicy says.
func (a *Agent) KillPod(namespace, name string) error {
	a.mu.Lock()
	r, ok := a.runners[namespace+"/"+name]
	a.mu.Unlock()
	if !ok {
		return fmt.Errorf("kill pod %s/%s: no process of it runs on node %q", namespace, name, Name)
	}
	for _, c := range r.containers {
		c.kill()
	}
	return nil
}
