package controller

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// apply makes d true. If the manager is killed between any two writes, the next
// reconcile continues: only time is lost, and at most an event. That needs this
// order:
//
//  1. takeTraffic: after a failure or an abort, nothing is more urgent. If it fails,
//     2 and 3 still follow, and nothing after them. So it gets half of the time.
//  2. writeCanary: the state first, then the replicas of the canary. So the state says
//     what everything that follows does, before it is done.
//  3. reportNotes: what happened is reported once it is in the state. A kill before
//     this loses the event; the other order could report it twice.
//  4. holdScaleDown: nothing may shrink stable while the canary has its traffic, so
//     this comes before 5.
//  5. addTraffic: only if the Deployments are still as they were observed.
//  6. applyJob: a Job tests the canary with the traffic of its step, so this comes
//     after 5.
//  7. removeLeftovers: only where somebody deleted the canary Deployment.
//  8. recordRelease: a template is on record before it is released, and why.
//  9. writeStable: one write for hold and phase. The reason for a release is in the
//     state since 2.
//  10. report: the condition and the event say what is true now. After a refused write
//     this comes last: the condition says WriteRefused until every write succeeds.
//     Otherwise 11 or 12, refused again, would change it back in every pass.
//  11. freeScaleDown: autoscalers that see the load may shrink stable again.
//  12. removeCanary: nothing else is left. Then report comes last: one write says how
//     the rollout ended and forgets its state. After a kill before it, the state
//     without a canary tells the next pass what to report.
//
// A write to a Deployment applies only to the generation and to the state that were
// read: an observation that is stale writes nothing.
func (r *Reconciler) apply(ctx context.Context, s *snapshot, d rollout.Decision) error {
	removes := d.Canary == nil && s.canaryDep != nil
	steps := []func(context.Context, *snapshot, rollout.Decision) error{
		r.writeCanary, r.reportNotes, r.holdScaleDown, r.addTraffic, r.adoptPods,
		r.applyJob, r.removeLeftovers, r.recordRelease, r.writeStable,
	}
	if s.Stable.Reason != reason.WriteRefused && !removes {
		steps = append(steps, r.report, r.freeScaleDown, r.removeCanary)
	} else {
		steps = append(steps, r.freeScaleDown, r.removeCanary, r.report)
	}
	taking, cancel := context.WithTimeout(ctx, takeTrafficTimeout)
	failed := r.takeTraffic(taking, s, d)
	cancel()
	s.early = failed == nil && s.Stable.Reason != reason.WriteRefused
	if failed != nil {
		// The verdict goes on record all the same: of two canary Ingresses one may be
		// deleted, and without a record the next pass would create it again.
		steps = steps[:2]
	}
	for _, step := range steps {
		if err := step(ctx, s, d); err != nil {
			failed = errors.Join(failed, err)
			break
		}
	}
	if failed != nil {
		return fmt.Errorf("rolling out Deployment %s/%s: %w", s.dep.Namespace, s.dep.Name, failed)
	}
	return nil
}

// takeTrafficTimeout leaves time to put a verdict on record when a delete of a canary
// Ingress hangs.
const takeTrafficTimeout = reconcileTimeout / 2

// takeTraffic gives traffic back to stable, as far as d gives the canary less than
// it has. It never gives the canary more: at weight 50, a decision for weight 20
// sets 20, and a decision for weight 80 sets nothing here.
func (r *Reconciler) takeTraffic(ctx context.Context, s *snapshot, d rollout.Decision) error {
	goal, reduced := d.Routes.Reduced(s.Traffic)
	switch {
	case !reduced:
		return nil
	case goal.Kind == rollout.NoRoutes:
		return r.Router.Remove(ctx, s.target)
	default:
		return r.setWeight(ctx, s, goal)
	}
}

