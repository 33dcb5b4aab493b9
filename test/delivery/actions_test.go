package delivery

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/underload"
)

const (
	example  = "../../examples/github-actions"
	workflow = example + "/.github/workflows/release.yaml"
)

func conditionOf(a app) (reason.Reason, string) {
	a.Helper()
	return underload.Condition(a.Now())
}

// job is what the workflow file says, as far as a test looks at it.
type job struct {
	Env  map[string]string `json:"env"`
	Jobs map[string]struct {
		RunsOn string `json:"runs-on"`
		Steps  []struct {
			Name, Uses, Run string
			Env             map[string]string
			With            map[string]any
		} `json:"steps"`
	} `json:"jobs"`
}

// The workflow is valid, and its scripts are those of the example.
func TestWorkflow(t *testing.T) {
	text, err := os.ReadFile(workflow)
	if err != nil {
		t.Fatal(err)
	}
	var w job
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, step := range w.Jobs["release"].Steps {
		if (step.Uses == "") == (step.Run == "") {
			t.Errorf("step %q must have one of uses and run", step.Name)
		}
		for _, name := range scripts(t, step.Name, step.Run) {
			called[name] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(example, "ci", "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the scripts are %v (%v), want 2", files, err)
	}
	for _, file := range files {
		name, _ := filepath.Rel(example, file)
		info, err := os.Stat(file)
		if err != nil || info.Mode()&0o111 == 0 || !called[name] {
			t.Errorf("%s: executable %v, called by the workflow %v (%v)", name, info.Mode(), called[name], err)
		}
		delete(called, name)
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts(t, name, string(content))
	}
	if len(called) > 0 {
		t.Errorf("the workflow calls %v, which is not there", called)
	}
}

// scripts parses a script of bash and returns what it calls in ci/.
func scripts(t *testing.T, name, text string) (called []string) {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
	if err != nil {
		t.Error(err)
		return nil
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 && strings.HasPrefix(call.Args[0].Lit(), "ci/") {
			called = append(called, call.Args[0].Lit())
		}
		return true
	})
	return called
}

// pipeline is a repository of manifests with a tool that applies what is pushed to it.
type pipeline struct {
	app
	dir string // origin.git, and the clones ci and tool
}

func newPipeline(t *testing.T, annotations map[string]string) *pipeline {
	t.Helper()
	p := &pipeline{newApp(t, annotations), t.TempDir()}
	p.git("", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
	p.git("", "clone", "--quiet", "origin.git", "ci")
	manifest := filepath.Join(p.dir, "ci", "apps", "web", "deployment.yaml")
	p.Must(os.MkdirAll(filepath.Dir(manifest), 0o755))
	dep := p.Deployment()
	dep.APIVersion, dep.Kind = "apps/v1", "Deployment"
	text, err := yaml.Marshal(dep)
	p.Must(err)
	text = []byte(strings.Split(string(text), "\nstatus:")[0] + "\n")
	p.Must(os.WriteFile(manifest, text, 0o600))
	p.git("ci", "checkout", "--quiet", "-B", "main")
	p.git("ci", "add", ".")
	p.git("ci", "commit", "--quiet", "--message", "web: v1")
	p.git("ci", "push", "--quiet", "--set-upstream", "origin", "main")
	p.git("", "clone", "--quiet", "origin.git", "tool")
	p.Apply(p.Service())
	p.Apply(p.Ingress())
	p.startTool()
	p.serves()
	p.Await(20*time.Second, reason.Ready)
	return p
}

func (p *pipeline) git(clone string, args ...string) string {
	p.Helper()
	o := p.run(p.gitCommand(p.Context(), clone, args...))
	if o.code != 0 {
		p.Fatalf("git %s: %s", strings.Join(args, " "), o.text)
	}
	return strings.TrimSpace(o.text)
}

// identity is who commits. No setting of the machine counts.
var identity = []string{
	"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=ci", "GIT_AUTHOR_EMAIL=ci@example.com",
	"GIT_COMMITTER_NAME=ci", "GIT_COMMITTER_EMAIL=ci@example.com",
}

func (p *pipeline) gitCommand(ctx context.Context, clone string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = filepath.Join(p.dir, clone), append(os.Environ(), identity...)
	return cmd
}

// startTool is the GitOps tool: it pulls and applies, until the test ends.
func (p *pipeline) startTool() {
	ctx, stop := context.WithCancel(p.Context())
	ended := make(chan struct{})
	p.Cleanup(func() { stop(); <-ended })
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = p.gitCommand(ctx, "tool", "pull", "--quiet").Run()
			file := filepath.Join(p.dir, "tool", "apps", "web", "deployment.yaml")
			_ = shared.Kubectl(ctx, "apply", "--server-side", "--field-manager=tool", "-f", file).Run()
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
}

// setImage runs the step of the workflow that changes the image in git.
func (p *pipeline) setImage(image string) output {
	p.Helper()
	cmd := p.bash(filepath.Join(p.absolute(example), "ci", "set-image.sh"), "ci", "apps/web/deployment.yaml", image)
	cmd.Dir, cmd.Env = p.dir, append(cmd.Env, identity...)
	return p.run(cmd)
}

// awaitVerdict runs the step that waits.
func (p *pipeline) awaitVerdict(image, limit string) output {
	p.Helper()
	return p.run(p.verdictCommand(image, limit))
}

// verdictCommand is that step, with the permissions of the example and no others.
func (p *pipeline) verdictCommand(image, limit string) *exec.Cmd {
	p.Helper()
	config, err := shared.ConfigFor(p.Context(), p.Namespace, "release")
	p.Must(err)
	content, err := controlplane.Kubeconfig(config)
	p.Must(err)
	path := filepath.Join(p.TempDir(), "kubeconfig")
	p.Must(os.WriteFile(path, content, 0o600))
	cmd := p.bash(filepath.Join(p.absolute(example), "ci", "await-verdict.sh"), p.Namespace, "web", image, limit)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+path, "GITHUB_ACTIONS=true")
	return cmd
}

