package webhook_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/webhook"
)

// edit is one change that a writer makes to a manifest.
type edit func(*appsv1.Deployment)

// web is an opted-in Deployment at generation 6 that runs v1, edited.
func web(edits ...edit) *appsv1.Deployment {
	replicas := int32(3)
	dep := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", Generation: 6,
			Labels:      map[string]string{"app": "web"},
			Annotations: map[string]string{"headgate.dev/strategy": "canary", "example.org/team": "shop"},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:v1"}}},
			},
		},
	}
	for _, e := range edits {
		e(dep)
	}
	return dep
}

func image(tag string) edit {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "web:" + tag }
}
func replicas(n int32) edit { return func(d *appsv1.Deployment) { d.Spec.Replicas = &n } }
func paused(p bool) edit    { return func(d *appsv1.Deployment) { d.Spec.Paused = p } }
func recreate(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
}
func annotated(key, value string) edit {
	return func(d *appsv1.Deployment) { d.Annotations["headgate.dev/"+key] = value }
}
func without(key string) edit {
	return func(d *appsv1.Deployment) { delete(d.Annotations, "headgate.dev/"+key) }
}
func optedOut(d *appsv1.Deployment)      { without("strategy")(d) }
func noAnnotations(d *appsv1.Deployment) { d.Annotations = nil }

// held makes v2 wait as rollout 5.
func held(d *appsv1.Deployment) {
	for _, e := range []edit{image("v2"), paused(true), annotated("rollout", "5"), annotated("phase", "Progressing")} {
		e(d)
	}
}

// result is what Mutate may change, and what it says.
type result struct {
	Decision       webhook.Decision
	Paused         bool
	Rollout, Phase string
	Command        string
	Bypass         reason.Reason
	Warnings       []string
	Denial         string
}

func resultOf(out webhook.Outcome) result {
	r := result{Decision: out.Decision, Bypass: out.Bypass, Warnings: out.Warnings, Denial: out.Denial}
	if dep := out.Deployment; dep != nil {
		r.Paused = dep.Spec.Paused
		r.Rollout = dep.Annotations["headgate.dev/rollout"]
		r.Phase = dep.Annotations["headgate.dev/phase"]
		r.Command = dep.Annotations["headgate.dev/command"]
	}
	return r
}

// mutate is webhook.Mutate for a write whose templates have no field that this program
// does not know.
func mutate(r webhook.Request) webhook.Outcome {
	return webhook.Mutate(withTemplates(r))
}

func withTemplates(r webhook.Request) webhook.Request {
	if r.Old != nil {
		r.OldTemplate, r.NewTemplate = templateOf(r.Old), templateOf(r.New)
	}
	return r
}

func templateOf(dep *appsv1.Deployment) json.RawMessage {
	text, err := json.Marshal(dep.Spec.Template)
	if err != nil {
		panic(err)
	}
	return text
}

type mutation struct {
	old, new  *appsv1.Deployment
	byManager bool
	want      result
}

func run(t *testing.T, cases map[string]mutation) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := c.new.DeepCopy()
			r := webhook.Request{Old: c.old, New: c.new, ByManager: c.byManager, CheckAnalysis: checkAnalysis, CheckGates: checkGates}
			out := mutate(r)
			if diff := cmp.Diff(c.want, resultOf(out), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, c.new); diff != "" {
				t.Error("the request was modified:", diff)
			}
			if r.New = out.Deployment; r.New == nil {
				return
			}
			if diff := cmp.Diff(out.Deployment, mutate(r).Deployment); diff != "" {
				t.Error("a second call changes it again:", diff)
			}
		})
	}
}

func checkAnalysis(text string) error {
	if strings.Contains(text, "bogus") {
		return errors.New(`"bogus" is no metric, e.g. success-rate >= 99%`)
	}
	return nil
}

func checkGates(gates []spec.Gate) error {
	for _, g := range gates {
		if strings.Contains(g.URL, "evil") {
			return errors.New(`"` + g.URL + `" is not allowed`)
		}
	}
	return nil
}

