package gitops

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// wavy is an Application with a second wave and a PostSync hook.
type wavy struct {
	*app
	last, hook *corev1.ConfigMap
}

func newWavy(t *testing.T, options []string) *wavy {
	t.Helper()
	named := func(name, key, value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{key: value}}}
	}
	w := &wavy{
		last: named("last", "argocd.argoproj.io/sync-wave", "1"),
		hook: named("announce", "argocd.argoproj.io/hook", "PostSync"),
	}
	w.app = newApp(t, options, func(a *app) {
		w.last.Namespace, w.hook.Namespace = a.Namespace, a.Namespace
		w.last.Data, w.hook.Data = map[string]string{"version": "v1"}, map[string]string{"version": "v1"}
		a.extras = []client.Object{w.last, w.hook}
	})
	w.reached("v1")
	return w
}

// begin commits and begins the sync.
func (w *wavy) begin(version string) *operation {
	w.Helper()
	w.commit(version, nil)
	w.last.Data["version"], w.hook.Data["version"] = version, version
	return w.operate(syncInput{Prune: true})
}

// stuck goes on with op for some passes, and checks that it waits for the Deployment.
func (w *wavy) stuck(op *operation) *operation {
	w.Helper()
	for range 3 {
		op = w.operate(syncInput{Prune: true, Operation: op})
		if op.Phase != "Running" || !strings.Contains(op.Message, "waiting for healthy state of apps/Deployment/web") {
			w.Fatalf("the operation is %s: %s, want it to wait for the Deployment", op.Phase, op.Message)
		}
	}
	return op
}

// ended goes on with op until it has ended.
func (w *wavy) ended(op *operation, phase string) {
	w.Helper()
	for began := time.Now(); op.Phase == "Running" && time.Since(began) < time.Minute; time.Sleep(200 * time.Millisecond) {
		op = w.operate(syncInput{Prune: true, Operation: op})
	}
	if op.Phase != phase {
		w.Fatalf("the operation is %s: %s, want %s", op.Phase, op.Message, phase)
	}
}

// reached checks which version the second wave and the hook have.
func (w *wavy) reached(version string) {
	w.Helper()
	for _, name := range []string{w.last.Name, w.hook.Name} {
		live := &corev1.ConfigMap{}
		w.must(shared.Client().Get(w.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, live))
		if live.Data["version"] != version {
			w.Errorf("%s has %q, want %s", name, live.Data["version"], version)
		}
	}
}

// TestWavesAndHooks: the sync of an Application with waves or PostSync hooks waits for the
// rollout. What comes later happens when it is promoted, and never when it fails.
func TestWavesAndHooks(t *testing.T) {
	t.Parallel()
	forEachApply(t, func(t *testing.T, options []string) {
		w := newWavy(t, options)
		op := w.begin("v2")
		w.await(reason.AwaitingPromotion)
		op = w.stuck(op)
		w.reached("v1")
		w.press("promote-full")
		w.await(reason.Promoted)
		w.ended(op, "Succeeded")
		w.reached("v2")

		op = w.begin("v3")
		w.await(reason.AwaitingPromotion)
		op = w.stuck(op)
		w.press("abort")
		w.await(reason.AbortedByCommand)
		w.ended(op, "Failed")
		w.reached("v2")
		// Argo CD tries a failed sync again, five times by default.
		rollout := w.live().Annotations[spec.AnnotationRollout]
		w.ended(w.operate(syncInput{Prune: true}), "Failed")
		if now := w.live().Annotations[spec.AnnotationRollout]; now != rollout {
			t.Errorf("the sync of the failed commit made rollout %s of %s", now, rollout)
		}

		// The verdict on v3 is none on v4.
		op = w.begin("v4")
		w.await(reason.AwaitingPromotion)
		op = w.stuck(op)
		// The operation would hold up a revert, so a person ends it.
		w.ended(w.operate(syncInput{Operation: op, Terminate: true}), "Failed")
		w.ended(w.begin("v2"), "Succeeded")
		w.restored()
		w.reached("v2")
		w.synced("v4 was reverted")
	})
}
