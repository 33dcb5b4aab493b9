package gitops

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestReplace: a PUT of what is in git ends no hold, although git has neither the pause nor
// the marks of the rollout.
func TestReplace(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, append([]string{"Replace=true"}, options...), func(a *app) { a.Annotations[spec.AnnotationSteps] = "100%, pause" })
		a.watch()
		a.ship("v2", map[string]string{"NEW": "1"})
		a.await(reason.AwaitingPromotion)
		a.synced("the canary runs")
		a.resync()
		a.synced("it was replaced again")
		a.press("promote")
		a.await(reason.Promoted)
		a.gone()
		a.synced("v2 is promoted")
		a.ship("v1", nil)
		a.await(reason.AwaitingPromotion)
		a.press("abort")
		a.await(reason.AbortedByCommand)
		a.resync()
		a.health(a.synced("v1 was aborted")[0], "Degraded", "aborted by command", "Suspended")
	})
}

const escape = "argocd.argoproj.io/ignore-differences"

// TestPausedFalseInGit: git that says `paused: false` differs from a held Deployment. That is
// an endless self-heal with a legacy diff, unless the manifest has the annotation that
// docs/argocd.md names. No sync releases the hold.
func TestPausedFalseInGit(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		for name, escaped := range map[string]bool{"bare": false, "with the annotation": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, options, func(a *app) {
					a.unpaused = true
					if escaped {
						a.Annotations[escape] = "jsonPointers: [/spec/paused]\n"
					}
				})
				a.synced("v1 runs")
				a.ship("v2", nil)
				a.await(reason.AwaitingPromotion)
				// A legacy diff sees it where the annotation last-applied-configuration has it.
				a.differs = map[string]bool{legacy: !escaped && !a.appliesServerSide()}
				a.synced("the canary runs")
				a.resync()
				a.synced("self-heal synced it")
				a.await(reason.AwaitingPromotion)
			})
		}
	})
}

// TestAutoscalerInGit: git has an autoscaler and no replicas. During the rollout Headgate
// switches off its scale-down, which git says nothing about.
func TestAutoscalerInGit(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, options, func(a *app) {
			a.Annotations[spec.AnnotationSteps] = "100%, pause"
			a.edits = append(a.edits, func(dep *appsv1.Deployment) { dep.Spec.Replicas = nil })
			a.extras = append(a.extras, a.Autoscaler(2, 4, 100))
		})
		a.watch()
		a.scale(3)
		a.synced("an autoscaler made it 3")
		a.ship("v2", nil)
		a.await(reason.AwaitingPromotion)
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: a.deployment().ObjectMeta}
		a.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(hpa), hpa))
		if hpa.Annotations[spec.AnnotationScaleDown] == "" {
			t.Error("the autoscaler's scale-down is on while the canary has all traffic")
		}
		a.synced("its scale-down is off")
		a.resync()
		a.scale(4)
		a.synced("an autoscaler made it 4 during the canary")
		a.press("promote")
		a.await(reason.Promoted)
		a.gone()
		a.synced("v2 is promoted")
		if n := *a.live().Spec.Replicas; n != 4 {
			t.Errorf("%d replicas, want the autoscaler's 4", n)
		}
	})
}

