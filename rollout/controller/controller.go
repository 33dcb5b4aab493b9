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

// Reconciler carries out the rollouts of all Deployments that opted in.
type Reconciler struct {
	// Client reads from caches. They must contain the writes of this process.
	Client client.Client

	// Live reads from the API server. It serves where a stale cache could do harm,
	// such as before traffic is added, and for kinds that no cache holds.
	Live client.Reader

	// Trial writes nothing: the API server only says what would come of a write. It must
	// not wait in later reads for what it wrote.
	Trial client.Writer

	Router      Router
	Judge       Judge
	Gates       Gatekeeper
	Autoscalers Autoscalers
	Events      events.EventRecorder
	Metrics     *Metrics

	// Extra is the operator's addition to every object that is made for a rollout.
	Extra rollout.ExtraMeta

	// Settle and Drain are as in rollout.Observation.
	Settle, Drain time.Duration

	// Now is the clock. nil means time.Now.
	Now func() time.Time

	// Elapsed is for how long this process runs, by a clock that nobody can set. nil means
	// the monotonic clock of the machine.
	Elapsed func() time.Duration

	// Next decides. nil means rollout.Next. A test may look at what goes in and out.
	Next func(rollout.Observation) rollout.Decision

	steady      steady
	underway    underway
	startChecks startChecks
	previews    previews
	memory      memory
	filled      filled
	untold      messages // in the condition; the event is still to come
	refusals    messages // events of refusals that the condition does not have

	measurements questions[rollout.Measurement]
	gateAnswers  questions[rollout.GateAnswer]
}

// Reconcile observes one Deployment, decides and applies; see the package comment.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	defer r.underway.begin(req.NamespacedName, r.elapsed())()
	s, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return requeueIfStale(err)
	}
	if s == nil {
		r.Metrics.forget(req.NamespacedName)
		r.forgetUnawaited(req.NamespacedName, rollout.Needs{})
		r.startChecks.forget(req.NamespacedName)
		r.previews.forget(req.NamespacedName)
		r.memory.forget(req.NamespacedName)
		r.filled.forget(req.NamespacedName)
		r.untold.forget(req.NamespacedName)
		r.refusals.forget(req.NamespacedName)
		return requeueIfStale(r.freeAllScaleDown(ctx, req.NamespacedName))
	}
	r.Metrics.showReason(req.NamespacedName, s.condition)
	decision, err := r.decide(ctx, s)
	if err != nil {
		return requeueIfStale(err)
	}
	if err := r.apply(ctx, s, decision); err != nil {
		return requeueIfStale(errors.Join(err, r.reportRefusal(ctx, s, decision, err)))
	}
	r.refusals.forget(req.NamespacedName)
	if r.previews.remember(s); s.previewErr != nil {
		return requeueIfStale(s.previewErr)
	}
	return ctrl.Result{RequeueAfter: r.requeueAfter(s, s.lookAgain(decision))}, nil
}

// lookAgain is when to reconcile again if nothing changes until then.
func (s *snapshot) lookAgain(d rollout.Decision) time.Time {
	return rollout.Earliest(rollout.Earliest(d.Again, s.freeScaleDownAt), s.startCheckAt)
}

// errStale says that an object changed after it was observed.
var errStale = errors.New("the rollout changed while it was being decided")

// staleRetryDelay is how long to wait, after a conflict, until the cache has the
// newer object.
const staleRetryDelay = 50 * time.Millisecond

// requeueIfStale returns err, unless it says that somebody else wrote first. That
// is no error: nothing was written, and the next reconcile sees the newer object.
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
	// The stored state holds times. In milliseconds they are short:
	// 2006-01-02T15:04:05.123Z.
	return time.Now().UTC().Truncate(time.Millisecond)
}

// requeueAfter returns how long it is until t, for ctrl.Result: at 10:00:00 it is
// 5s for 10:00:05. A t that has passed gives one millisecond, because 0 means
// never. The zero t gives 0. It goes by the clock that t was decided with, even if that
// was set meanwhile.
func (r *Reconciler) requeueAfter(s *snapshot, t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(time.Millisecond, t.Sub(s.Now)-(r.elapsed()-s.looked))
}

// canaryLabel returns the value of spec.LabelCanary on the canary pods of dep.
func canaryLabel(dep *appsv1.Deployment) string { return rollout.DerivedName(dep.Name, "", 63) }

// canaryName returns the name of the canary Deployment of dep.
func canaryName(dep *appsv1.Deployment) string { return dep.Name + "-canary" }