const (
	warnStillHeld = "rollout 5 is still held; to promote it now: kubectl annotate deploy/web headgate.dev/command=promote-full; " +
		"to abort it: kubectl annotate deploy/web headgate.dev/command=abort"
	warnUnpaused     = "web was un-paused and is now held as rollout 7, because its template may never have run"
	warnScaledToZero = "this template goes out without a canary: " +
		"with 0 replicas before or after this change, no stable version shares the traffic"
	warnRecreate = "this template goes out without a canary: " +
		"strategy Recreate stops the old version first; to get a canary, set spec.strategy.type: RollingUpdate"
	warnOptedOut   = "web no longer has headgate.dev/strategy: its template goes out without a canary"
	warnUserPaused = "web is paused, and not by Headgate: the new template waits until spec.paused is removed, then Headgate holds it"
)

func TestANewTemplateIsHeld(t *testing.T) {
	fresh := result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending"}
	dropped := func(command string) result {
		r := fresh
		r.Warnings = []string{"headgate.dev/command: " + command + " is removed: " +
			"it was given before this template; give it again if it is meant for this template"}
		return r
	}
	run(t, map[string]mutation{
		"a new image":                         {old: web(), new: web(image("v2")), want: fresh},
		"a new image while another is held":   {old: web(held), new: web(held, image("v3")), want: fresh},
		"the old image while another is held": {old: web(held), new: web(held, image("v1")), want: fresh},
		"a verdict on the last template": {
			old: web(held, annotated("phase", "RolledBack")), new: web(held, annotated("phase", "RolledBack"), image("v3")),
			want: fresh,
		},
		"a new image during promotion": {
			old: web(annotated("phase", "Promoting")), new: web(image("v2"), annotated("phase", "Promoting")),
			want: fresh,
		},
		"opting in together with a new image": {old: web(optedOut), new: web(image("v2")), want: fresh},
		"a new image that claims to be held": {
			old: web(), new: web(image("v2"), annotated("rollout", "1"), annotated("phase", "Promoting")),
			want: fresh,
		},
		"a new image and a pause of the writer": {old: web(), new: web(image("v2"), paused(true)), want: fresh},
		"a held one, replaced at 0 replicas":    {old: web(held), new: web(image("v3"), replicas(0)), want: fresh},
		"a held one, replaced with Recreate":    {old: web(held), new: web(image("v3"), recreate), want: fresh},
		"a PUT of the next version":             {old: web(held), new: web(image("v3")), want: fresh},
		"an old command, back with an undo": {
			old: web(), new: web(image("v0"), annotated("command", "promote-full")),
			want: dropped("promote-full"),
		},
		"a command about the template before": {
			old: web(held, annotated("command", "promote:5")), new: web(held, image("v3"), annotated("command", "promote:5")),
			want: dropped("promote:5"),
		},
		"steps broken before": {
			old: web(annotated("steps", "x")), new: web(annotated("steps", "x"), image("v2")),
			want: staleSteps(fresh),
		},
	})
}

// restart is what kubectl rollout restart does, restartLater what it does a day later.
var (
	restart      = restartedAt("2026-11-22T10:00:00Z")
	restartLater = restartedAt("2026-11-23T10:00:00Z")
)

func restartedAt(time string) edit { return podAnnotated("kubectl.kubernetes.io/restartedAt", time) }

func podAnnotated(key, value string) edit {
	return func(d *appsv1.Deployment) {
		metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, key, value)
	}
}

func podAnnotation(d *appsv1.Deployment) { podAnnotated("example.org/checksum", "1")(d) }