// TestAutoscalerWithPolicyInGit: git says what Headgate has to write. With the settings that
// docs/argocd.md names, both keep what they want. ApplyOutOfSyncOnly is one of them: without
// it, the sync that brings the new template also writes the autoscaler, as it was when the
// sync began, and Headgate may have written it in between.
func TestAutoscalerWithPolicyInGit(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		a := newApp(t, append([]string{"ApplyOutOfSyncOnly=true", "RespectIgnoreDifferences=true"}, options...), func(a *app) {
			hpa := a.Autoscaler(2, 4, 100)
			hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
				ScaleDown: &autoscalingv2.HPAScalingRules{SelectPolicy: new(autoscalingv2.MaxChangePolicySelect)},
			}
			a.extras = append(a.extras, hpa)
			a.ignored = []ignored{{
				Group: "autoscaling", Kind: "HorizontalPodAutoscaler", JSONPointers: []string{"/spec/behavior/scaleDown/selectPolicy"},
			}}
		})
		a.ship("v2", nil)
		a.await(reason.AwaitingPromotion)
		policy := func(want autoscalingv2.ScalingPolicySelect) {
			t.Helper()
			hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: a.deployment().ObjectMeta}
			a.must(shared.Await(a.within(time.Minute), hpa, func() error {
				if now := *hpa.Spec.Behavior.ScaleDown.SelectPolicy; now != want {
					return fmt.Errorf("selectPolicy is %s, want %s", now, want)
				}
				return nil
			}))
		}
		policy(autoscalingv2.DisabledPolicySelect)
		a.synced("its scale-down is off")
		a.options = a.options[1:] // a person syncs everything
		a.resync()
		policy(autoscalingv2.DisabledPolicySelect)
		a.ship("v1", nil)
		a.restored()
		policy(autoscalingv2.MaxChangePolicySelect)
		a.synced("it is on again")
	})
}

// scale writes replicas as an autoscaler does, and waits for the pods.
func (a *app) scale(to int32) {
	a.Helper()
	a.must(shared.Client().SubResource("scale").Patch(a.Context(), a.deployment(), client.RawPatch(
		types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, to))))
	dep := a.deployment()
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		if n := dep.Status.AvailableReplicas; n != to {
			return fmt.Errorf("%d pods are Available, want %d", n, to)
		}
		return nil
	}))
}

// TestSelfHealAndPrune: what leaves git during a rollout is pruned, and nothing of the
// rollout. What somebody edits by hand is put back, and that ends what it began.
func TestSelfHealAndPrune(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"color": "blue"}}
		a := newApp(t, options, func(a *app) {
			settings.Namespace = a.Namespace
			a.extras = append(a.extras, settings)
		})
		a.ship("v2", nil)
		a.await(reason.AwaitingPromotion)
		a.synced("the canary runs")
		canary := a.canaryObjects()

		a.extras = nil
		for _, c := range a.compare() {
			var pruned []string
			for _, r := range c.Resources {
				if r.Prune {
					pruned = append(pruned, r.Kind+"/"+r.Name)
				}
			}
			if c.Status != "OutOfSync" || len(pruned) != 1 || pruned[0] != "ConfigMap/settings" {
				t.Errorf("%s: %s, to prune %v, want the ConfigMap alone", c.Mode, c.Status, pruned)
			}
		}
		a.sync()
		a.must(shared.AwaitGone(a.within(20*time.Second), settings))
		a.synced("the ConfigMap was pruned")
		if now := a.canaryObjects(); now != canary {
			t.Errorf("the canary's objects were %s, now %s", canary, now)
		}

		a.edit("v3")
		for _, c := range a.compare() {
			if c.Status != "OutOfSync" {
				t.Errorf("%s: %s after an edit by hand", c.Mode, c.Status)
			}
		}
		a.sync()
		a.await(reason.AwaitingPromotion)
		a.synced("self-heal put v2 back")
		if image := a.live().Spec.Template.Spec.Containers[0].Image; image != lab.Image("v2") {
			t.Errorf("held is %s", image)
		}
	})
}

// edit sets the image by hand.
func (a *app) edit(version string) {
	a.Helper()
	cmd := shared.Kubectl(a.Context(), "-n", a.Namespace, "set", "image", "deployment/"+a.Name, "app="+lab.Image(version))
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.Fatalf("kubectl set image: %v: %s", err, out)
	}
}

// canaryObjects are the names and UIDs of the canary's objects. None has anything by which
// Argo CD would track it.
func (a *app) canaryObjects() string {
	a.Helper()
	all := ""
	key := client.ObjectKey{Namespace: a.Namespace, Name: a.Name + "-canary"}
	ing := a.Ingress()
	for _, obj := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, ing} {
		a.must(shared.Client().Get(context.Background(), key, obj))
		if id := obj.GetAnnotations()["argocd.argoproj.io/tracking-id"]; id != "" {
			a.Errorf("%T %s is tracked as %s", obj, key.Name, id)
		}
		all += fmt.Sprintf("%T %s; ", obj, obj.GetUID())
	}
	return all
}
