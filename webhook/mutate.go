package webhook

import (
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Decision is what becomes of a write, in one word. It is a label value of
// headgate_webhook_decisions_total and the message of the log line. The package
// comment has a table of when each is made.
type Decision string

// The decisions.
const (
	Allowed    Decision = "Allowed"    // no template to hold
	Held       Decision = "Held"       // the template is new, or may be: it waits as a new rollout
	StillHeld  Decision = "StillHeld"  // the template already waits, and goes on waiting
	UserPaused Decision = "UserPaused" // the user's own pause stops the template; Headgate waits for its end
	Restarted  Decision = "Restarted"  // the template restarts the version that runs: no canary
	Released   Decision = "Released"   // held before, and opted out now: the native rolling update begins
	Bypassed   Decision = "Bypassed"   // the template rolls out without a canary; Outcome.Bypass says why
	Denied     Decision = "Denied"     // this request introduces a mistake in an annotation
)

// Request is one write to a Deployment.
type Request struct {
	Old *appsv1.Deployment // nil when New is created
	New *appsv1.Deployment // never modified

	// OldTemplate and NewTemplate are spec.template of Old and New, the JSON that the
	// API server sent. They alone decide what is a new template: Old and New lack
	// every field that is newer than the API types of this program. Both are ignored
	// when New is created.
	OldTemplate, NewTemplate json.RawMessage

	// ByManager says that Headgate's manager is the writer. Only the manager
	// releases a hold and sets the phase, so its writes are stored as they are.
	ByManager bool

	// CheckAnalysis returns what is wrong with the text of
	// headgate.dev/analysis, with an example. It must be pure. nil accepts every
	// text.
	CheckAnalysis func(text string) error

	// CheckGates returns an error that names the first gate of headgate.dev/gates
	// that the operator does not allow. It must be pure. nil accepts every gate.
	CheckGates func([]spec.Gate) error

	change templateChange // set by Mutate: the comparison is made once
}

// Outcome is what becomes of a Request.
type Outcome struct {
	Decision Decision

	// Deployment is what the API server stores: a copy of Request.New that differs
	// at most in spec.paused and in annotations of headgate.dev. nil when Denied.
	Deployment *appsv1.Deployment

	// Denial tells the writer what to correct. "" unless Denied.
	Denial string

	// Warnings are shown to the writer. Each is a sentence.
	Warnings []string

	// Bypass is why a template rolls out without a canary, or without the rest of
	// one: ScaledToZero, RecreateNotSupported or OptedOut. "" if none does.
	Bypass reason.Reason
}

// Mutate decides about r. The API server may call twice for one write
// (reinvocationPolicy IfNeeded), the second time with the result of the first as
// New. Mutate then changes nothing more.
func Mutate(r Request) Outcome {
	out := Outcome{Decision: Allowed, Deployment: r.New.DeepCopy()}
	if r.ByManager || !r.optedInBefore() && !spec.OptedIn(r.New.Annotations) {
		return out
	}
	r.change = changeOf(r.OldTemplate, r.NewTemplate)
	if !spec.OptedIn(r.New.Annotations) {
		out.optOut(r)
		return out
	}
	wanted, found := r.parse(r.New.Annotations)
	introduced, inherited := r.sortMistakes(found)
	if len(introduced) > 0 {
		return Outcome{Decision: Denied, Denial: strings.Join(introduced, "\n")}
	}
	out.Warnings = inherited
	if r.Old == nil {
		out.allowCreate()
		return out
	}
	out.decideUpdate(r, wanted)
	return out
}

// allowCreate never holds a first deployment: there is no stable version to
// share the traffic with. A manifest that was read from a cluster (a backup,
// kubectl get -o yaml) may bring markers of another object's rollout. They are
// removed, and so is a pause that came with them: no pod would ever start.
func (out *Outcome) allowCreate() {
	if isHeld(out.Deployment) {
		out.Deployment.Spec.Paused = false
		out.warn("%s comes from the manifest of a held Deployment: its hold is removed, and its pods start", out.Deployment.Name)
	}
	removeMarkers(out.Deployment)
	delete(out.Deployment.Annotations, spec.AnnotationCommand)
}

// decideUpdate decides about a Deployment that is opted in after the write.
// wanted is what r.New says.
func (out *Outcome) decideUpdate(r Request, wanted spec.Spec) {
	restoreMarkers(r.Old, out.Deployment)
	changed := r.change != sameTemplate
	switch {
	case isHeld(r.Old) && changed:
		// Even at 0 replicas or with Recreate: a released template that was never
		// judged would start on the next scale-up.
		out.startRollout(r)
		if r.change == restartedTemplate {
			out.warn("%s is held: this restarts the waiting template, as rollout %s, and not the running version",
				r.New.Name, rolloutID(r.Old))
		}
	case isHeld(r.Old):
		out.keepHeld(r)
	case changed && r.Old.Spec.Paused && !r.endsUserPause():
		out.Decision = UserPaused
		out.warn("%s is paused, and not by Headgate: the new template waits until spec.paused is removed, then Headgate holds it",
			r.New.Name)
	case changed && r.isRollingRestart(wanted):
		out.Decision = Restarted
	case changed || r.endsUserPause():
		// The template may have changed during the user's pause, so it counts as new.
		// The manager releases it at once if it is not.
		out.holdOrBypass(r)
	}
}

// optOut removes every mark of Headgate, and its hold, in one request. This way
// out works without a manager.
func (out *Outcome) optOut(r Request) {
	wasHeld := isHeld(r.Old)
	removeMarkers(out.Deployment)
	if !wasHeld && r.change == sameTemplate {
		return
	}
	out.Decision = Bypassed
	if wasHeld {
		out.Decision = Released
		out.Deployment.Spec.Paused = false
	}
	out.Bypass = reason.OptedOut
	// kubectl rollout undo replaces all annotations by those of the older revision.
	// A revision from before the opt-in opts out, and the person may not know it.
	out.warn("%s no longer has %s: its template goes out without a canary", r.New.Name, spec.AnnotationStrategy)
}

func (r Request) optedInBefore() bool {
	return r.Old != nil && spec.OptedIn(r.Old.Annotations)
}

// isRollingRestart reports whether a changed template restarts the version that
// runs, and the user wants no canary for that. At the end of the user's pause the
// template may never have run. A zero wanted means that the annotations do not
// parse: the wish is unknown then, and the template is held, which can be undone.
func (r Request) isRollingRestart(wanted spec.Spec) bool {
	return wanted.Restart == spec.RestartRolling && !r.endsUserPause() && r.change == restartedTemplate
}
