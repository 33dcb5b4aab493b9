package delivery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// helm is a release of a user's own chart, by the code of Helm 4: server-side apply that
// forces nothing.
type helm struct {
	app
	config *action.Configuration
}

// waitLimit is the --timeout of every command. None may need it.
const waitLimit = 2 * time.Minute

func newHelm(t *testing.T, annotations map[string]string) *helm {
	t.Helper()
	h := &helm{app: newApp(t, annotations), config: action.NewConfiguration()}
	settings := cli.New()
	settings.KubeConfig = shared.Kubeconfig
	settings.SetNamespace(h.Namespace)
	h.Must(h.config.Init(settings.RESTClientGetter(), h.Namespace, "secret"))
	return h
}

func (h *helm) values() map[string]any {
	annotations, env := map[string]any{}, map[string]any{}
	for key, value := range h.Annotations {
		annotations[key] = value
	}
	for key, value := range h.Env {
		env[key] = value
	}
	return map[string]any{"image": image(h.Version), "host": h.Host(), "annotations": annotations, "env": env}
}

// install is "helm install --wait".
func (h *helm) install() {
	h.Helper()
	chart, err := loader.LoadDir("testdata/chart")
	h.Must(err)
	i := action.NewInstall(h.config)
	i.ReleaseName, i.Namespace, i.WaitStrategy, i.Timeout = "web", h.Namespace, kube.StatusWatcherStrategy, waitLimit
	_, err = i.RunWithContext(h.Context(), chart, h.values())
	h.Must(err)
}

// upgrade is "helm upgrade --wait", with --rollback-on-failure if undo says so. It must
// succeed.
func (h *helm) upgrade(strategy kube.WaitStrategy, undo bool, version string, env map[string]string) {
	h.Helper()
	chart, err := loader.LoadDir("testdata/chart")
	h.Must(err)
	h.Version, h.Env = version, env
	u := action.NewUpgrade(h.config)
	u.Namespace, u.WaitStrategy, u.Timeout, u.RollbackOnFailure, u.ServerSideApply = h.Namespace, strategy, waitLimit, undo, "true"
	if _, err = u.RunWithContext(h.Context(), "web", chart, h.values()); err != nil {
		h.Fatalf("helm upgrade to %s: %v", version, err)
	}
}

// rollback is "helm rollback --wait" to a revision.
func (h *helm) rollback(revision int) {
	h.Helper()
	r := action.NewRollback(h.config)
	r.Version, r.WaitStrategy, r.Timeout = revision, kube.StatusWatcherStrategy, waitLimit
	h.Must(r.Run("web"))
}

// revision checks the newest revision of the release.
func (h *helm) revision(want int, status string) {
	h.Helper()
	last, err := h.config.Releases.Last("web")
	h.Must(err)
	is, err := release.NewAccessor(last)
	h.Must(err)
	if is.Version() != want || is.Status() != status {
		h.Errorf("the release has revision %d, %s; want %d, %s", is.Version(), is.Status(), want, status)
	}
}

// held waits until the rollout is at its pause. Helm has returned before.
func (h *helm) held() {
	h.Helper()
	h.Await(time.Minute, reason.AwaitingPromotion)
}

func (h *helm) promote() {
	h.Helper()
	h.kubectl("annotate", "deployment/web", "headgate.dev/command=promote")
	h.Await(time.Minute, reason.Promoted)
	h.Gone(20 * time.Second)
}

// Helm skips a paused Deployment when it waits: it returns at once, with success, and sees
// neither the canary nor its failure. It never undoes one either.
func TestHelmDoesNotWaitForAHeldTemplate(t *testing.T) {
	t.Parallel()
	for name, annotations := range map[string]map[string]string{
		"plain": nil, "kstatus": {spec.AnnotationReportStatus: "kstatus"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHelm(t, annotations)
			h.install()
			h.serves()
			h.Await(20*time.Second, reason.Ready)
			h.upgrade(kube.StatusWatcherStrategy, false, "v2", nil)
			if !h.Now().Spec.Paused {
				t.Error("helm upgrade --wait returned after the canary")
			}
			h.revision(2, "deployed")
			h.held()
			h.upgrade(kube.LegacyStrategy, false, "v3", nil)
			h.held()

			h.upgrade(kube.StatusWatcherStrategy, true, "v4", neverReady)
			h.Await(time.Minute, reason.ProgressDeadlineExceeded)
			h.revision(4, "deployed")
			h.upgrade(kube.StatusWatcherStrategy, true, "v4", neverReady) // the same again changes nothing
			h.revision(5, "deployed")
			if now := h.Now().Annotations[spec.AnnotationPhase]; now != string(spec.RolledBack) {
				t.Errorf("the phase is %q, want RolledBack", now)
			}
			pods := h.Pods("v1")
			h.rollback(1) // after a rollback: the template that runs
			h.Await(30*time.Second, reason.StableRestored, reason.Ready)
			if now := h.Pods("v1"); !slices.Equal(now, pods) {
				t.Errorf("helm rollback replaced pods: %v, now %v", pods, now)
			}
			h.Over()
		})
	}
}

// Headgate owns no field that a chart sets, so no upgrade fails with a conflict, and what
// a chart no longer sets goes.
func TestHelmHasNoConflict(t *testing.T) {
	t.Parallel()
	for _, promotion := range []string{"adoption", "rolling"} {
		t.Run(promotion, func(t *testing.T) {
			t.Parallel()
			h := newHelm(t, map[string]string{spec.AnnotationPromotion: promotion})
			h.install()
			h.serves()
			h.Await(20*time.Second, reason.Ready)
			h.upgrade(kube.StatusWatcherStrategy, false, "v2", map[string]string{"NOTE": "x"})
			h.held()
			h.upgrade(kube.StatusWatcherStrategy, false, "v2", map[string]string{"NOTE": "y"}) // in the middle of the canary
			h.held()
			h.promote()
			h.upgrade(kube.StatusWatcherStrategy, false, "v2", nil)
			h.held()
			h.promote()
			if env := h.Now().Spec.Template.Spec.Containers[0].Env; len(env) > 0 {
				t.Errorf("the chart sets no variable, and there is %v", env)
			}

			h.upgrade(kube.StatusWatcherStrategy, false, "v3", nil)
			h.held()
			pods := h.Pods("v2")
			h.rollback(4) // in the middle of the canary
			h.Await(30*time.Second, reason.StableRestored, reason.Ready)
			h.Gone(20 * time.Second)
			if now := h.Pods("v2"); !slices.Equal(now, pods) {
				t.Errorf("helm rollback replaced pods: %v, now %v", pods, now)
			}
			h.rollback(1) // after a promotion: v1 is a new version again
			h.held()
			h.promote()
			h.Over()
		})
	}
}

// The recipe for CI: helm upgrade --wait, and then a wait for the verdict.
func TestHelmThenTheVerdict(t *testing.T) {
	t.Parallel()
	h := newHelm(t, map[string]string{spec.AnnotationSteps: "50%, 1s"})
	h.install()
	h.Await(time.Minute, reason.Ready)
	h.upgrade(kube.StatusWatcherStrategy, true, "v2", nil)
	h.ends(h.recipe("## kubectl"), 0, "successfully rolled out")
	h.upgrade(kube.StatusWatcherStrategy, true, "v3", neverReady)
	h.ends(h.recipe("## kubectl"), 1, "rolled back, stable serves all traffic: ")
	h.Must(lab.Poll(h.Within(5*time.Second), func() error {
		if n := len(h.Pods("v2")); n != replicas {
			return fmt.Errorf("%d pods of v2", n)
		}
		return nil
	}))
}
