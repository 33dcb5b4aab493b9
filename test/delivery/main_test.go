package delivery

import (
	"bytes"
	"context"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
	"github.com/headgate/headgate/test/underload"
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Ingress: true, Headgate: true, Kubectl: true}, func(l *lab.Lab) error {
		shared = l
		return l.InstallHeadgate(context.Background(), map[string]string{"ingress.settle": "1s", "ingress.drain": "2s"})
	})
}

const (
	replicas = 2
	rate     = 40 // requests per second

	// steps wait for a person, so that a test knows where a rollout is.
	steps = "50%, pause"
)

// neverReady makes a version that never becomes ready: it is sent back at the
// progress-deadline.
var neverReady = map[string]string{"NEVER_READY": "true"}

// app is the sample service, not deployed yet: each test has a tool of its own for that.
type app struct{ *underload.App }

// newApp returns an app in a namespace of its own that opts in, with these annotations
// besides.
func newApp(t *testing.T, annotations map[string]string) app {
	t.Helper()
	all := map[string]string{
		spec.AnnotationStrategy: "canary", spec.AnnotationSteps: steps, spec.AnnotationProgressDeadline: "5s",
	}
	maps.Copy(all, annotations)
	a := app{&underload.App{T: t, Lab: shared, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: replicas, Annotations: all}}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"}}
	a.Must(shared.Client().Create(t.Context(), ns))
	a.Namespace = ns.Name
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Headgate's last lines about %s:\n%s", ns.Name, shared.HeadgateLog(ns.Name, 30))
		}
		_ = shared.Client().Delete(context.Background(), ns)
	})
	return a
}

// serves waits until the app that was deployed answers, and sends it a load.
func (a app) serves() {
	a.Helper()
	a.Must(shared.Available(a.Within(time.Minute), a.Deployed()))
	a.Must(shared.AwaitRoute(a.Within(20*time.Second), a.Host()))
	a.Load = load.Start(a.Context(), load.Options{URL: shared.Ingress.URL() + "/", Host: a.Host(), Rate: rate})
}

// kubectl runs kubectl in the namespace of a. It must succeed.
func (a app) kubectl(args ...string) string {
	a.Helper()
	o := a.run(shared.Kubectl(a.Context(), append([]string{"--namespace", a.Namespace}, args...)...))
	if o.code != 0 {
		a.Fatalf("kubectl %s: exit code %d\n%s", strings.Join(args, " "), o.code, o.text)
	}
	return o.text
}

// output is how a program ended.
type output struct {
	code int
	text string // standard output and standard error
	took time.Duration
}

func (a app) run(cmd *exec.Cmd) output {
	a.Helper()
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		a.Fatalf("%s: %v", cmd, err)
	}
	return output{cmd.ProcessState.ExitCode(), text.String(), time.Since(began)}
}

// ends checks the exit code of a program, and that it printed part.
func (a app) ends(o output, code int, part string) {
	a.Helper()
	if o.code != code || !strings.Contains(o.text, part) {
		a.Errorf("exit code %d after %s, want %d and %q:\n%s", o.code, o.took, code, part, o.text)
	}
}

// image is that of a version.
func image(version string) string { return lab.Image(version) }