func TestARestartOfTheRunningVersionPasses(t *testing.T) {
	passed := result{Decision: webhook.Restarted}
	heldAs7 := result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending"}
	retried := heldAs7
	retried.Warnings = []string{"web is held: this restarts the waiting template, as rollout 7, and not the running version"}
	canary := annotated("restart", "canary")
	run(t, map[string]mutation{
		"the first":                  {old: web(), new: web(restart), want: passed},
		"the next":                   {old: web(restart), new: web(restartLater), want: passed},
		"one whose mark a PUT drops": {old: web(restart), new: web(), want: passed},
		"asked for by name":          {old: web(), new: web(restart, annotated("restart", "rolling")), want: passed},
		"with Recreate":              {old: web(recreate), new: web(recreate, restart), want: passed},
		"at 0 replicas":              {old: web(replicas(0)), new: web(replicas(0), restart), want: passed},
		"during promotion": {
			old: web(annotated("phase", "Promoting")), new: web(annotated("phase", "Promoting"), restart),
			want: result{Decision: webhook.Restarted, Phase: "Promoting"},
		},
		"with a marker invented":           {old: web(), new: web(restart, annotated("rollout", "7")), want: passed},
		"together with a new image":        {old: web(), new: web(restart, image("v2")), want: heldAs7},
		"another pod annotation":           {old: web(), new: web(podAnnotation), want: heldAs7},
		"where the user wants a canary":    {old: web(canary), new: web(canary, restart), want: heldAs7},
		"after restart: canary is removed": {old: web(canary), new: web(restart), want: passed},
		"where the annotations do not parse": {
			old: web(annotated("steps", "x")), new: web(annotated("steps", "x"), restart),
			want: staleSteps(heldAs7),
		},
		"while a person pauses": {
			old: web(paused(true)), new: web(paused(true), restart),
			want: result{Decision: webhook.UserPaused, Paused: true, Warnings: []string{warnUserPaused}},
		},
		"at the end of a person's pause": {old: web(paused(true)), new: web(restart), want: heldAs7},
		"while a template is held":       {old: web(held), new: web(held, restart), want: retried},
		"while one is held as a canary":  {old: web(held, canary), new: web(held, canary, restart), want: retried},
		"of a template that failed": {
			old: web(held, annotated("phase", "RolledBack")), new: web(held, annotated("phase", "RolledBack"), restart),
			want: retried,
		},
		"with a restart that does not parse": {
			old: web(), new: web(restart, annotated("restart", "yes")),
			want: result{Decision: webhook.Denied, Denial: badRestart},
		},
	})
}

// What a denial says, and a warning about what was wrong before.
// What an error says of a wrong step.
var (
	anyStep  = spec.StepSyntax()
	badSteps = `annotation headgate.dev/steps: "x": ` + anyStep + exampleSteps
)

const (
	badRestart = `annotation headgate.dev/restart: "yes": a restart is rolling or canary, e.g. headgate.dev/restart: canary`

	exampleSteps = `, e.g. headgate.dev/steps: 10%, 5m, 50%, 5m, 100%`
	exampleGates = `, e.g. headgate.dev/gates: start https://gate.example.com/web, promotion https://gate.example.com/web`
)

func staleSteps(r result) result {
	r.Warnings = append(r.Warnings, badSteps)
	return r
}

func TestAHeldTemplateStaysHeld(t *testing.T) {
	quiet := result{Decision: webhook.StillHeld, Paused: true, Rollout: "5", Phase: "Progressing"}
	warned := quiet
	warned.Warnings = []string{warnStillHeld}
	commanded := quiet
	commanded.Command = "abort"
	run(t, map[string]mutation{
		"kubectl rollout resume":                 {old: web(held), new: web(held, paused(false)), want: warned},
		"a server-side apply of paused: false":   {old: web(held), new: web(held, paused(false)), want: warned},
		"a PUT without the markers":              {old: web(held), new: web(image("v2")), want: warned},
		"an Argo CD Replace that keeps the mark": {old: web(held), new: web(held, paused(false), without("phase")), want: warned},
		"another rollout in the marker":          {old: web(held), new: web(held, annotated("rollout", "6")), want: warned},
		"another phase":                          {old: web(held), new: web(held, annotated("phase", "Promoting")), want: warned},
		"stale annotations of an undo": {
			old: web(held), new: web(held, annotated("rollout", "2"), annotated("phase", "Paused")),
			want: warned,
		},
		"a command":                      {old: web(held), new: web(held, annotated("command", "abort")), want: commanded},
		"other steps":                    {old: web(held), new: web(held, annotated("steps", "1%")), want: quiet},
		"0 replicas":                     {old: web(held), new: web(held, replicas(0)), want: quiet},
		"Recreate":                       {old: web(held), new: web(held, recreate), want: quiet},
		"a template that means the same": {old: web(held), new: web(held, emptyNotNil), want: quiet},
	})
}