func (p *pipeline) absolute(path string) string {
	p.Helper()
	path, err := filepath.Abs(path)
	p.Must(err)
	return path
}

// allow applies the permissions of the example, in this namespace.
func (p *pipeline) allow() {
	p.Helper()
	text, err := os.ReadFile(filepath.Join(example, "rbac.yaml"))
	p.Must(err)
	file := filepath.Join(p.TempDir(), "rbac.yaml")
	p.Must(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "namespace: shop", "namespace: "+p.Namespace)), 0o600))
	p.kubectl("apply", "-f", file)
}

// The steps of the workflow, one version after the other: good, bad, and the revert of the
// bad one.
func TestGitHubActions(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, map[string]string{spec.AnnotationSteps: "50%, 4s"})
	p.allow()
	p.ends(p.setImage(image("v2")), 0, "pushed ")
	p.ends(p.awaitVerdict(image("v2"), "120"), 0, "successfully rolled out")
	if n := len(p.Pods("v2")); n != replicas {
		t.Errorf("the job is green, and %d pods run v2", n)
	}
	p.ends(p.setImage(image("v2")), 0, "has "+image("v2")+" already")

	const missing = "headgate.dev/lab/app@sha256:abc" // an image that is not there
	p.ends(p.setImage(missing), 0, "pushed ")
	o := p.awaitVerdict(missing, "120")
	p.ends(o, 1, "rolled back, stable serves all traffic: ")
	if _, message := conditionOf(p.app); !strings.Contains(o.text, "::error title=web was not promoted::"+message) {
		t.Errorf("it does not print %q:\n%s", message, o.text)
	}
	p.git("ci", "revert", "--no-edit", "HEAD")
	p.git("ci", "push", "--quiet")
	p.ends(p.awaitVerdict(image("v2"), "120"), 0, "successfully rolled out")

	p.ends(p.awaitVerdict(image("v9"), "3"), 2, image("v9")+" did not come to web in time")
	p.Over()
}

// A second release pushes while the first one waits. The first job does not end well.
func TestGitHubActionsReplaced(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, nil)
	p.allow()
	p.ends(p.setImage(image("v2")), 0, "pushed ")
	first := make(chan output, 1)
	cmd := p.verdictCommand(image("v2"), "120")
	go func() { first <- p.run(cmd) }()
	p.Await(time.Minute, reason.AwaitingPromotion)
	// Meanwhile the first one looks too: it does so every 2 s.
	p.ends(p.awaitVerdict(image("v2"), "4"), 2, "there was no verdict on "+image("v2")+" in time; Headgate says: rollout ")
	p.ends(p.setImage(image("v3")), 0, "pushed ")
	p.ends(<-first, 3, "web has "+image("v3")+" now, and there was no verdict on "+image("v2"))
	p.Over()
}

// A manifest in which the image cannot be found changes nothing, and a push that somebody
// else was ahead of is tried again.
func TestSetImage(t *testing.T) {
	t.Parallel()
	p := &pipeline{app{&underload.App{T: t}}, t.TempDir()}
	p.git("", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
	p.git("", "clone", "--quiet", "origin.git", "ci")
	manifest := filepath.Join(p.dir, "ci", "web.yaml")
	const before = "containers:\n  - name: web\n    image: \"ghcr.io/acme/web:1\"\n  - name: proxy\n    image: ghcr.io/acme/web-proxy:1\n"
	p.Must(os.WriteFile(manifest, []byte(before), 0o600))
	p.git("ci", "checkout", "--quiet", "-B", "main")
	p.git("ci", "add", ".")
	p.git("ci", "commit", "--quiet", "--message", "web: 1")
	p.git("ci", "push", "--quiet", "--set-upstream", "origin", "main")
	p.git("", "clone", "--quiet", "origin.git", "other")
	p.git("other", "commit", "--quiet", "--allow-empty", "--message", "first")
	p.git("other", "push", "--quiet")

	set := func(image string) output {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(p.absolute(example), "ci", "set-image.sh"), "ci", "web.yaml", image)
		cmd.Dir, cmd.Env = p.dir, append(os.Environ(), identity...)
		return p.run(cmd)
	}
	p.ends(set("ghcr.io/acme/web:2"), 0, "pushed ")
	text, err := os.ReadFile(manifest)
	p.Must(err)
	if want := strings.Replace(before, `"ghcr.io/acme/web:1"`, "ghcr.io/acme/web:2", 1); string(text) != want {
		t.Errorf("the manifest is\n%s\nwant\n%s", text, want)
	}
	if log := p.git("ci", "log", "--format=%s", "origin/main"); log != "web: deploy ghcr.io/acme/web:2\nfirst\nweb: 1" {
		t.Errorf("the commits are\n%s", log)
	}
	p.ends(set("ghcr.io/acme/shop:2"), 1, "has 0 lines with an image of ghcr.io/acme/shop, want 1")
}
