package webhook_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/webhook"
)

// randomEdits is everything that a writer may do.
var randomEdits = map[string]edit{
	"image v1":       image("v1"),
	"image v2":       image("v2"),
	"image v3":       image("v3"),
	"restart":        restart,
	"restart again":  restartLater,
	"restart canary": annotated("restart", "canary"),
	"same template":  emptyNotNil,
	"pod annotation": podAnnotation,
	"paused":         paused(true),
	"un-paused":      paused(false),
	"replicas 0":     replicas(0),
	"replicas 9":     replicas(9),
	"replicas unset": noReplicas,
	"recreate":       recreate,
	"opted out":      optedOut,
	"opted in":       annotated("strategy", "canary"),
	"held":           held,
	"marker 5":       annotated("rollout", "5"),
	"fresh marker":   annotated("rollout", "7"),
	"no marker":      without("rollout"),
	"phase":          annotated("phase", "RolledBack"),
	"no phase":       without("phase"),
	"command":        annotated("command", "promote-full"),
	"bad command":    annotated("command", "ship"),
	"bad steps":      annotated("steps", "x"),
	"good steps":     annotated("steps", "1%"),
	"bad gates":      annotated("gates", "start https://evil.example.org"),
	"unknown key":    annotated("step", "1%"),
	"label":          func(d *appsv1.Deployment) { d.Labels["tier"] = "front" },
}

func drawEdits(t *rapid.T, name string) []edit {
	var list []edit
	for _, key := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(randomEdits))), 0, 6).Draw(t, name) {
		list = append(list, randomEdits[key])
	}
	return list
}

// drawRequest draws a write: a create, an edit of the stored object, or a PUT of
// another manifest.
func drawRequest(t *rapid.T) webhook.Request {
	before := drawEdits(t, "old")
	r := webhook.Request{
		Old:           web(before...),
		ByManager:     rapid.Bool().Draw(t, "by manager"),
		CheckAnalysis: checkAnalysis,
		CheckGates:    checkGates,
	}
	switch rapid.SampledFrom([]string{"create", "patch", "put"}).Draw(t, "verb") {
	case "create":
		r.Old, r.New = nil, web(before...)
	case "patch":
		r.New = web(append(before, drawEdits(t, "new")...)...)
	default:
		r.New = web(drawEdits(t, "new")...)
	}
	return r
}

func optedIn(d *appsv1.Deployment) bool { return d != nil && spec.OptedIn(d.Annotations) }

func TestTheUsersFieldsAreNeverChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		out := mutate(r)
		if out.Decision == webhook.Denied {
			return
		}
		got, want := out.Deployment.DeepCopy(), r.New.DeepCopy()
		for _, d := range []*appsv1.Deployment{got, want} {
			d.Spec.Paused = false
			for _, key := range []string{"rollout", "phase", "command"} {
				without(key)(d)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestASecondCallChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		out := mutate(r)
		if out.Decision == webhook.Denied {
			return
		}
		r.New = out.Deployment
		again := mutate(r)
		if diff := cmp.Diff(out.Deployment, again.Deployment); diff != "" {
			t.Fatal(out.Decision, again.Decision, again.Denial, diff)
		}
		if out.Bypass != again.Bypass {
			t.Fatalf("bypass %q, then %q", out.Bypass, again.Bypass)
		}
	})
}

func TestWithoutOptInNothingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		if r.Old != nil {
			optedOut(r.Old)
		}
		optedOut(r.New)
		want := webhook.Outcome{Decision: webhook.Allowed, Deployment: r.New}
		if diff := cmp.Diff(want, mutate(r)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAHoldEndsOnlyByTheManagerOrByOptingOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		r.ByManager = false
		r.Old = web(held)
		if !optedIn(r.New) {
			return
		}
		out := mutate(r)
		if out.Decision == webhook.Denied {
			return
		}
		want := result{Paused: true, Rollout: "5", Phase: "Progressing"}
		if !apiequality.Semantic.DeepEqual(r.Old.Spec.Template, r.New.Spec.Template) {
			want.Rollout, want.Phase = "7", "Pending"
		}
		got := resultOf(out)
		if diff := cmp.Diff(want, result{Paused: got.Paused, Rollout: got.Rollout, Phase: got.Phase}); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Invariant: nothing bypasses a canary silently.
func TestANewTemplateIsHeldOrTheWriterIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		r.ByManager = false
		if !optedIn(r.Old) || r.Old.Spec.Template.Spec.Containers[0].Image == r.New.Spec.Template.Spec.Containers[0].Image {
			return
		}
		out := mutate(r)
		switch out.Decision {
		case webhook.Denied:
		case webhook.Held, webhook.UserPaused:
			if !out.Deployment.Spec.Paused || out.Bypass != "" {
				t.Fatalf("%s, but paused: %t, bypass: %q", out.Decision, out.Deployment.Spec.Paused, out.Bypass)
			}
		case webhook.Bypassed, webhook.Released:
			if out.Bypass == "" || len(out.Warnings) == 0 {
				t.Fatalf("%s without a warning", out.Decision)
			}
		default:
			t.Fatalf("a new template is %s", out.Decision)
		}
	})
}

// Only a restart of the running version passes without a warning.
func TestOnlyTheRunningVersionPassesAsARestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		if mutate(r).Decision != webhook.Restarted {
			return
		}
		if r.Old.Spec.Paused {
			t.Fatal("the old template may never have run")
		}
		old, dep := r.Old.DeepCopy(), r.New.DeepCopy()
		delete(old.Spec.Template.Annotations, "kubectl.kubernetes.io/restartedAt")
		delete(dep.Spec.Template.Annotations, "kubectl.kubernetes.io/restartedAt")
		if diff := cmp.Diff(old.Spec.Template, dep.Spec.Template, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal("another version:", diff)
		}
	})
}
