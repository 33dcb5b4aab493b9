package controller

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

const fieldOwner = client.FieldOwner(spec.FieldOwner)

// Reconciler carries out the rollouts of all opted-in Deployments.
type Reconciler struct {
	// Client reads from caches in which a process finds its own writes.
	Client client.Client

	// Live reads from the API server, where a stale cache could do harm: before
	// traffic is added, and after a write met a newer object.
	Live client.Reader

	Router      Router
	Judge       Judge
	Gates       Gatekeeper
	Autoscalers Autoscalers
	Events      events.EventRecorder
	Metrics     *Metrics

	// Settle and Drain are as in rollout.Observation.
	Settle, Drain time.Duration

	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// Reconcile takes one rollout one step further.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	seen, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if seen == nil {
		r.Metrics.forget(req.NamespacedName)
		return requeueIfStale(r.freeAllScaleDown(ctx, req.NamespacedName))
	}
	decision := r.decide(ctx, seen)
	if err := r.apply(ctx, seen, decision); err != nil {
		return requeueIfStale(err)
	}
	return ctrl.Result{RequeueAfter: r.requeueAfter(rollout.Earliest(decision.Again, seen.freeScaleDownAt))}, nil
}

// decide asks the gates that a decision depends on, if it does on any.
func (r *Reconciler) decide(ctx context.Context, s *snapshot) rollout.Decision {
	d := rollout.Next(s.Observation)
	if d.Ask == "" {
		return d
	}
	answer := r.Gates.Ask(ctx, s.Spec.Gates, rollout.GateQuestion{
		Before: d.Ask, Namespace: s.dep.Namespace, Deployment: s.dep.Name, Rollout: s.target.Rollout, Weight: s.Traffic.Weight,
	})
	s.Gate, s.Now = &answer, r.now() // gates may take seconds
	return rollout.Next(s.Observation)
}

// errStale says that what was observed is not so any more.
var errStale = errors.New("the rollout changed while it was being decided")

// staleRetryDelay is how long to wait for the cache after a write met a newer object.
const staleRetryDelay = 50 * time.Millisecond

// requeueIfStale turns the loss of a race into another look. It is no error: nothing was
// written on the strength of what was out of date.
func requeueIfStale(err error) (ctrl.Result, error) {
	if errors.Is(err, errStale) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return ctrl.Result{RequeueAfter: staleRetryDelay}, nil
	}
	return ctrl.Result{}, err
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	// Milliseconds are what a stored state can hold without growing long.
	return time.Now().UTC().Truncate(time.Millisecond)
}

func (r *Reconciler) requeueAfter(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(time.Millisecond, t.Sub(r.now()))
}

// canaryName is the name of the canary Deployment of dep.
func canaryName(dep *appsv1.Deployment) string { return dep.Name + "-canary" }
