package admission

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// sending is how a writer sends a change.
type sending string

const (
	patching  sending = ""          // kubectl edit, annotate, set image: the change alone
	applying  sending = "apply"     // a server-side apply of the whole manifest, which knows no markers
	replacing sending = "replace"   // a PUT of the manifest, as Argo CD does with Replace=true
	undoing   sending = "undo"      // kubectl rollout undo: template and annotations of a revision
	creating  sending = "create"    // the Deployment is new
	releasing sending = "releasing" // the change alone, by the manager
	intruding sending = "intruding" // the change alone, by another ServiceAccount of the manager's namespace
)

// verdict is what the API server does with a write while no pod of Headgate runs.
type verdict string

const (
	stores  verdict = "stores"
	refuses verdict = "refuses"
)

// stored is what the API server stores, or why it does not.
type stored struct {
	Paused         bool
	Rollout, Phase string // "next": the id of the rollout that this write starts
	Command        string
	Image          string // the version; "" means v2
	Denied         string // a part of the answer; nothing is stored
	Warned         string // a part of a warning; "" means none
}

// write is one row of the table: a write to a Deployment that opted in, has 3 replicas and
// runs v1, unless was says otherwise.
type write struct {
	was  []edit // as it is stored before; the manager wrote it
	how  sending
	edit []edit
	in   string // a namespace; "" means an ordinary one

	want   stored      // by the webhook, and by the policy
	policy *difference // what differs by the policy
	ignore verdict     // no pod, failurePolicy Ignore, with the guard
	fail   verdict     // no pod, failurePolicy Fail
}

// difference is a documented one: docs/admission.md has the sentence.
type difference struct {
	sentence string
	want     stored
}

type edit func(*appsv1.Deployment)

func image(version string) edit {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = lab.Image(version) }
}

func replicas(n int32) edit { return func(d *appsv1.Deployment) { d.Spec.Replicas = &n } }

func paused(p bool) edit { return func(d *appsv1.Deployment) { d.Spec.Paused = p } }

func recreate(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
}

func rolling(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType}
}

func annotated(key, value string) edit {
	return func(d *appsv1.Deployment) { metav1.SetMetaDataAnnotation(&d.ObjectMeta, "headgate.dev/"+key, value) }
}

func without(key string) edit {
	return func(d *appsv1.Deployment) { delete(d.Annotations, "headgate.dev/"+key) }
}

func labelled(d *appsv1.Deployment) { metav1.SetMetaDataLabel(&d.ObjectMeta, "team", "shop") }

func restart(d *appsv1.Deployment) {
	metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, spec.AnnotationRestartedAt, "2026-11-22T10:00:00Z")
}

var optedOut = without("strategy")

// held makes v2 wait as rollout 5.
func held(d *appsv1.Deployment) {
	for _, e := range []edit{image("v2"), paused(true), annotated("rollout", "5"), annotated("phase", "Progressing")} {
		e(d)
	}
}

func edits(list ...edit) []edit { return list }

// What is stored most often.
var (
	asNew     = stored{Paused: true, Rollout: "next", Phase: "Pending"}
	asBefore  = stored{Paused: true, Rollout: "5", Phase: "Progressing"}
	asWritten = stored{}
)

func (s stored) of(version string) stored   { s.Image = version; return s }
func (s stored) warned(text string) stored  { s.Warned = text; return s }
func (s stored) command(text string) stored { s.Command = text; return s }
func (s stored) pausedByUser() stored       { s.Paused = true; return s }

const (
	warnStillHeld = "rollout 5 is still held; to promote it now: "
	warnZero      = "with 0 replicas before or after this change, no stable version shares the traffic"
	warnRecreate  = "strategy Recreate stops the old version first"
	warnOptedOut  = "NAME no longer has headgate.dev/strategy: its template goes out without a canary"
	warnPaused    = "NAME is paused, and not by Headgate: the new template waits"
	warnUnpaused  = "NAME was un-paused and is now held as rollout "
	warnRestart   = "NAME is held: this restarts the waiting template"
	warnCommand   = "headgate.dev/command: promote-full is removed: it was given before this template"
	warnCopied    = "NAME comes from the manifest of a held Deployment"
	warnSteps     = `annotation headgate.dev/steps: "x": `
)

