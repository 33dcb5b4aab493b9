package gitops

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// repository is a git repository with the manifest of an agent.
type repository struct {
	*app
	dir string
}

const manifestFile = "agent.yaml"

// newRepository commits the agent at v1. Its Application reads what HEAD has.
func newRepository(t *testing.T, prepare func(*app)) *repository {
	t.Helper()
	r := &repository{dir: t.TempDir()}
	r.app = newApp(t, []string{"ServerSideApply=true"}, func(a *app) {
		prepare(a)
		r.app = a
		r.git("init", "--quiet")
		text, err := yaml.Marshal(a.manifest(a.Deployment()))
		a.must(err)
		a.must(os.WriteFile(filepath.Join(r.dir, manifestFile), text, 0o600))
		r.git("add", manifestFile)
		r.git("commit", "--quiet", "-m", "agent v1")
		a.edits = append(a.edits, r.checkOut)
	})
	return r
}

func (r *repository) git(args ...string) []byte {
	r.Helper()
	cmd := exec.CommandContext(context.Background(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=CI", "GIT_AUTHOR_EMAIL=ci@example.org", "GIT_COMMITTER_NAME=CI", "GIT_COMMITTER_EMAIL=ci@example.org")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.Fatalf("git %s: %v: %s", args[0], err, stderr.String())
	}
	return out
}

// checkOut makes dep what HEAD says.
func (r *repository) checkOut(dep *appsv1.Deployment) {
	*dep = appsv1.Deployment{}
	r.must(yaml.UnmarshalStrict(r.git("show", "HEAD:"+manifestFile), dep))
}

// build is CI: it puts the image of version into git. The lab has no image that is bad by
// itself, so a bad version brings its errors in the environment.
func (r *repository) build(version, errorRate string) {
	r.Helper()
	dep := &appsv1.Deployment{}
	r.checkOut(dep)
	agent := &dep.Spec.Template.Spec.Containers[0]
	agent.Image, agent.Env[0].Value = lab.Image(version), errorRate
	text, err := yaml.Marshal(r.manifest(dep))
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.dir, manifestFile), text, 0o600))
	r.git("commit", "--quiet", "-am", "agent "+version)
}

// heal compares with the diff of the Application, and syncs if it is OutOfSync.
func (r *repository) heal() {
	r.Helper()
	for _, c := range r.compare() {
		if c.Mode == serverSide && c.Status == "OutOfSync" {
			r.sync()
			return
		}
	}
	r.Error("there is nothing to sync")
}

// TestAgentInGit: an AI agent is in git, CI changes its image, and Argo CD syncs it.
func TestAgentInGit(t *testing.T) {
	t.Parallel()
	r := newRepository(t, func(a *app) {
		a.Name, a.Env = "agent", map[string]string{"ERROR_RATE": "0"}
		a.Annotations = map[string]string{
			spec.AnnotationStrategy: "canary",
			spec.AnnotationSteps:    "20%, 4s, 50%, 4s, 100%, 4s",
			spec.AnnotationAnalysis: "{interval: 2s, metrics: [{name: error-rate, condition: '<= 5%'}]}",
		}
	})
	r.must(shared.AwaitRoute(r.within(20*time.Second), r.Host()))
	users := load.Start(t.Context(), load.Options{URL: shared.Ingress.URL() + "/", Host: r.Host(), Rate: 40})
	weights := r.watchWeights()

	r.build("v2", "0")
	r.heal()
	r.await(reason.Promoted)
	r.gone()
	r.health(r.synced("v2 is promoted")[0], "Healthy", "", "Healthy")
	if got := weights(); !slices.Equal(got, []string{"0", "20", "50", "100"}) {
		t.Errorf("weights were %v", got)
	}

	r.build("v3", "0.5")
	r.heal()
	r.await(reason.AnalysisFailed)
	r.health(r.synced("v3 failed")[0], "Degraded", "error-rate", "Suspended")
	// kubectl has nothing to undo: v2 has the traffic, and no pod of v3 is the Deployment's.
	if out, err := r.undo(); err == nil || !strings.Contains(out, "paused deployment") {
		t.Errorf("kubectl rollout undo: %v: %s", err, out)
	}
	r.git("revert", "--no-edit", "HEAD")
	r.heal()
	r.restored()
	r.health(r.synced("v3 was reverted")[0], "Healthy", "", "Healthy")
	if failed := users.Stop().FailedByRollout(); len(failed) > 0 {
		t.Errorf("the rollouts broke %d answers", len(failed))
	}
}

// TestUndoInsteadOfRevert: what was promoted and turns out to be bad is undone with kubectl,
// and git follows. Until it does, the Application is OutOfSync.
func TestUndoInsteadOfRevert(t *testing.T) {
	t.Parallel()
	r := newRepository(t, func(a *app) {
		a.Name, a.Env, a.Annotations[spec.AnnotationSteps] = "agent", map[string]string{"ERROR_RATE": "0"}, "100%, pause"
	})
	r.build("v2", "0.5")
	r.heal()
	r.await(reason.AwaitingPromotion)
	r.press("promote-full")
	r.await(reason.Promoted)
	r.gone()
	if out, err := r.undo(); err != nil {
		t.Fatalf("kubectl rollout undo: %v: %s", err, out)
	}
	r.await(reason.AwaitingPromotion)
	for _, c := range r.compare() {
		if c.Status != "OutOfSync" {
			t.Errorf("%s: %s while the cluster goes back and git does not", c.Mode, c.Status)
		}
	}
	r.press("promote-full")
	r.await(reason.Promoted)
	r.gone()
	r.git("revert", "--no-edit", "HEAD")
	r.health(r.synced("git follows")[0], "Healthy", "", "Healthy")
	r.Version = "v1"
	r.sync()
	if image := r.live().Spec.Template.Spec.Containers[0].Image; image != lab.Image("v1") || r.live().Spec.Paused {
		t.Errorf("%s runs, paused: %v", image, r.live().Spec.Paused)
	}
}

func (r *repository) undo() (string, error) {
	r.Helper()
	out, err := shared.Kubectl(r.Context(), "-n", r.Namespace, "rollout", "undo", "deployment/agent").CombinedOutput()
	return string(out), err
}

// watchWeights notes each weight of the canary Ingress, until what it returns is called.
func (a *app) watchWeights() func() []string {
	ctx, cancel := context.WithCancel(a.Context())
	done := make(chan []string)
	go func() {
		var seen []string
		for ctx.Err() == nil {
			ing := &netv1.Ingress{}
			key := client.ObjectKey{Namespace: a.Namespace, Name: a.Name + "-canary"}
			if err := shared.Client().Get(ctx, key, ing); err == nil {
				weight := ing.Annotations["nginx.ingress.kubernetes.io/canary-weight"]
				if len(seen) == 0 || seen[len(seen)-1] != weight {
					seen = append(seen, weight)
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		done <- seen
	}()
	return func() []string { cancel(); return <-done }
}
