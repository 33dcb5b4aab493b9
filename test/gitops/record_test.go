package gitops

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/golden"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// TestRecord writes the Deployments that package argolua reads, with -update alone.
func TestRecord(t *testing.T) {
	if !golden.FlagUpdate() {
		t.Skip("it rewrites argolua/testdata; run it with -update")
	}
	for name, story := range map[string]func(*testing.T){
		"not opted in": recordNotOptedIn, "canary": recordCanary, "pauses": recordPauses, "failure": recordFailure,
		"no Ingress": recordNoIngress, "promotion": recordPromotion,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); story(t) })
	}
}

// record writes the Deployment as Argo CD sees it. What differs each time is left out or
// the same: the namespace, the UID, and who owns which field.
func (a *app) record(name string, dep *appsv1.Deployment) {
	a.Helper()
	dep = dep.DeepCopy()
	dep.UID, dep.ManagedFields = "", nil
	dep.APIVersion, dep.Kind = "apps/v1", "Deployment"
	text, err := json.MarshalIndent(dep, "", "  ")
	a.must(err)
	file := filepath.Join("argolua", "testdata", name+".json")
	a.must(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), a.Namespace, "shop")+"\n"), 0o644))
}

// recordPhase records the Deployment when it has a phase first, whatever comes next.
func (a *app) recordPhase(name string, phase spec.Phase) {
	a.Helper()
	dep := a.deployment()
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		if now := dep.Annotations[spec.AnnotationPhase]; now != string(phase) {
			return errPhase(now)
		}
		return nil
	}))
	a.record(name, dep)
}

type errPhase string

func (e errPhase) Error() string { return "the phase is " + string(e) }

func recordNotOptedIn(t *testing.T) {
	a := newApp(t, nil, func(a *app) { a.Annotations = nil })
	a.record("not-opted-in", a.live())
	a.commit("v2", map[string]string{"STARTUP_DELAY": "3s"})
	a.sync()
	dep := a.deployment()
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		if dep.Status.ObservedGeneration < dep.Generation || dep.Status.UpdatedReplicas == 0 {
			return errPhase("before the update")
		}
		return nil
	}))
	a.record("not-opted-in-update", dep)
}

func recordCanary(t *testing.T) {
	a := newApp(t, nil)
	a.record("ready", a.live())
	a.ship("v2", map[string]string{"STARTUP_DELAY": "2s"})
	a.recordPhase("pending", spec.Pending)
	a.await(reason.CanaryStarting)
	a.recordPhase("progressing", spec.Progressing)
	a.await(reason.AwaitingPromotion)
	a.record("awaiting-promotion", a.live())
}

func recordPauses(t *testing.T) {
	slow := map[string]string{"STARTUP_DELAY": "3s"}
	a := newApp(t, nil, func(a *app) { a.Annotations[spec.AnnotationSteps], a.Env = "50%, 1h, 100%", slow })
	a.ship("v2", nil)
	a.await(reason.Waiting)
	a.press("pause")
	a.await(reason.PausedByCommand)
	a.record("paused-by-command", a.live())
	a.must(shared.Client().DeleteAllOf(a.Context(), &corev1.Pod{}, client.InNamespace(a.Namespace), client.MatchingLabels{"app": "web"}))
	dep := a.deployment()
	a.must(shared.Await(a.within(time.Minute), dep, func() error {
		if dep.Status.AvailableReplicas > 0 {
			return errPhase("before the pods are gone")
		}
		return nil
	}))
	a.record("stable-down", dep)
	a.ship("v1", slow)
	a.restored()
	a.press("pause") // Argo CD's own, since nothing is held
	a.record("paused-by-user", a.live())
}

func recordFailure(t *testing.T) {
	a := newApp(t, nil, func(a *app) { a.Annotations[spec.AnnotationProgressDeadline] = "3s" })
	a.ship("v2", map[string]string{"NEVER_READY": "true"})
	a.await(reason.ProgressDeadlineExceeded)
	a.record("rolled-back", a.live())
	a.ship("v3", nil)
	a.recordPhase("pending-after-that", spec.Pending)
}

func recordNoIngress(t *testing.T) {
	a := newApp(t, nil)
	a.must(shared.Client().Delete(a.Context(), &netv1.Ingress{ObjectMeta: a.Ingress().ObjectMeta}))
	a.commit("v2", nil)
	dep := a.live()
	dep.Spec.Template = a.Deployment().Spec.Template
	a.must(shared.Client().Update(a.Context(), dep))
	a.await(reason.NoIngress)
	a.record("no-ingress", a.live())
}

func recordPromotion(t *testing.T) {
	a := newApp(t, nil, func(a *app) {
		a.Annotations[spec.AnnotationSteps], a.Annotations[spec.AnnotationPromotion] = "100%, pause", "rolling"
	})
	a.ship("v2", map[string]string{"STARTUP_DELAY": "2s"})
	a.await(reason.AwaitingPromotion)
	a.press("promote")
	a.recordPhase("promoting", spec.Promoting)
	a.await(reason.Promoted)
	a.record("promoted", a.live())
}