// The differences between webhook and policy.
var (
	noWarningAboutUnpausing = difference{"a write that would end a hold is corrected without a warning", asBefore}
	noWarningAboutCommand   = difference{"a command that goes away with a new template goes without a warning", asNew}
	noWarningAboutCopy      = difference{"a hold that a new Deployment was copied with ends without a warning", asWritten}
	noWarningAboutMistake   = difference{"a mistake that was there before is not repeated as a warning", asNew}
	badStepsAreStored       = difference{"steps, analysis and gates are not checked at admission", asWritten.of("v1")}
	badCommandIsRemoved     = difference{"a wrong command together with a new template is removed, not denied", asNew}
	restartWithMistake      = difference{"a restart beside a mistake in another annotation is rolled out, not held", asWritten.of("v1")}
)

var cases = map[string]write{
	// A new template is held.
	"a new image":          {edit: edits(image("v2")), want: asNew, ignore: refuses, fail: refuses},
	"a new image, applied": {how: applying, edit: edits(image("v2")), want: asNew, ignore: refuses, fail: refuses},
	"a new image, put":     {how: replacing, edit: edits(image("v2")), want: asNew, ignore: refuses, fail: refuses},
	"a new image, and opts in": {
		was: edits(optedOut), edit: edits(annotated("strategy", "canary"), image("v2")), want: asNew, ignore: refuses, fail: refuses,
	},
	"a new image with invented markers": {
		edit: edits(image("v2"), paused(true), annotated("rollout", "1"), annotated("phase", "Promoting")),
		want: asNew, ignore: refuses, fail: refuses,
	},
	"a new image and a pause":           {edit: edits(image("v2"), paused(true)), want: asNew, ignore: refuses, fail: refuses},
	"a new image while another is held": {was: edits(held), edit: edits(image("v3")), want: asNew.of("v3"), ignore: refuses, fail: refuses},
	"the next image put over a held one": {
		was: edits(held), how: replacing, edit: edits(image("v3")), want: asNew.of("v3"), ignore: refuses, fail: refuses,
	},
	"the old image while another is held": {was: edits(held), edit: edits(image("v1")), want: asNew.of("v1"), ignore: refuses, fail: refuses},
	"an undo of a held template":          {was: edits(held), how: undoing, want: asNew.of("v1"), ignore: refuses, fail: refuses},
	"a held one replaced at 0 replicas": {
		was: edits(held), edit: edits(image("v3"), replicas(0)), want: asNew.of("v3"), ignore: refuses, fail: refuses,
	},
	"a held one replaced with Recreate": {
		was: edits(held), edit: edits(image("v3"), recreate), want: asNew.of("v3"), ignore: refuses, fail: refuses,
	},
	"a new image over one that was rolled back": {
		was: edits(held, annotated("phase", "RolledBack")), edit: edits(image("v3")),
		want: asNew.of("v3"), ignore: refuses, fail: refuses,
	},
	"a new image by another ServiceAccount": {how: intruding, edit: edits(image("v2")), want: asNew, ignore: refuses, fail: refuses},
	"a new image beside an old command": {
		was: edits(annotated("command", "promote-full")), edit: edits(image("v2")),
		want: asNew.warned(warnCommand), policy: &noWarningAboutCommand, ignore: refuses, fail: refuses,
	},
	"a new image beside a mistake from before": {
		was: edits(annotated("steps", "x")), edit: edits(image("v2")),
		want: asNew.warned(warnSteps), policy: &noWarningAboutMistake, ignore: refuses, fail: refuses,
	},
	"away from Recreate": {
		was: edits(recreate), edit: edits(image("v2"), rolling), want: asNew, ignore: refuses, fail: refuses,
	},

	// What is held stays held.
	"resumed": {
		was: edits(held), edit: edits(paused(false)), want: asBefore.warned(warnStillHeld), policy: &noWarningAboutUnpausing,
		ignore: refuses, fail: refuses,
	},
	"paused: false, applied": {
		was: edits(held), how: applying, edit: edits(image("v2"), explicitlyRunning), want: asBefore.warned(warnStillHeld),
		policy: &noWarningAboutUnpausing, ignore: refuses, fail: refuses,
	},
	"the held image, put": {
		was: edits(held), how: replacing, edit: edits(image("v2")), want: asBefore.warned(warnStillHeld), policy: &noWarningAboutUnpausing,
		ignore: refuses, fail: refuses,
	},
	"another id in the marker": {
		was: edits(held), edit: edits(annotated("rollout", "6")),
		want: asBefore.warned(warnStillHeld), policy: &noWarningAboutUnpausing, ignore: refuses, fail: refuses,
	},
	"a command while held": {
		was: edits(held), edit: edits(annotated("command", "abort")), want: asBefore.command("abort"), ignore: stores, fail: refuses,
	},
	"other steps while held": {was: edits(held), edit: edits(annotated("steps", "1%")), want: asBefore, ignore: stores, fail: refuses},
	"scaled while held":      {was: edits(held), edit: edits(replicas(9)), want: asBefore, ignore: stores, fail: stores},
	"scaled to 0 while held": {was: edits(held), edit: edits(replicas(0)), want: asBefore, ignore: stores, fail: stores},
	"labelled while held":    {was: edits(held), edit: edits(labelled), want: asBefore, ignore: stores, fail: stores},
	"released by the manager": {
		was: edits(held), how: releasing, edit: edits(paused(false), without("rollout"), annotated("phase", "Promoting")),
		want: stored{Phase: "Promoting"}, ignore: stores, fail: stores,
	},

	// Restarts.
	"a restart": {edit: edits(restart), want: asWritten.of("v1"), ignore: stores, fail: refuses},
	"a restart that wants a canary": {
		was: edits(annotated("restart", "canary")), edit: edits(restart), want: asNew.of("v1"), ignore: refuses, fail: refuses,
	},
	"a restart and a new image": {edit: edits(restart, image("v2")), want: asNew, ignore: refuses, fail: refuses},
	"a restart while held":      {was: edits(held), edit: edits(restart), want: asNew.warned(warnRestart), ignore: refuses, fail: refuses},
	"a restart beside a mistake": {
		was: edits(annotated("steps", "x")), edit: edits(restart),
		want: asNew.of("v1").warned(warnSteps), policy: &restartWithMistake, ignore: stores, fail: refuses,
	},

	// The user's own pause.
	"a new image while the user pauses": {
		was: edits(paused(true)), edit: edits(image("v2")), want: asWritten.pausedByUser().warned(warnPaused), ignore: stores, fail: refuses,
	},
	"the user's pause ends": {
		was: edits(paused(true)), edit: edits(paused(false)), want: asNew.of("v1").warned(warnUnpaused), ignore: refuses, fail: refuses,
	},
	"the user's pause ends with a new image": {
		was: edits(paused(true)), edit: edits(paused(false), image("v2")), want: asNew, ignore: refuses, fail: refuses,
	},
	"the user's pause ends at 0 replicas": {
		was: edits(paused(true), replicas(0)), edit: edits(paused(false)), want: asWritten.of("v1").warned(warnZero), ignore: stores,
		fail: refuses,
	},
	"the user pauses": {
		edit: edits(paused(true)), want: asWritten.of("v1").pausedByUser(), ignore: stores, fail: refuses,
	},
	"the user pauses, and writes old markers": {
		edit: edits(paused(true), annotated("rollout", "1")), want: asWritten.of("v1").pausedByUser(), ignore: stores, fail: refuses,
	},

	// Nothing to split.
	"a new image at 0 replicas": {
		was: edits(replicas(0)), edit: edits(image("v2")), want: asWritten.warned(warnZero), ignore: stores, fail: refuses,
	},
	"a new image, up from 0": {
		was: edits(replicas(0)), edit: edits(image("v2"), replicas(3)), want: asWritten.warned(warnZero), ignore: stores, fail: refuses,
	},
	"a new image, down to 0": {edit: edits(image("v2"), replicas(0)), want: asWritten.warned(warnZero), ignore: stores, fail: refuses},
	"a new image with Recreate": {
		was: edits(recreate), edit: edits(image("v2")), want: asWritten.warned(warnRecreate), ignore: stores, fail: refuses,
	},
	"scaled":  {edit: edits(replicas(5)), want: asWritten.of("v1"), ignore: stores, fail: stores},
	"a label": {edit: edits(labelled), want: asWritten.of("v1"), ignore: stores, fail: stores},
	"markers written by somebody": {
		edit: edits(annotated("rollout", "9"), annotated("phase", "Paused")), want: asWritten.of("v1"), ignore: stores, fail: refuses,
	},
	"a new image, never opted in": {was: edits(optedOut), edit: edits(image("v2")), want: asWritten, ignore: stores, fail: stores},
	"a new image in kube-system":  {in: "kube-system", edit: edits(image("v2")), want: asWritten, ignore: stores, fail: stores},
	"a new image beside Headgate": {in: lab.HeadgateNamespace, edit: edits(image("v2")), want: asWritten, ignore: stores, fail: stores},
	"opts in": {
		was: edits(optedOut), edit: edits(annotated("strategy", "canary")), want: asWritten.of("v1"), ignore: stores, fail: refuses,
	},
	"an apply that changes nothing": {how: applying, want: asWritten.of("v1"), ignore: stores, fail: stores},

	// Opting out.
	"opts out while held": {
		was: edits(held), edit: edits(optedOut), want: asWritten.warned(warnOptedOut), ignore: stores, fail: refuses,
	},
	"opts out": {
		was: edits(annotated("phase", "Promoting")), edit: edits(optedOut), want: asWritten.of("v1"), ignore: stores, fail: refuses,
	},
	"opts out with a new image": {
		edit: edits(optedOut, image("v2")), want: asWritten.warned(warnOptedOut), ignore: stores, fail: refuses,
	},
	"opts out with a new image while held": {
		was: edits(held), edit: edits(optedOut, image("v3")), want: asWritten.of("v3").warned(warnOptedOut), ignore: stores, fail: refuses,
	},
	"an undo to before the opt-in": {
		was: edits(held), how: undoing, edit: edits(optedOut), want: asWritten.of("v1").warned(warnOptedOut), ignore: stores, fail: refuses,
	},

	// The Deployment is new.
	"created": {how: creating, want: asWritten.of("v1"), ignore: stores, fail: refuses},
	"created from a held one": {
		how: creating, edit: edits(held, annotated("command", "abort")),
		want: asWritten.warned(warnCopied), policy: &noWarningAboutCopy, ignore: stores, fail: refuses,
	},
	"created paused": {how: creating, edit: edits(paused(true)), want: asWritten.of("v1").pausedByUser(), ignore: stores, fail: refuses},

	// Mistakes.
	"a strategy that is none": {
		edit: edits(annotated("strategy", "canry")),
		want: stored{Denied: `annotation headgate.dev/strategy: "canry": a strategy is canary or blue-green, ` +
			`e.g. headgate.dev/strategy: canary`},
		ignore: stores, fail: refuses,
	},
	"an annotation with typo": {
		edit: edits(annotated("step", "10%")),
		want: stored{Denied: `annotation headgate.dev/step: there is no such annotation; ` +
			`there are headgate.dev/analysis, headgate.dev/command,`},
		ignore: stores, fail: refuses,
	},
	"a command that is none": {
		was: edits(held), edit: edits(annotated("command", "ship")),
		want: stored{Denied: `annotation headgate.dev/command: "ship": a command is one of promote, promote-full,`}, ignore: stores,
		fail: refuses,
	},
	"a deadline that is none": {
		how: creating, edit: edits(annotated("progress-deadline", "soon")),
		want: stored{Denied: `annotation headgate.dev/progress-deadline: "soon": a duration is a number and a unit`}, ignore: stores,
		fail: refuses,
	},
	"steps that are none": {
		edit: edits(annotated("steps", "x")), want: stored{Denied: warnSteps}, policy: &badStepsAreStored, ignore: stores, fail: refuses,
	},
	"an analysis that is none": {
		edit: edits(annotated("analysis", "luck >= 99%")), want: stored{Denied: `annotation headgate.dev/analysis: `},
		policy: &badStepsAreStored, ignore: stores, fail: refuses,
	},
	"a gate that is not allowed": {
		edit: edits(annotated("gates", "start https://evil.example.org")),
		want: stored{Denied: `annotation headgate.dev/gates: `}, policy: &badStepsAreStored, ignore: stores, fail: refuses,
	},
	"a wrong command with a new image": {
		edit: edits(image("v2"), annotated("command", "ship")),
		want: stored{Denied: `annotation headgate.dev/command: "ship"`}, policy: &badCommandIsRemoved, ignore: refuses, fail: refuses,
	},
}

// explicitlyRunning is paused: false in a manifest, where it is not left out.
func explicitlyRunning(d *appsv1.Deployment) {
	metav1.SetMetaDataAnnotation(&d.ObjectMeta, explicit, "")
}

// explicit stands for paused: false in a manifest that is applied: the Go type leaves it out.
const explicit = "explicit"