// emptyNotNil changes nothing: another encoder may write empty lists instead of none.
func emptyNotNil(d *appsv1.Deployment) {
	d.Spec.Template.Annotations = map[string]string{}
	d.Spec.Template.Spec.Volumes = []corev1.Volume{}
}

func TestWritesOfTheManagerAreStoredAsTheyAre(t *testing.T) {
	run(t, map[string]mutation{
		"it releases": {
			old: web(held), new: web(image("v2"), annotated("phase", "Promoting")), byManager: true,
			want: result{Decision: webhook.Allowed, Phase: "Promoting"},
		},
		"it sets the phase": {
			old: web(held), new: web(held, annotated("phase", "Paused")), byManager: true,
			want: result{Decision: webhook.Allowed, Paused: true, Rollout: "5", Phase: "Paused"},
		},
		"it takes a command": {
			old: web(held, annotated("command", "abort")), new: web(held), byManager: true,
			want: result{Decision: webhook.Allowed, Paused: true, Rollout: "5", Phase: "Progressing"},
		},
		"it is not denied for steps of others": {
			old: web(held), new: web(held, annotated("steps", "x")), byManager: true,
			want: result{Decision: webhook.Allowed, Paused: true, Rollout: "5", Phase: "Progressing"},
		},
	})
}

func TestOptingOutReleases(t *testing.T) {
	released := result{Decision: webhook.Released, Bypass: reason.OptedOut, Warnings: []string{warnOptedOut}}
	run(t, map[string]mutation{
		"the strategy is removed while held":    {old: web(held), new: web(held, optedOut), want: released},
		"all annotations are":                   {old: web(held), new: web(held, noAnnotations), want: released},
		"together with a new image":             {old: web(held), new: web(held, optedOut, image("v3")), want: released},
		"a mistake does not prevent opting out": {old: web(held), new: web(held, optedOut, annotated("steps", "x")), want: released},
		"not held, nothing happens":             {old: web(), new: web(optedOut), want: result{Decision: webhook.Allowed}},
		"during promotion the phase goes, too": {
			old: web(annotated("phase", "Promoting")), new: web(annotated("phase", "Promoting"), optedOut),
			want: result{Decision: webhook.Allowed},
		},
		"a pause of the user stays": {
			old: web(paused(true)), new: web(paused(true), optedOut),
			want: result{Decision: webhook.Allowed, Paused: true},
		},
		"an undo to a revision from before Headgate": {
			old: web(), new: web(optedOut, image("v0")),
			want: result{Decision: webhook.Bypassed, Bypass: reason.OptedOut, Warnings: []string{warnOptedOut}},
		},
		"a Deployment that never opted in is left alone": {
			old: web(optedOut, paused(true), annotated("rollout", "5")), new: web(optedOut, image("v2"), annotated("rollout", "6")),
			want: result{Decision: webhook.Allowed, Rollout: "6"},
		},
	})
}

