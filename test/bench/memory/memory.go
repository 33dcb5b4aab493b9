// Package memory measures how much memory and CPU time Headgate needs in a large cluster:
// after its start, and after another replica has taken over. The caches of a manager hold
// objects of the whole cluster, so both grow with the cluster and not with the rollouts.
//
// Run fills the API server of a running lab and leaves it filled, so give it a lab of its
// own, with Options.Node and Options.Headgate. It runs no pods but Headgate's: every
// Deployment has 0 replicas. What a cache keeps of an object does not depend on its
// replicas. The Deployment controller makes the newest ReplicaSet of each Deployment, and
// Run creates the old ones.
package memory

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/test/lab"
)

// Sizes says what is in the cluster.
type Sizes struct {
	// Deployments is how many there are. Each has 20 environment variables and a manifest
	// of 5 KB of the last "kubectl apply", 9 KB in all.
	Deployments int
	// Managed is how many of them opted in.
	Managed int
	// OldReplicaSets is how many each has beside its newest one. Kubernetes keeps 10.
	OldReplicaSets int
	// Routed is how many of them have a Service and an Ingress.
	Routed int
	// Rest is how long nothing happens before memory is read; 0 is 75 s: the managers
	// return free memory once a minute.
	Rest time.Duration
	// Values are set in the chart, as in helm --set.
	Values map[string]string
}

// Result is what was measured.
type Result struct {
	Start  Phase // from the installation on
	Change Phase // from the end of the leader on
}

// Phase is the time until a leader has looked at every Deployment that opted in, and what
// both replicas use after Sizes.Rest.
type Phase struct {
	Took    time.Duration
	CPU     time.Duration // of the leader, in Took
	Leader  Memory
	Standby Memory
}

// Memory is what one process has in memory, in bytes.
type Memory struct {
	RSS  int64 // when it was read
	Peak int64 // since the process was started
}

// RSS is the figure of the benchmark: the most memory that a replica has at rest.
func (r Result) RSS() int64 {
	return max(r.Start.Leader.RSS, r.Start.Standby.RSS, r.Change.Leader.RSS, r.Change.Standby.RSS)
}

// Run measures with the sizes s in l, which must be empty. It installs Headgate with two
// replicas, the default of the chart, and removes it afterwards.
func Run(ctx context.Context, l *lab.Lab, s Sizes) (Result, error) {
	if s.Rest == 0 {
		s.Rest = 75 * time.Second
	}
	m := &measurement{lab: l, sizes: s}
	defer func() { _ = l.UninstallHeadgate(context.WithoutCancel(ctx)) }()
	var r Result
	for _, step := range []func(context.Context, *Result) error{m.fill, m.start, m.change} {
		if err := step(ctx, &r); err != nil {
			return r, fmt.Errorf("measure memory with %d Deployments: %w", s.Deployments, err)
		}
	}
	return r, nil
}

// measurement is a Run.
type measurement struct {
	lab   *lab.Lab
	sizes Sizes
}

func (m *measurement) fill(ctx context.Context, _ *Result) error {
	if err := fill(ctx, m.lab.Client(), m.sizes); err != nil {
		return err
	}
	return awaitQuiet(ctx, m.lab.Client())
}

// start measures a leader that begins with nothing in its caches.
func (m *measurement) start(ctx context.Context, r *Result) error {
	began := time.Now()
	if err := m.lab.InstallHeadgate(ctx, m.sizes.Values); err != nil {
		return err
	}
	leader, err := m.awaitLeader(ctx, "")
	if err != nil {
		return err
	}
	r.Start.Took = time.Since(began)
	used, err := usageOf(leader.pod)
	if err != nil {
		return err
	}
	r.Start.CPU = used.cpu
	return m.readAtRest(ctx, leader, &r.Start)
}

// change measures a standby, whose caches are filled, that becomes the leader.
func (m *measurement) change(ctx context.Context, r *Result) error {
	replicas, err := m.replicas(ctx)
	if err != nil {
		return err
	}
	began, before := time.Now(), map[string]usage{}
	var gone string
	for _, replica := range replicas {
		if before[replica.pod], err = usageOf(replica.pod); err != nil {
			return err
		}
		if replica.leads {
			gone = replica.pod
		}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: gone}}
	if err := m.lab.Client().Delete(ctx, pod); err != nil {
		return err
	}
	leader, err := m.awaitLeader(ctx, gone)
	if err != nil {
		return err
	}
	r.Change.Took = time.Since(began)
	used, err := usageOf(leader.pod)
	if err != nil {
		return err
	}
	r.Change.CPU = used.cpu - before[leader.pod].cpu
	return m.readAtRest(ctx, leader, &r.Change)
}

// readAtRest reads what both replicas use when nothing has happened for a while.
func (m *measurement) readAtRest(ctx context.Context, leader replica, p *Phase) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(m.sizes.Rest):
	}
	replicas, err := m.replicas(ctx)
	if err != nil {
		return err
	}
	for _, replica := range replicas {
		used, err := usageOf(replica.pod)
		if err != nil {
			return err
		}
		if replica.pod == leader.pod {
			p.Leader = used.memory
		} else {
			p.Standby = used.memory
		}
	}
	return nil
}
