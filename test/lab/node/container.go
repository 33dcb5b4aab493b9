package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/test/lab/process"
)

// Back-off before a container that ended is started again. A kubelet's goes from 10 s to 5 min:
// too slow for a test.
const (
	firstBackOff = time.Second
	maxBackOff   = 10 * time.Second
)

// How many bytes a kubelet takes at most for a termination message.
const (
	maxMessage    = 4096 // of the container's message file
	maxLogMessage = 2048 // of its log
)

// MessageVariable names the file that a container writes its termination message to. A
// process sees the machine's file system, and nothing is made in the /dev of the machine:
// so the file is not at the container's terminationMessagePath.
const MessageVariable = "HEADGATE_LAB_TERMINATION_LOG"

// container runs one container of a pod.
type container struct {
	runner *runner
	spec   corev1.Container

	mu     sync.Mutex
	status corev1.ContainerStatus
	proc   *process.Process // nil when none runs
}

func newContainer(r *runner, spec corev1.Container) *container {
	c := &container{runner: r, spec: spec}
	c.status = corev1.ContainerStatus{
		Name: spec.Name, Image: spec.Image, ImageID: spec.Image, Started: new(false),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}
	return c
}

// run starts the container, and restarts it after each end, until the pod ends or its
// restartPolicy forbids it.
func (c *container) run() {
	backOff := firstBackOff
	for !c.runner.ending() {
		proc, err := c.start()
		if err != nil {
			if !c.runner.sleep(retryDelay) {
				return
			}
			continue
		}
		started := time.Now()
		c.attend(proc)
		if c.ended(proc, started) {
			return
		}
		if time.Since(started) > maxBackOff {
			backOff = firstBackOff
		}
		c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting container %q", backOff, c.spec.Name))
		if !c.runner.sleep(backOff) {
			return
		}
		backOff = min(2*backOff, maxBackOff)
	}
}

// start runs the program of the image. On an error the container waits, with the reason
// that a kubelet gives.
func (c *container) start() (*process.Process, error) {
	program, err := c.runner.agent.Program(c.spec.Image)
	if err != nil {
		c.wait("ErrImagePull", err.Error())
		return nil, err
	}
	proc, err := c.execute(program)
	if err != nil {
		c.wait("CreateContainerConfigError", err.Error())
		return nil, err
	}
	c.mu.Lock()
	c.proc = proc
	c.mu.Unlock()
	c.set(func(s *corev1.ContainerStatus) {
		s.ContainerID = fmt.Sprintf("lab://%s/%d", c.runner.pod.UID, s.RestartCount)
		s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	})
	return proc, nil
}

func (c *container) execute(program Program) (*process.Process, error) {
	if err := supported(c.spec); err != nil {
		return nil, err
	}
	r := c.runner
	env, err := r.environment(r.ctx, c.spec)
	if err != nil {
		return nil, err
	}
	if r.kubeconfig != "" {
		env["KUBECONFIG"] = r.kubeconfig
	}
	if err := os.WriteFile(c.messageFile(), nil, 0o666); err != nil { // each start begins with an empty one
		return nil, err
	}
	env[MessageVariable] = c.messageFile()
	return process.Start(process.Spec{
		Name:   fmt.Sprintf("container %s of pod %s/%s", c.spec.Name, r.pod.Namespace, r.pod.Name),
		Path:   program.Path,
		Args:   program.arguments(c.spec, env),
		Env:    program.environment(env),
		Log:    filepath.Join(r.dir(), c.spec.Name+".log"),
		Within: func(start func() error) error { return r.network.DoWithFiles(r.files, start) },
	})
}

func (c *container) messageFile() string {
	return filepath.Join(c.runner.dir(), c.spec.Name+".termination")
}

// message is the termination message of a process that has ended: the end of its message
// file or, if that is empty after a failure and the policy asks for it, of its log.
func (c *container) message(proc *process.Process) string {
	written, err := os.ReadFile(c.messageFile())
	switch {
	case err != nil:
		return err.Error()
	case len(written) > 0:
		return string(written[max(0, len(written)-maxMessage):])
	case proc.ExitCode() != 0 && c.spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError:
		return proc.Output(maxLogMessage)
	}
	return ""
}

// attend probes the process until it ends, and ends it when the pod ends.
func (c *container) attend(proc *process.Process) {
	ctx, cancel := context.WithCancel(c.runner.ctx)
	defer cancel()
	go c.probe(ctx, proc)
	select {
	case <-proc.Done():
	case <-c.runner.terminating:
		c.shutDown(proc)
	case <-c.runner.ctx.Done():
		proc.Kill()
	}
}

// shutDown gives the process its grace period. A preStop sleep counts towards it.
func (c *container) shutDown(proc *process.Process) {
	deadline := time.Now().Add(c.runner.grace)
	if l := c.spec.Lifecycle; l != nil && l.PreStop != nil && l.PreStop.Sleep != nil {
		pause := min(time.Duration(l.PreStop.Sleep.Seconds)*time.Second, c.runner.grace)
		select {
		case <-time.After(pause):
		case <-proc.Done():
		case <-c.runner.ctx.Done():
		}
	}
	if c.runner.ctx.Err() != nil {
		proc.Kill()
		return
	}
	proc.Stop(time.Until(deadline))
}

// ended records the end of the process, and returns whether it is not restarted. Like a
// kubelet it also records the end in a deleted pod: the Job controller counts it.
func (c *container) ended(proc *process.Process, started time.Time) (last bool) {
	end := &corev1.ContainerStateTerminated{
		ExitCode: int32(proc.ExitCode()), Reason: "Error", Message: c.message(proc),
		StartedAt: metav1.NewTime(started), FinishedAt: metav1.Now(),
	}
	if end.ExitCode == 0 {
		end.Reason = "Completed"
	}
	policy := c.runner.pod.Spec.RestartPolicy
	last = c.runner.ending() ||
		policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure && end.ExitCode == 0
	c.mu.Lock()
	c.proc = nil
	c.mu.Unlock()
	c.set(func(s *corev1.ContainerStatus) {
		s.Ready, s.Started = false, new(false)
		if last {
			s.State = corev1.ContainerState{Terminated: end}
			return
		}
		s.LastTerminationState = corev1.ContainerState{Terminated: end}
		s.RestartCount++
	})
	return last
}

func (c *container) wait(reason, message string) {
	c.set(func(s *corev1.ContainerStatus) {
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	})
}

// set changes the status and requests that it is written.
func (c *container) set(change func(*corev1.ContainerStatus)) {
	c.mu.Lock()
	change(&c.status)
	c.mu.Unlock()
	select {
	case c.runner.changed <- struct{}{}:
	default: // a write is due already
	}
}

// setRunning is set for the result of a probe. It ignores a process that has ended.
func (c *container) setRunning(change func(*corev1.ContainerStatus)) {
	c.set(func(s *corev1.ContainerStatus) {
		if s.State.Running != nil {
			change(s)
		}
	})
}

func (c *container) current() corev1.ContainerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.status.DeepCopy()
}

func (c *container) kill() {
	c.mu.Lock()
	proc := c.proc
	c.mu.Unlock()
	if proc != nil {
		proc.Kill()
	}
}