func TestAPauseOfTheUserStays(t *testing.T) {
	run(t, map[string]mutation{
		"a new image waits without Headgate": {
			old: web(paused(true)), new: web(paused(true), image("v2")),
			want: result{Decision: webhook.UserPaused, Paused: true, Warnings: []string{warnUserPaused}},
		},
		"un-pausing holds": {
			old: web(paused(true)), new: web(),
			want: result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending", Warnings: []string{warnUnpaused}},
		},
		"un-pausing with a new image holds": {
			old: web(paused(true)), new: web(image("v2")),
			want: result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending"},
		},
		"un-pausing and opting in holds": {
			old: web(paused(true), optedOut), new: web(),
			want: result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending", Warnings: []string{warnUnpaused}},
		},
		"un-pausing at 0 replicas does not": {
			old: web(paused(true), replicas(0)), new: web(replicas(0)),
			want: result{Decision: webhook.Bypassed, Bypass: reason.ScaledToZero, Warnings: []string{warnScaledToZero}},
		},
		"pausing is allowed": {
			old: web(), new: web(paused(true)),
			want: result{Decision: webhook.Allowed, Paused: true},
		},
		"a stale marker is no hold": {
			old: web(paused(true), optedOut, annotated("rollout", "5")), new: web(paused(true), annotated("rollout", "5")),
			want: result{Decision: webhook.Allowed, Paused: true},
		},
		"a marker on a template without a canary is removed": {
			old: web(paused(true)), new: web(paused(true), recreate, annotated("rollout", "7")),
			want: result{Decision: webhook.Allowed, Paused: true},
		},
		"an invented marker does not end the pause": {
			old: web(paused(true)), new: web(paused(true), image("v2"), annotated("rollout", "6")),
			want: result{Decision: webhook.UserPaused, Paused: true, Warnings: []string{warnUserPaused}},
		},
	})
}

func TestMarkersOfOtherWritersAreIgnored(t *testing.T) {
	promoting := result{Decision: webhook.Allowed, Phase: "Promoting"}
	run(t, map[string]mutation{
		"a marker invented": {
			old: web(), new: web(annotated("rollout", "7"), annotated("phase", "Pending")),
			want: result{Decision: webhook.Allowed},
		},
		"a phase overwritten": {
			old: web(annotated("phase", "Promoting")), new: web(annotated("phase", "RolledBack")),
			want: promoting,
		},
		"a phase dropped by a PUT": {old: web(annotated("phase", "Promoting")), new: web(), want: promoting},
		"a stale marker on opting in": {
			old: web(optedOut, annotated("rollout", "5")), new: web(annotated("rollout", "5")),
			want: result{Decision: webhook.Allowed},
		},
		"a marker without a pause is kept": {
			old: web(held, paused(false)), new: web(held, paused(false), without("rollout")),
			want: result{Decision: webhook.Allowed, Rollout: "5", Phase: "Progressing"},
		},
	})
}

func TestWithNothingToSplitTheTemplatePasses(t *testing.T) {
	zero := result{Decision: webhook.Bypassed, Bypass: reason.ScaledToZero, Warnings: []string{warnScaledToZero}}
	run(t, map[string]mutation{
		"at 0 replicas":      {old: web(replicas(0)), new: web(replicas(0), image("v2")), want: zero},
		"up from 0 replicas": {old: web(replicas(0)), new: web(image("v2")), want: zero},
		"down to 0 replicas": {old: web(), new: web(replicas(0), image("v2")), want: zero},
		"with Recreate": {
			old: web(recreate), new: web(recreate, image("v2")),
			want: result{Decision: webhook.Bypassed, Bypass: reason.RecreateNotSupported, Warnings: []string{warnRecreate}},
		},
		"away from Recreate is held": {
			old: web(recreate), new: web(image("v2")),
			want: result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending"},
		},
		"no replicas written means one": {
			old: web(noReplicas), new: web(noReplicas, image("v2")),
			want: result{Decision: webhook.Held, Paused: true, Rollout: "7", Phase: "Pending"},
		},
		"scaling to 0 alone is allowed": {old: web(), new: web(replicas(0)), want: result{Decision: webhook.Allowed}},
	})
}

func noReplicas(d *appsv1.Deployment) { d.Spec.Replicas = nil }

func TestAFirstDeploymentIsNeverHeld(t *testing.T) {
	copied := "web comes from the manifest of a held Deployment: its hold is removed, and its pods start"
	run(t, map[string]mutation{
		"created":                           {new: web(), want: result{Decision: webhook.Allowed}},
		"created paused, by the user":       {new: web(paused(true)), want: result{Decision: webhook.Allowed, Paused: true}},
		"restored from a backup while held": {new: web(held), want: result{Decision: webhook.Allowed, Warnings: []string{copied}}},
		"copied with a command": {
			new:  web(annotated("command", "abort"), annotated("phase", "Paused")),
			want: result{Decision: webhook.Allowed},
		},
		"not opted in, with markers": {
			new:  web(held, optedOut),
			want: result{Decision: webhook.Allowed, Paused: true, Rollout: "5", Phase: "Progressing"},
		},
		"created with steps that do not parse": {new: web(annotated("steps", "x")), want: result{Decision: webhook.Denied, Denial: badSteps}},
	})
}

