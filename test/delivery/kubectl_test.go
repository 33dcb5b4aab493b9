package delivery

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// page is what a user reads.
const page = "../../docs/gitops.md"

// recipe runs the first script below a heading of the page, as a CI job does: after the
// apply, with the namespace in the kubeconfig.
func (a app) recipe(heading string) output {
	a.Helper()
	text, err := os.ReadFile(page)
	a.Must(err)
	_, below, there := strings.Cut(string(text), "\n"+heading+"\n")
	_, block, fenced := strings.Cut(below, "```sh\n")
	script, _, closed := strings.Cut(block, "```\n")
	if !there || !fenced || !closed {
		a.Fatalf("%s has no script below %q", page, heading)
	}
	return a.run(a.bash("-euc", script))
}

// bash is bash where kubectl is that of the lab, and the namespace that of a.
func (a app) bash(args ...string) *exec.Cmd {
	a.Helper()
	dir := a.TempDir()
	kubectl := shared.Kubectl(a.Context())
	a.Must(os.Symlink(kubectl.Path, filepath.Join(dir, "kubectl")))
	config, err := os.ReadFile(shared.Kubeconfig)
	a.Must(err)
	path := filepath.Join(dir, "kubeconfig")
	a.Must(os.WriteFile(path, config, 0o600))
	cmd := exec.CommandContext(a.Within(2*time.Minute), "bash", args...) // a recipe may wait for ever
	cmd.Env = append(kubectl.Env, "PATH="+dir+":"+os.Getenv("PATH"), "KUBECONFIG="+path)
	set := exec.CommandContext(a.Context(), "kubectl", "config", "set-context", "--current", "--namespace", a.Namespace)
	set.Path, set.Env = kubectl.Path, cmd.Env
	a.ends(a.run(set), 0, "modified")
	return cmd
}

// try runs kubectl, which may fail.
func (a app) try(args ...string) output {
	a.Helper()
	return a.run(shared.Kubectl(a.Context(), append([]string{"--namespace", a.Namespace}, args...)...))
}

// The recipe ends with the verdict on what was applied just before, whatever the verdict
// on the version before was.
func TestRecipeForKubectl(t *testing.T) {
	t.Parallel()
	a := newApp(t, map[string]string{spec.AnnotationSteps: "50%, 1s"})
	a.Apply(a.Service())
	a.Apply(a.Ingress())
	a.Ship("v1", nil)
	a.Must(shared.Available(a.Within(time.Minute), a.Deployed()))
	a.Await(20*time.Second, reason.Ready)
	good := func(version string) {
		t.Helper()
		a.Ship(version, nil)
		a.ends(a.recipe("## kubectl"), 0, "successfully rolled out")
		if n := len(a.Pods(version)); n != replicas {
			t.Errorf("it ended well with %d pods of %s", n, version)
		}
	}
	bad := func(version string) {
		t.Helper()
		a.Ship(version, neverReady)
		o := a.recipe("## kubectl")
		a.ends(o, 1, "rolled back, stable serves all traffic: ")
		if _, message := conditionOf(a); !strings.Contains(o.text, message) {
			t.Errorf("it does not print %q:\n%s", message, o.text)
		}
	}
	good("v2")
	bad("v3")
	bad("v4")
	good("v5")
}

// What the waits of kubectl itself return; the page has a table of it.
func TestKubectlWaits(t *testing.T) {
	t.Parallel()
	const timedOut = "timed out waiting for the condition"
	a := newApp(t, map[string]string{spec.AnnotationReportStatus: "kstatus"})
	a.Apply(a.Service())
	a.Apply(a.Ingress())
	a.Ship("v1", nil)
	a.Must(shared.Available(a.Within(time.Minute), a.Deployed()))
	a.Await(20*time.Second, reason.Ready)
	wait := func(what, limit string) output {
		t.Helper()
		return a.try("wait", "deployment/web", "--for="+what, "--timeout="+limit)
	}
	const (
		rolledBack = `jsonpath={.metadata.annotations.headgate\.dev/phase}=RolledBack`
		arrived    = "jsonpath={.spec.template.spec.containers[0].image}="
	)
	a.ends(wait(arrived+image("v2"), "1s"), 1, timedOut)
	a.Ship("v2", nil)
	a.ends(wait(arrived+image("v2"), "1m"), 0, "condition met")
	a.Await(time.Minute, reason.AwaitingPromotion)
	for _, never := range []string{"condition=headgate.dev/Rollout", "condition=Stalled", rolledBack} {
		a.ends(wait(never, "1s"), 1, timedOut)
	}
	a.ends(wait("condition=Reconciling", "1m"), 0, "condition met")
	a.ends(a.try("rollout", "status", "deployment/web", "--timeout=1s"), 1, timedOut)
	a.kubectl("annotate", "deployment/web", "headgate.dev/command=promote")
	a.ends(wait("condition=headgate.dev/Rollout", "1m"), 0, "condition met")
	a.ends(a.try("rollout", "status", "deployment/web", "--timeout=1m"), 0, "successfully rolled out")

	a.Ship("v3", neverReady)
	a.ends(wait(rolledBack, "1m"), 0, "condition met")
	a.ends(wait("condition=Stalled", "1m"), 0, "condition met")
	a.ends(wait("condition=headgate.dev/Rollout", "1s"), 1, timedOut)
	a.ends(a.try("rollout", "status", "deployment/web", "--timeout=1s"), 1, timedOut)
}

// Without a manager a person can remove the conditions for kstatus.
func TestConditionsAreRemovedByHand(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	a.Annotations = nil // Headgate does not manage it
	a.Ship("v1", nil)
	a.Must(shared.Available(a.Within(time.Minute), a.Deployed()))
	a.kubectl("patch", "deployment/web", "--subresource=status", "-p",
		`{"status":{"conditions":[{"type":"Stalled","status":"True"},{"type":"Reconciling","status":"True"}]}}`)
	a.ends(a.recipe("### What kstatus sees"), 0, "patched")
	for _, c := range a.Now().Status.Conditions {
		if c.Type == spec.ConditionStalled || c.Type == spec.ConditionReconciling {
			t.Errorf("condition %s is still there", c.Type)
		}
	}
}
