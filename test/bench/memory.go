package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/headgate/headgate/test/bench/memory"
)

const (
	managedShare   = 10 // one Deployment in ten opted in, and has a Service and an Ingress
	oldReplicaSets = 10 // of each Deployment: what Kubernetes keeps
)

// largeCluster needs a lab of its own, which it fills.
var largeCluster = experiment{name: "large cluster", figures: []string{nameMemory}, headgateOnly: true}

func runLargeCluster(ctx context.Context, labs Labs, o Options, r *Report) error {
	l, stop, err := labs(ctx, "memory")
	if err != nil {
		return err
	}
	defer stop()
	o.Progress("Headgate: " + largeCluster.name)
	managed := o.Deployments / managedShare
	result, err := memory.Run(ctx, l, memory.Sizes{
		Deployments: o.Deployments, Managed: managed, OldReplicaSets: oldReplicaSets, Routed: managed,
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := newFindings()
	if err == nil {
		f.add(nameMemory, float64(result.RSS()>>20))
		f.note(nameMemory, fmt.Sprintf("%d Deployments, %d of them managed, %d old ReplicaSets each", o.Deployments, managed, oldReplicaSets))
		f.note(nameMemory, describe("after the start", result.Start))
		f.note(nameMemory, describe("after a change of the leader", result.Change))
	}
	r.add(headgate{}, largeCluster, f, err)
	return nil
}

func describe(when string, p memory.Phase) string {
	return fmt.Sprintf("%s: leader %d MB, standby %d MB; it took %s and %.1f CPU-seconds",
		when, p.Leader.RSS>>20, p.Standby.RSS>>20, p.Took.Round(100*time.Millisecond), p.CPU.Seconds())
}
