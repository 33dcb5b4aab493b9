package webhook

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// markers are the annotations on a user's Deployment that only Headgate writes.
var markers = []string{spec.AnnotationRollout, spec.AnnotationPhase}

// isHeld reports whether Headgate holds the template of dep. That takes the
// opt-in, the marker and the pause: without the opt-in the marker is left over from
// elsewhere, and without the pause it stops nothing.
func isHeld(dep *appsv1.Deployment) bool {
	_, marked := dep.Annotations[spec.AnnotationRollout]
	return spec.OptedIn(dep.Annotations) && marked && dep.Spec.Paused
}

// rolloutID names the rollout that a changed template starts: the generation that
// the API server gives to this very write. A write that changes the spec adds 1 to
// the generation, so every rollout of a Deployment has an id of its own, and a
// later rollout has a higher one. Example: old is at generation 6; the write that
// brings image v2 stores generation 7, and the rollout is "7". Should the manager
// release it, that write is generation 8, and the next template is rollout "9".
func rolloutID(old *appsv1.Deployment) string {
	return strconv.FormatInt(old.Generation+1, 10)
}

// startRollout holds the template as a new rollout. The phase becomes Pending:
// nobody may read the verdict on the last template as one on this template.
func (out *Outcome) startRollout(r Request) {
	out.Decision = Held
	dep := out.Deployment
	dep.Spec.Paused = true
	dep.Annotations[spec.AnnotationRollout] = rolloutID(r.Old)
	dep.Annotations[spec.AnnotationPhase] = string(spec.Pending)
	// A command that is there already was given for the last template. The Deployment
	// controller copies annotations to the ReplicaSet, and kubectl rollout undo copies
	// them back: an old promote-full would promote the new template unseen.
	if command, ok := dep.Annotations[spec.AnnotationCommand]; ok {
		delete(dep.Annotations, spec.AnnotationCommand)
		out.warn("%s: %s is removed: it was given before this template; give it again if it is meant for this template",
			spec.AnnotationCommand, command)
	}
}

// keepHeld keeps the hold, whatever the request says. A person who un-pauses on
// purpose looks the same as an old manifest, a Resume button or a GitOps tool that
// applies paused: false. The warning names the commands that end a hold.
func (out *Outcome) keepHeld(r Request) {
	out.Decision = StillHeld
	out.Deployment.Spec.Paused = true
	if r.New.Spec.Paused && sameMarkers(r.Old, r.New) {
		return
	}
	command := fmt.Sprintf("kubectl annotate deploy/%s %s", r.New.Name, spec.AnnotationCommand)
	out.warn("rollout %s is still held; to promote it now: %s=%s; to abort it: %s=%s",
		r.Old.Annotations[spec.AnnotationRollout], command, spec.VerbPromoteFull, command, spec.VerbAbort)
}

// holdOrBypass holds the template if a canary of it can share the traffic with
// the stable version. Otherwise the template rolls out natively.
func (out *Outcome) holdOrBypass(r Request) {
	if bypass, explanation := r.whyNoCanary(); bypass != "" {
		out.Decision = Bypassed
		out.Bypass = bypass
		out.warn("this template goes out without a canary: %s", explanation)
		return
	}
	out.startRollout(r)
	if r.change == sameTemplate {
		out.warn("%s was un-paused and is now held as rollout %s, because its template may never have run", r.New.Name, rolloutID(r.Old))
	}
}

// whyNoCanary returns why r.New cannot have a canary, for the metric and for the
// writer. Both are "" if it can.
func (r Request) whyNoCanary() (bypass reason.Reason, explanation string) {
	switch {
	case scaledToZero(r.Old) || scaledToZero(r.New):
		return reason.ScaledToZero, "with 0 replicas before or after this change, no stable version shares the traffic"
	case r.New.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		return reason.RecreateNotSupported,
			"strategy Recreate stops the old version first; to get a canary, set spec.strategy.type: RollingUpdate"
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

// endsUserPause reports whether this request ends the user's own pause. Only for an
// r.Old that is not held. The API server may call twice for one write, and r.New of
// the second call is paused by the first. Its marker, the id of the rollout that
// this very write starts, tells such a call from a user's pause that goes on.
func (r Request) endsUserPause() bool {
	bypass, _ := r.whyNoCanary()
	heldByFirstCall := bypass == "" && r.New.Annotations[spec.AnnotationRollout] == rolloutID(r.Old)
	return r.Old.Spec.Paused && (!r.New.Spec.Paused || heldByFirstCall)
}

// restoreMarkers gives dep the markers of old, whatever dep says: a PUT, an Argo
// CD Replace or kubectl rollout undo brings none, or outdated ones. Markers of an
// old that is not opted in do not count.
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