// writeCanary creates the canary Deployment, or sets its state and its replicas. It
// leaves the result in s.canaryDep.
func (r *Reconciler) writeCanary(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Canary == nil {
		return nil
	}
	state, err := d.Canary.State.Encode()
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if s.canaryDep == nil {
		if err := r.dismissPods(ctx, s); err != nil {
			return err
		}
		s.canaryDep = newCanary(s.dep, d.Canary.State.Rollout, s.target.Track, state, d.Canary.Replicas)
		if rules := rulesOf(s.analysis); rules != "" {
			s.canaryDep.Annotations[spec.AnnotationAnalysisRules] = rules
		}
		s.target.Extra.AddTo(s.canaryDep)
		return r.createCanary(ctx, s.dep, s.canaryDep)
	}
	if err := r.writeState(ctx, s, d); err != nil {
		return err
	}
	return r.resizeCanary(ctx, s, d.Canary.Replicas)
}

// resizeCanary sets the replicas of the canary Deployment. The state says already why:
// it is read again from the API server, because a leader whose cache is behind may have
// had nothing to write there.
func (r *Reconciler) resizeCanary(ctx context.Context, s *snapshot, replicas int32) error {
	if *s.canaryDep.Spec.Replicas == replicas && s.target.Extra.On(s.canaryDep) {
		return nil
	}
	_, err := r.confirmUnchanged(ctx, s.dep)
	if err != nil {
		return err
	}
	s.canaryDep, err = r.patchDeployment(ctx, s.canaryDep, canaryPatch(replicas, s.target.Extra))
	return err
}

// patchDeployment merges p into dep and returns the result, as whileUnchanged.
func (r *Reconciler) patchDeployment(ctx context.Context, dep *appsv1.Deployment, p deploymentPatch) (*appsv1.Deployment, error) {
	out := dep.DeepCopy()
	err := r.whileUnchanged(ctx, dep, func(version string) error {
		patch, err := p.encode(version)
		if err != nil {
			return err
		}
		return r.Client.Patch(ctx, out, client.RawPatch(types.MergePatchType, patch), fieldOwner)
	})
	if err != nil {
		return dep, fmt.Errorf("writing Deployment %s: %w", dep.Name, err)
	}
	return out, nil
}

// whileUnchanged calls write with the version of dep that it is to change. It fails with
// errStale if somebody wrote the spec, an annotation or the state since dep was read. A
// newer status is no reason to fail, and it tries again: pods come and go while metrics
// are measured, and a failure would lose the verdict.
func (r *Reconciler) whileUnchanged(ctx context.Context, dep *appsv1.Deployment, write func(version string) error) error {
	version := dep.ResourceVersion
	return retry.RetryOnConflict(wait.Backoff{Steps: 5}, func() error { // at once: it has read the newest version
		err := write(version)
		if !apierrors.IsConflict(err) {
			return err
		}
		live, stale := r.confirmUnchanged(ctx, dep)
		if stale != nil {
			return stale
		}
		version = live.ResourceVersion
		return err
	})
}

// addTraffic sets the weight and the match of d. It also lets the Router update
// canary Ingresses whose stable Ingress changed.
func (r *Reconciler) addTraffic(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Routes.Kind != rollout.SplitRoutes {
		return nil
	}
	if d.Routes.Adds(s.Traffic) {
		if err := r.confirmRise(ctx, s); err != nil {
			return err
		}
	}
	return r.setWeight(ctx, s, d.Routes)
}

// setWeight sets the weight and the match of goal. A preview that cannot be written
// is no error here, because the rollout does not wait for it: it is left in
// s.previewErr.
func (r *Reconciler) setWeight(ctx context.Context, s *snapshot, goal rollout.RoutesGoal) error {
	err := r.Router.SetWeight(ctx, s.target, goal.Weight, goal.Match)
	var preview *rollout.PreviewError
	if errors.As(err, &preview) {
		s.previewErr, err = err, nil
	}
	return err
}