func TestOnlyIntroducedMistakesAreDenied(t *testing.T) {
	const (
		badCommand = `annotation headgate.dev/command: "ship": ` +
			`a command is one of promote, promote-full, pause, resume, abort, retry, e.g. headgate.dev/command: promote`
		badAnalysis = `annotation headgate.dev/analysis: "bogus" is no metric, e.g. success-rate >= 99%`
		noAnalysis  = `annotation headgate.dev/analysis: "": ` +
			`headgate.dev/steps has an analysis step, so this annotation must say what to measure, ` +
			`e.g. headgate.dev/analysis: success-rate >= 99%, p99 <= 500ms`
	)
	denied := func(text ...string) result {
		return result{Decision: webhook.Denied, Denial: strings.Join(text, "\n")}
	}
	judged := []edit{annotated("steps", "1%, analysis"), annotated("analysis", "error-rate < 1%")}
	run(t, map[string]mutation{
		"steps":                  {old: web(), new: web(annotated("steps", "x")), want: denied(badSteps)},
		"steps, even while held": {old: web(held), new: web(held, annotated("steps", "x")), want: denied(badSteps)},
		"steps broken before, and broken again": {
			old: web(annotated("steps", "x, 1%")), new: web(annotated("steps", "x, 2%")),
			want: denied(badSteps),
		},
		"steps broken before": {
			old: web(annotated("steps", "x")), new: web(annotated("steps", "x"), replicas(9)),
			want: staleSteps(result{Decision: webhook.Allowed}),
		},
		"steps put right": {
			old: web(annotated("steps", "x")), new: web(annotated("steps", "1%")),
			want: result{Decision: webhook.Allowed},
		},
		"opting in with steps broken before": {
			old: web(optedOut, annotated("steps", "x")), new: web(annotated("steps", "x")),
			want: denied(badSteps),
		},
		"a command":   {old: web(held), new: web(held, annotated("command", "ship")), want: denied(badCommand)},
		"an analysis": {old: web(), new: web(annotated("analysis", "bogus")), want: denied(badAnalysis)},
		"two at once": {
			old: web(), new: web(annotated("steps", "x"), annotated("analysis", "bogus")),
			want: denied(badSteps, badAnalysis),
		},
		"the analysis that an analysis step needs": {old: web(judged...), new: web(judged[0]), want: denied(noAnalysis)},
		"an analysis step without an analysis":     {old: web(), new: web(judged[0]), want: denied(noAnalysis)},
		"a new mistake beside an old one": {
			old: web(annotated("steps", "x")), new: web(annotated("steps", "x"), annotated("analysis", "bogus")),
			want: denied(badAnalysis),
		},
	})
}

func TestGatesThatTheOperatorDoesNotAllow(t *testing.T) {
	const (
		evil    = "start https://evil.example.org"
		good    = "start https://gate.example.com"
		denial  = `annotation headgate.dev/gates: "https://evil.example.org" is not allowed`
		invalid = `annotation headgate.dev/gates: "begin": a gate stands before start, rise or promotion` + exampleGates
	)
	denied := func(text string) result { return result{Decision: webhook.Denied, Denial: text} }
	run(t, map[string]mutation{
		"written":      {old: web(), new: web(annotated("gates", evil)), want: denied(denial)},
		"created with": {new: web(annotated("gates", evil)), want: denied(denial)},
		"behind one that is": {
			old: web(), new: web(annotated("gates", good+", promotion https://evil.example.org")),
			want: denied(denial),
		},
		"put in the place of one": {old: web(annotated("gates", good)), new: web(annotated("gates", evil)), want: denied(denial)},
		"allowed when it was written": {
			old: web(annotated("gates", evil)), new: web(annotated("gates", evil), replicas(9)),
			want: result{Decision: webhook.Allowed, Warnings: []string{denial}},
		},
		"put right": {
			old: web(annotated("gates", evil)), new: web(annotated("gates", good)),
			want: result{Decision: webhook.Allowed},
		},
		"a gate that does not parse is said once": {
			old: web(), new: web(annotated("gates", "begin https://evil.example.org")),
			want: denied(invalid),
		},
		"without the opt-in": {
			old: web(optedOut), new: web(optedOut, annotated("gates", evil)),
			want: result{Decision: webhook.Allowed},
		},
	})
}

