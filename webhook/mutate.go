// Package webhook decides what happens to a write to a Deployment before it is
// stored: a new pod template is held (spec.paused) in the very request that
// brings it, and stays held until the manager releases it or the Deployment
// opts out. A restart of the version that runs is not new.
//
// The decision, Mutate, is a pure function of the old object, the new one and
// who writes. It looks nothing up, knows no clock and draws no random numbers, so a
// dry run gets the answer that the real request will get: GitOps tools compare
// the two. It never touches a template, a replica count or a label, and it
// starts no canary: that is the manager's work, which begins when it sees the
// hold.
//
// The API server calls Deployments, an admission handler around Mutate;
// cmd/headgate wires it.
package webhook

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Decision is one word for what became of a write. It is the label of the
// metric and the message of the log line.
type Decision string

// The decisions.
const (
	Allowed    Decision = "Allowed"    // nothing to hold: a first deployment, other fields, the manager's own write
	Held       Decision = "Held"       // the template is new, or may be: it waits as a new rollout
	StillHeld  Decision = "StillHeld"  // the template is the one that waits already
	UserPaused Decision = "UserPaused" // a person's own pause holds it; Headgate does nothing until that ends
	Restarted  Decision = "Restarted"  // the version that runs, again: it needs no canary
	Released   Decision = "Released"   // held, and opted out: the native rolling update goes ahead
	Bypassed   Decision = "Bypassed"   // the template goes out without a canary; Outcome.Bypass says why
	Denied     Decision = "Denied"     // this request breaks an annotation
)

// Request is one write to a Deployment.
type Request struct {
	Old *appsv1.Deployment // nil when New is created
	New *appsv1.Deployment // never modified

	// ByManager says that Headgate's own manager writes. It alone releases a
	// hold and sets the phase, so its writes pass as they are.
	ByManager bool

	// CheckAnalysis returns what is wrong with the text of
	// headgate.dev/analysis, with an example. It must be pure. nil accepts all.
	CheckAnalysis func(text string) error

	// CheckGates returns which of the gates in headgate.dev/gates the operator does
	// not allow. It must be pure. nil accepts all.
	CheckGates func([]spec.Gate) error
}

// Outcome is what becomes of a Request.
type Outcome struct {
	Decision Decision

	// Deployment is what is to be stored: a copy of Request.New that differs at
	// most in spec.paused and in annotations of headgate.dev. nil when Denied.
	Deployment *appsv1.Deployment

	// Denial tells the writer what to correct. "" unless Denied.
	Denial string

	// Warnings are shown to the writer. Each is a sentence.
	Warnings []string

	// Bypass is why a template goes out without (the rest of) a canary: one of
	// ScaledToZero, RecreateNotSupported, OptedOut. "" if none does.
	Bypass reason.Reason
}

// Mutate decides about r. Its result as the New of the same Request is left as
// it is: an API server that calls twice (reinvocationPolicy IfNeeded) is safe.
func Mutate(r Request) Outcome {
	out := Outcome{Decision: Allowed, Deployment: r.New.DeepCopy()}
	if r.ByManager || !r.optedInBefore() && !spec.OptedIn(r.New.Annotations) {
		return out
	}
	if !spec.OptedIn(r.New.Annotations) {
		out.optOut(r)
		return out
	}
	broken, stale := r.complaints()
	if len(broken) > 0 {
		return Outcome{Decision: Denied, Denial: strings.Join(broken, "\n")}
	}
	out.Warnings = stale
	if r.Old == nil {
		out.create()
		return out
	}
	out.update(r)
	return out
}

// create lets a first deployment through: there is no stable version to split
// traffic with. A manifest read from a cluster (a backup, kubectl get -o yaml)
// may bring marks of a rollout that is not this object's. A pause among them
// would mean that no pod ever starts.
func (out *Outcome) create() {
	if isHeld(out.Deployment) {
		out.Deployment.Spec.Paused = false
		out.warn("%s was copied while its template was held: the copy starts un-paused", out.Deployment.Name)
	}
	removeMarkers(out.Deployment)
	delete(out.Deployment.Annotations, spec.AnnotationCommand)
}

// update decides about a Deployment that is opted in after the write.
func (out *Outcome) update(r Request) {
	restoreMarkers(r.Old, out.Deployment)
	changed := r.templateChanged()
	switch {
	case isHeld(r.Old) && changed:
		// Whatever else the request does: released at 0 replicas or with Recreate,
		// a template of which nothing is known would start on the next scale-up.
		out.hold(r)
		if r.sameVersion() {
			out.warn("%s is held: this restarts the template that waits, as rollout %s, and not the version that runs", r.New.Name, rolloutID(r.Old))
		}
	case isHeld(r.Old):
		out.stayHeld(r)
	case changed && r.Old.Spec.Paused && !r.unpauses():
		out.Decision = UserPaused
		out.warn("%s is paused, and not by Headgate: the new template is not rolled out until spec.paused is removed, and is held then", r.New.Name)
	case r.isRollingRestart():
		out.Decision = Restarted
	case changed || r.unpauses():
		// A template may have changed while it was paused, so an un-paused one
		// counts as new. The manager lets go at once if it is not.
		out.holdUnlessPointless(r)
	}
}

// optOut lets go of everything in one request: the way out that works without
// a manager.
func (out *Outcome) optOut(r Request) {
	held := isHeld(r.Old)
	removeMarkers(out.Deployment)
	if !held && !r.templateChanged() {
		return
	}
	out.Decision = Bypassed
	if held {
		out.Decision = Released
		out.Deployment.Spec.Paused = false
	}
	out.Bypass = reason.OptedOut
	// kubectl rollout undo replaces all annotations by those of the revision it
	// goes back to: who undoes too far opts out without knowing it.
	out.warn("%s no longer has %s: its template goes out without a canary", r.New.Name, spec.AnnotationStrategy)
}

func (r Request) optedInBefore() bool {
	return r.Old != nil && spec.OptedIn(r.Old.Annotations)
}

func (r Request) templateChanged() bool {
	return !apiequality.Semantic.DeepEqual(r.Old.Spec.Template, r.New.Spec.Template)
}

// sameVersion reports whether the templates differ at most by when they were
// restarted. A PUT that drops the mark of a restart is another restart.
func (r Request) sameVersion() bool {
	return apiequality.Semantic.DeepEqual(spec.Unrestarted(r.Old.Spec.Template), spec.Unrestarted(r.New.Spec.Template))
}

// isRollingRestart reports whether the version that runs is to start anew, and
// the user wants no canary of that. One whose pause ends may never have run; where
// the annotations do not parse nobody knows the wish, and a hold can be undone.
func (r Request) isRollingRestart() bool {
	wanted, err := spec.ParseSpec(r.New.Annotations)
	return err == nil && wanted.Restart == spec.RestartRolling &&
		r.templateChanged() && !r.unpauses() && r.sameVersion()
}
