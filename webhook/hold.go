package webhook

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// markers are the annotations that only Headgate writes on a user's Deployment.
var markers = []string{spec.AnnotationRollout, spec.AnnotationPhase}

// isHeld reports whether the template of dep waits by Headgate's doing. A marker
// without opt-in is nobody's, and one without a pause holds nothing.
func isHeld(dep *appsv1.Deployment) bool {
	_, marked := dep.Annotations[spec.AnnotationRollout]
	return spec.OptedIn(dep.Annotations) && marked && dep.Spec.Paused
}

// rolloutID names the rollout that a changed template starts. A write that
// changes the spec increments the generation, so no two rollouts of a
// Deployment share an id, and a later one has the higher.
func rolloutID(old *appsv1.Deployment) string {
	return strconv.FormatInt(old.Generation+1, 10)
}

// hold begins a new rollout. Pending replaces whatever the phase was: the
// verdict on the last template must not be read as one on this.
func (out *Outcome) hold(r Request) {
	out.Decision = Held
	dep := out.Deployment
	dep.Spec.Paused = true
	dep.Annotations[spec.AnnotationRollout] = rolloutID(r.Old)
	dep.Annotations[spec.AnnotationPhase] = string(spec.Pending)
	// Whoever gave a command saw the template before. The Deployment controller
	// copies annotations to the ReplicaSet, and kubectl rollout undo brings them back:
	// an old promote-full would ship the new template unseen.
	if command, ok := dep.Annotations[spec.AnnotationCommand]; ok {
		delete(dep.Annotations, spec.AnnotationCommand)
		out.warn("%s: %s was dropped: the template is new, give the command again if it is meant for this one", spec.AnnotationCommand, command)
	}
}

// stayHeld forces the hold back on. An un-pause cannot be told from an old
// manifest, a Resume button or a GitOps tool that applies paused: false.
func (out *Outcome) stayHeld(r Request) {
	out.Decision = StillHeld
	out.Deployment.Spec.Paused = true
	if r.New.Spec.Paused && sameMarkers(r.Old, r.New) {
		return
	}
	command := fmt.Sprintf("kubectl annotate deploy/%s %s", r.New.Name, spec.AnnotationCommand)
	out.warn("rollout %s is still held; to ship it now: %s=%s; to send it back: %s=%s",
		r.Old.Annotations[spec.AnnotationRollout], command, spec.VerbPromoteFull, command, spec.VerbAbort)
}

// holdUnlessPointless holds where traffic can be split at all.
func (out *Outcome) holdUnlessPointless(r Request) {
	if because, why := r.pointless(); because != "" {
		out.Decision = Bypassed
		out.Bypass = because
		out.warn("this template goes out without a canary: %s", why)
		return
	}
	out.hold(r)
	if !r.templateChanged() {
		out.warn("%s was un-paused and is now held as rollout %s: its template may never have run", r.New.Name, rolloutID(r.Old))
	}
}

// pointless says why a canary of r.New cannot be; "" if it can.
func (r Request) pointless() (because reason.Reason, why string) {
	switch {
	case scaledToZero(r.Old) || scaledToZero(r.New):
		return reason.ScaledToZero, "with 0 replicas before or after there is no stable version to split traffic with"
	case r.New.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		return reason.RecreateNotSupported, "strategy Recreate stops the old version first; set spec.strategy.type: RollingUpdate"
	default:
		return "", ""
	}
}

func (out *Outcome) warn(format string, args ...any) {
	out.Warnings = append(out.Warnings, fmt.Sprintf(format, args...))
}

func scaledToZero(dep *appsv1.Deployment) bool {
	return ptr.Deref(dep.Spec.Replicas, 1) == 0
}

// unpauses reports whether a pause that is not Headgate's ends here. The API
// server may call twice in one request, and the second time r.New comes with the
// hold of the first. Its marker tells that from a person's pause that goes on.
func (r Request) unpauses() bool {
	because, _ := r.pointless()
	again := because == "" && r.New.Annotations[spec.AnnotationRollout] == rolloutID(r.Old)
	return r.Old.Spec.Paused && (!r.New.Spec.Paused || again)
}

// restoreMarkers takes the markers from old, whatever dep says: a PUT, an Argo
// CD Replace or kubectl rollout undo knows none, or stale ones.
func restoreMarkers(old, dep *appsv1.Deployment) {
	removeMarkers(dep)
	if !spec.OptedIn(old.Annotations) {
		return
	}
	for _, key := range markers {
		if value, ok := old.Annotations[key]; ok {
			dep.Annotations[key] = value
		}
	}
}

func removeMarkers(dep *appsv1.Deployment) {
	for _, key := range markers {
		delete(dep.Annotations, key)
	}
}

func sameMarkers(a, b *appsv1.Deployment) bool {
	for _, key := range markers {
		if a.Annotations[key] != b.Annotations[key] {
			return false
		}
	}
	return true
}
