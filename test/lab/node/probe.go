package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/headgate/headgate/test/lab/process"
)

// probe runs the container's probes until ctx is done: first the startup probe, then the
// readiness and the liveness probe in parallel.
func (c *container) probe(ctx context.Context, proc *process.Process) {
	if c.spec.StartupProbe != nil && !c.startUp(ctx, proc) {
		return
	}
	c.setRunning(func(s *corev1.ContainerStatus) {
		s.Started = new(true)
		s.Ready = c.spec.ReadinessProbe == nil
	})
	if c.spec.ReadinessProbe != nil {
		go c.watch(ctx, c.spec.ReadinessProbe, soon, func(ok bool) bool {
			c.setRunning(func(s *corev1.ContainerStatus) { s.Ready = ok })
			return true
		})
	}
	if c.spec.LivenessProbe != nil {
		c.watch(ctx, c.spec.LivenessProbe, never, func(ok bool) bool { return ok || c.restart(proc) })
	}
}

// startUp is true when the startup probe has passed.
func (c *container) startUp(ctx context.Context, proc *process.Process) (passed bool) {
	c.watch(ctx, c.spec.StartupProbe, soon, func(ok bool) bool {
		passed = ok
		return !ok && c.restart(proc)
	})
	return passed
}

// restart ends a process that failed its probe. It returns false: nothing is left to
// watch.
func (c *container) restart(proc *process.Process) bool {
	grace := 30 * time.Second
	if s := c.runner.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	proc.Stop(grace)
	return false
}

// How soon a probe that has not passed is repeated. A kubelet probes a container that is not
// ready more often than its period, about once a second, so that it is ready early. It never
// counts the failures of a liveness probe faster.
const (
	soon  = time.Second
	never = time.Duration(math.MaxInt64)
)

// watch probes every period and calls changed when the verdict first is known and
// when it changes, until changed says false. Until it passes, it probes again after again if
// that is sooner.
func (c *container) watch(ctx context.Context, p *corev1.Probe, again time.Duration, changed func(ok bool) bool) {
	period := seconds(p.PeriodSeconds, 10)
	wait := time.After(time.Duration(p.InitialDelaySeconds) * time.Second)
	var known, verdict bool
	var passes, failures int32
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait:
		}
		if c.once(ctx, p) == nil {
			passes, failures = passes+1, 0
		} else {
			passes, failures = 0, failures+1
		}
		pass := passes >= max(p.SuccessThreshold, 1)
		fail := failures >= defaulted(p.FailureThreshold, 3)
		if (pass || fail) && (!known || verdict != pass) && ctx.Err() == nil {
			known, verdict = true, pass
			if !changed(pass) {
				return
			}
		}
		next := period
		if !verdict {
			next = min(period, again)
		}
		wait = time.After(next)
	}
}

// once probes once.
func (c *container) once(ctx context.Context, p *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(p.TimeoutSeconds, 1))
	defer cancel()
	if p.TCPSocket != nil {
		address, err := c.address(p.TCPSocket.Host, p.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return c.get(ctx, p.HTTPGet)
}

// prober makes a new connection for each probe, as a kubelet does, and trusts every certificate.
var prober = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
}}

func (c *container) get(ctx context.Context, g *corev1.HTTPGetAction) error {
	address, err := c.address(g.Host, g.Port)
	if err != nil {
		return err
	}
	scheme := "http"
	if g.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+g.Path, nil)
	if err != nil {
		return err
	}
	for _, h := range g.HTTPHeaders {
		req.Header.Add(h.Name, h.Value)
	}
	res, err := prober.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode >= 400 {
		err = fmt.Errorf("probe answered %s", res.Status)
	}
	_ = res.Body.Close()
	return err
}

func (c *container) address(host string, port intstr.IntOrString) (string, error) {
	if host == "" {
		host = c.runner.address.String()
	}
	if port.Type == intstr.Int {
		return net.JoinHostPort(host, port.String()), nil
	}
	for _, p := range c.spec.Ports {
		if p.Name == port.StrVal {
			return net.JoinHostPort(host, strconv.Itoa(int(p.ContainerPort))), nil
		}
	}
	return "", fmt.Errorf("container %q has no port named %q", c.spec.Name, port.StrVal)
}

// supported returns an error for a probe or a preStop hook that the lab does not support.
func supported(c corev1.Container) error {
	for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != nil && p.HTTPGet == nil && p.TCPSocket == nil {
			return fmt.Errorf("container %q: the lab runs httpGet and tcpSocket probes only", c.Name)
		}
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep == nil {
		return fmt.Errorf("container %q: the lab runs preStop hooks of the form sleep only", c.Name)
	}
	return nil
}

func seconds(n, otherwise int32) time.Duration {
	return time.Duration(defaulted(n, otherwise)) * time.Second
}

// defaulted is n, or otherwise where n is not set.
func defaulted(n, otherwise int32) int32 {
	if n <= 0 {
		return otherwise
	}
	return n
}