// A mistake in any annotation is denied with an example of what is right.
func TestAnnotationsThatDoNotParseAreDenied(t *testing.T) {
	const (
		aGate    = "a gate is a point (start, rise or promotion) and a URL" + exampleGates
		host     = ": is not a host name in lower case, e.g. headgate.dev/preview-host: preview.web.example.com"
		duration = ": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most 365d"
		scale    = ": a scale is a number of pods (3), a percentage of the stable pods (50%), or traffic for as many pods as the weight needs"
		header   = ": a header is a name (X-Canary), a name and a value (X-Canary:beta), or a name and a regular expression (X-Region~eu-.*)"
		window   = ": a rollback window is a number of revisions, 1..100, e.g. headgate.dev/rollback-window: 3"
	)
	tests := []struct{ key, value, want string }{
		{"rollout-deadline", "soon", `"soon"` + duration + `, e.g. headgate.dev/rollout-deadline: 24h`},
		{"rollout-deadline", "0s", `"0s"` + duration + `, e.g. headgate.dev/rollout-deadline: 24h`},
		{"preview-host", "preview", `"preview"` + host},
		{"preview-host", "https://preview.example.com", `"https://preview.example.com"` + host},
		{"rollback-window", "0", `"0"` + window},
		{"rollback-window", "all", `"all"` + window},
		{"gates", "", `"": ` + aGate},
		{"gates", "https://gate.example.com", `"https://gate.example.com": ` + aGate},
		{"gates", "start ftp://gate.example.com", `"ftp://gate.example.com": ` +
			`a gate has an http or https URL, without user and fragment` + exampleGates},
		{"gates", "[{before: start, url: 'https://gate.example.com', timeout: 5m}]", `"5m": ` +
			`a gate gets at most 30s to answer` + exampleGates},
		{"gates", "[{before: start, url: 'https://gate.example.com', retries: 11}]", `"11": retries are 0..10` + exampleGates},
		{"steps", "scale=0, 10%", `"0"` + scale + exampleSteps},
		{"steps", "scale=, 10%", `""` + scale + exampleSteps},
		{"steps", "header=X Canary, 10%", `"X Canary"` + header + exampleSteps},
		{"steps", "header=X-Canary:ü, 10%", `"ü": the value of a header has letters, digits and /-._~: only` + exampleSteps},
		{"steps", "header=X-Region~(, 10%", `"(": is not a regular expression that every router takes: ` +
			`it may have letters, digits and /-._~:^$[](){}*+?|&=\ only` + exampleSteps},
		{"steps", "cookie=a b, 10%", `"a b": is not the name of a cookie: ` +
			`name one whose value is always for the canary and never for stable` + exampleSteps},
		{"steps", "job=Smoke, 10%", `"Smoke": is not the name of a CronJob: ` +
			`name a suspended CronJob, whose template the Job gets` + exampleSteps},
		{"steps", "job=smoke", `"job=smoke": has no weight, so the new version would never see traffic` + exampleSteps},
		{"steps", "mirror=10%, 10%", `"mirror=10%": ` + anyStep + exampleSteps},
	}
	for _, tt := range tests {
		run(t, map[string]mutation{tt.key + ": " + tt.value: {
			old: web(), new: web(annotated(tt.key, tt.value)),
			want: result{Decision: webhook.Denied, Denial: "annotation headgate.dev/" + tt.key + ": " + tt.want},
		}})
	}
}