// confirmRise reads both Deployments from the API server before the canary gets more
// traffic. It fails with errStale if the cache was behind: the previous leader may have
// aborted the rollout, and canary pods may be gone.
func (r *Reconciler) confirmRise(ctx context.Context, s *snapshot) error {
	if _, err := r.confirmUnchanged(ctx, s.dep); err != nil {
		return err
	}
	canary, err := r.confirmUnchanged(ctx, s.canaryDep)
	if err != nil {
		return err
	}
	if s.Canary != nil && canary.Status.AvailableReplicas < s.Canary.Available {
		return errStale
	}
	return nil
}

// confirmRelease reads the ReplicaSets from the API server before a template goes out,
// and compares whole templates. It fails with errStale if the observation said
// something else: a cache that has no ReplicaSet yet looks like a Deployment that no
// version of runs, and in one that is behind a template may still run that ran a
// moment ago.
func (r *Reconciler) confirmRelease(ctx context.Context, s *snapshot) error {
	v, err := r.liveVersions(ctx, s)
	if err != nil {
		return err
	}
	if v.runs != s.Stable.Runs || v.templateRuns != s.Stable.TemplateRuns {
		return errStale
	}
	return nil
}

// confirmUnchanged reads dep from the API server. It fails with errStale if dep is gone,
// or the generation or the state is another one. A write to the spec or to an annotation
// of a Deployment raises the generation. A write to the status does not, so a pod that
// becomes Available is no reason to start over.
func (r *Reconciler) confirmUnchanged(ctx context.Context, dep *appsv1.Deployment) (*appsv1.Deployment, error) {
	live := &appsv1.Deployment{}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(dep), live)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("confirming Deployment %s: %w", dep.Name, err)
	}
	if err != nil || live.UID != dep.UID || live.Generation != dep.Generation || !sameState(live, dep) {
		return nil, errStale
	}
	return live, nil
}

// writeStable writes the hold, the phase and the command on the user's Deployment,
// and nothing else there.
func (r *Reconciler) writeStable(ctx context.Context, s *snapshot, d rollout.Decision) error {
	annotations := map[string]any{}
	fields := map[string]any{}
	if d.Phase != s.Stable.Phase {
		annotations[spec.AnnotationPhase] = nullIfEmpty(string(d.Phase))
	}
	if d.TakeCommand {
		annotations[spec.AnnotationCommand] = nil
	}
	switch {
	case d.Hold == rollout.Release && s.Stable.Hold != "":
		if err := r.confirmRelease(ctx, s); err != nil {
			return err
		}
		annotations[spec.AnnotationRollout] = nil
		fields["paused"] = nil
	case d.Hold == rollout.RenewHold:
		annotations[spec.AnnotationRollout] = strconv.FormatInt(s.dep.Generation+1, 10)
	}
	if len(annotations) == 0 {
		return nil
	}
	dep, err := r.patchDeployment(ctx, s.dep, deploymentPatch{annotations: annotations, spec: fields})
	s.dep = dep
	return err
}

// nullIfEmpty returns value for a merge patch, in which null removes an annotation.
func nullIfEmpty(value string) any {
	if value == "" {
		return nil
	}
	return value
}

// removeCanary deletes the canary Services and then the canary Deployment, once d
// wants no canary and no route leads to it. A canary that d only wants without pods
// stays, as a record.
func (r *Reconciler) removeCanary(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if s.canaryDep == nil || s.Traffic.Routed || d.Canary != nil && d.Canary.Replicas > 0 {
		return nil
	}
	if d.Canary != nil {
		return r.dismissPods(ctx, s)
	}
	if err := r.Router.Cleanup(ctx, s.target); err != nil {
		return err
	}
	if err := r.dismissPods(ctx, s); err != nil {
		return err
	}
	err := r.Client.Delete(ctx, s.canaryDep, client.Preconditions{UID: &s.canaryDep.UID, ResourceVersion: &s.canaryDep.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	s.canaryDep = nil
	return nil
}
