package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// apply makes d true, in the one order in which a kill between any two writes
// costs nothing but time:
//
//  1. take traffic away: after bad news nothing is more urgent
//  2. the canary Deployment, state and size in one write: what step 3 is about
//     to do is on record before it is done; what happened is said once it is
//     on record
//  3. add traffic, if what was observed is still so, to a stable that nothing
//     shrinks meanwhile; then the Job that tests what is there
//  4. the user's Deployment, hold and phase in one write: a released hold has its
//     reason on record since 2
//  5. say where the rollout is: condition, event, log
//  6. let autoscalers that see the traffic shrink stable again; remove what has
//     no purpose any more, the record last
//
// Every write to a Deployment is for the generation that was read, so that a
// stale read writes nothing.
func (r *Reconciler) apply(ctx context.Context, s *snapshot, d rollout.Decision) error {
	for _, step := range []func(context.Context, *snapshot, rollout.Decision) error{
		r.takeTraffic, r.writeCanary, r.reportNotes, r.holdScaleDown, r.addTraffic, r.applyJob, r.writeStable, r.report, r.freeScaleDown, r.removeCanary,
	} {
		if err := step(ctx, s, d); err != nil {
			return fmt.Errorf("rolling out Deployment %s/%s: %w", s.dep.Namespace, s.dep.Name, err)
		}
	}
	return nil
}

func (r *Reconciler) takeTraffic(ctx context.Context, s *snapshot, d rollout.Decision) error {
	switch was := s.Traffic; {
	case !was.Routed && !was.Previewed:
		return nil
	case d.Weight == rollout.Unrouted:
		return r.Router.Remove(ctx, s.target)
	case d.Weight >= 0 && (d.Weight < was.Weight || d.Match.None() && !was.Match.None()):
		match := was.Match // what is to match besides is not on record yet
		if d.Match.None() {
			match = d.Match
		}
		return r.Router.SetWeight(ctx, s.target, min(d.Weight, was.Weight), match)
	}
	return nil
}

func (r *Reconciler) writeCanary(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Canary == nil {
		return nil
	}
	state, err := d.Canary.State.Encode()
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if s.canaryDep == nil {
		s.canaryDep = newCanary(s.dep, d.Canary.State.Rollout, s.target.Track, state, d.Canary.Replicas)
		return r.Client.Create(ctx, s.canaryDep, fieldOwner)
	}
	if s.canaryDep.Annotations[spec.AnnotationState] == state && *s.canaryDep.Spec.Replicas == d.Canary.Replicas {
		return nil
	}
	s.canaryDep, err = r.patchDeployment(ctx, s.canaryDep, map[string]any{spec.AnnotationState: state}, map[string]any{"replicas": d.Canary.Replicas})
	return err
}

// patchDeployment merges annotations and fields of the spec into dep, as the API server has it if it
// still is of dep's generation, and returns the result. A status that was
// written meanwhile does not matter: pods come and go while metrics are asked,
// and a verdict whose record was refused for that would be lost.
func (r *Reconciler) patchDeployment(ctx context.Context, dep *appsv1.Deployment, annotations, fields map[string]any) (*appsv1.Deployment, error) {
	out, version := dep.DeepCopy(), dep.ResourceVersion
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": version, "annotations": annotations},
			"spec":     fields,
		})
		if err != nil {
			return fmt.Errorf("encoding a patch: %w", err)
		}
		err = r.Client.Patch(ctx, out, client.RawPatch(types.MergePatchType, patch), fieldOwner)
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
	if err != nil {
		return dep, fmt.Errorf("writing Deployment %s: %w", dep.Name, err)
	}
	return out, nil
}

func (r *Reconciler) addTraffic(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Weight < 0 {
		return nil
	}
	if d.Weight > s.Traffic.Lowest || d.Match != s.Traffic.Match && !d.Match.None() {
		// Caches may lag: a rollout that was aborted by the previous leader must
		// not see its weight rise here.
		for _, dep := range []*appsv1.Deployment{s.dep, s.canaryDep} {
			if _, err := r.confirmUnchanged(ctx, dep); err != nil {
				return err
			}
		}
	}
	return r.Router.SetWeight(ctx, s.target, d.Weight, d.Match)
}

// confirmUnchanged reads dep from the API server, and fails with errStale unless it is as
// it was read. Every write to the spec or the annotations of a Deployment raises
// its generation; status does not, so a pod that becomes Available is no reason
// to start over.
func (r *Reconciler) confirmUnchanged(ctx context.Context, dep *appsv1.Deployment) (*appsv1.Deployment, error) {
	live := &appsv1.Deployment{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(dep), live); err != nil {
		return nil, fmt.Errorf("confirming Deployment %s: %w", dep.Name, err)
	}
	if live.UID != dep.UID || live.Generation != dep.Generation {
		return nil, errStale
	}
	return live, nil
}

// writeStable writes the user's Deployment: hold, phase and command, nothing else.
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
		annotations[spec.AnnotationRollout] = nil
		fields["paused"] = nil
	case d.Hold == rollout.RenewHold:
		annotations[spec.AnnotationRollout] = strconv.FormatInt(s.dep.Generation+1, 10)
	}
	if len(annotations) == 0 {
		return nil
	}
	_, err := r.patchDeployment(ctx, s.dep, annotations, fields)
	return err
}

// nullIfEmpty is a value in a merge patch, where null removes.
func nullIfEmpty(value string) any {
	if value == "" {
		return nil
	}
	return value
}

func (r *Reconciler) removeCanary(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if s.canaryDep == nil || d.Canary != nil || s.Traffic.Routed {
		return nil
	}
	if err := r.Router.Cleanup(ctx, s.target); err != nil {
		return err
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, s.canaryDep, client.Preconditions{
		UID: &s.canaryDep.UID, ResourceVersion: &s.canaryDep.ResourceVersion,
	}))
}
