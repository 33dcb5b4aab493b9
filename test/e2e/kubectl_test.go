package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// web is the Deployment of every test in this file.
const web = "deployment/web"

// image is the argument of kubectl set image for version.
func image(version string) string { return "app=" + lab.Image(version) }

// restartPatch is the patch of kubectl rollout restart and of the restart button of
// Argo CD. kubectl refuses to send it while a Deployment is paused; Argo CD does not.
const restartPatch = `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-22T10:00:00Z"}}}}}`

// reply is the output of kubectl, and its error.
type reply struct {
	*service
	stdout, stderr string
	err            error
}

// kubectl runs kubectl in the namespace of s.
func (s *service) kubectl(args ...string) reply {
	s.Helper()
	return s.kubectlWith("KUBE_EDITOR=false", args...)
}

// edit runs kubectl edit. Its editor is sed with script, which may have no blanks.
func (s *service) edit(script string) reply {
	s.Helper()
	return s.kubectlWith("KUBE_EDITOR=sed -i "+script, "edit", web)
}

func (s *service) kubectlWith(env string, args ...string) reply {
	s.Helper()
	cmd := shared.Kubectl(s.Context(), append([]string{"--namespace", s.Namespace}, args...)...)
	cmd.Env = append(cmd.Env, env)
	r := reply{service: s}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	r.err = cmd.Run()
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// done checks that kubectl succeeded without a warning.
func (r reply) done() {
	r.Helper()
	if r.err != nil || r.stderr != "" {
		r.Errorf("kubectl: %v: %q, want no error and no warning", r.err, r.stderr)
	}
}

// warns checks that kubectl succeeded and printed a warning that contains part.
func (r reply) warns(part string) {
	r.Helper()
	if r.err != nil || !strings.Contains(r.stderr, "Warning: ") || !strings.Contains(r.stderr, part) {
		r.Errorf("kubectl: %v: %q, want a warning with %q", r.err, r.stderr, part)
	}
}

// refuses checks that kubectl failed with an error that contains part.
func (r reply) refuses(part string) {
	r.Helper()
	if r.err == nil || !strings.Contains(r.stderr, part) {
		r.Errorf("kubectl: %v: %q, want an error with %q", r.err, r.stderr, part)
	}
}

// file is a manifest of the Deployment at version.
func (s *service) file(version string) string {
	s.Helper()
	sample := s.Sample
	sample.Version = version
	text, err := yaml.Marshal(s.manifest(sample.Deployment()).Object)
	s.must(err)
	path := filepath.Join(s.TempDir(), version+".yaml")
	s.must(os.WriteFile(path, text, 0o600))
	return path
}

// hold is the rollout that the Deployment is held for; "" if it is not.
func (s *service) hold() string {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(dep), dep))
	id := dep.Annotations[spec.AnnotationRollout]
	if dep.Spec.Paused != (id != "") {
		s.Errorf("paused %v, but %s is %q", dep.Spec.Paused, spec.AnnotationRollout, id)
	}
	return id
}

func (s *service) awaitRelease(limit time.Duration) {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Await(s.within(limit), dep, func() error {
		if id := dep.Annotations[spec.AnnotationRollout]; id != "" || dep.Spec.Paused {
			return fmt.Errorf("held as rollout %q, paused: %v", id, dep.Spec.Paused)
		}
		return nil
	}))
}

// newQuiet returns a service without an Ingress: its templates are held and wait.
func newQuiet(t *testing.T) *service {
	t.Helper()
	s := &service{T: t, Sample: lab.Sample{
		Name: "web", Version: "v1", Replicas: 1, Namespace: newNamespace(t),
		Annotations: map[string]string{spec.AnnotationStrategy: "canary"},
	}}
	s.kubectl("apply", "-f", s.file("v1")).done()
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.await(20*time.Second, reason.Ready)
	return s
}

// TestKubectlNewTemplate: whatever kubectl verb writes a new template, the template
// is held in the same request. The same verb can write the old template back.
func TestKubectlNewTemplate(t *testing.T) {
	t.Parallel()
	for verb, ship := range map[string]func(s *service, from, to string) reply{
		"set image": func(s *service, _, to string) reply {
			return s.kubectl("set", "image", web, image(to))
		},
		"edit": func(s *service, from, to string) reply {
			return s.edit(fmt.Sprintf("s|%s|%s|", lab.Image(from), lab.Image(to)))
		},
		"apply": func(s *service, _, to string) reply {
			return s.kubectl("apply", "-f", s.file(to))
		},
		"apply --server-side": func(s *service, _, to string) reply {
			return s.kubectl("apply", "--server-side", "--force-conflicts", "-f", s.file(to))
		},
		"replace": func(s *service, _, to string) reply {
			return s.kubectl("replace", "-f", s.file(to))
		},
		"patch": func(s *service, _, to string) reply {
			return s.kubectl("patch", web, "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"`+lab.Image(to)+`"}]}}}}`)
		},
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s := newQuiet(t)
			pods := s.podNames("v1")
			ship(s, "v1", "v2").done()
			if s.hold() == "" {
				t.Error("the new template is not held")
			}
			s.await(20*time.Second, reason.NoService)
			ship(s, "v2", "v1").done()
			s.awaitRelease(20 * time.Second)
			if now := s.podNames("v1"); !slices.Equal(pods, now) {
				t.Errorf("pods were replaced: %v, now %v", pods, now)
			}
		})
	}
}

// TestKubectlPause: Headgate leaves a user's own pause alone. When the pause ends, the
// template is held.
func TestKubectlPause(t *testing.T) {
	t.Parallel()
	s := newQuiet(t)
	s.kubectl("rollout", "pause", web).done()
	s.kubectl("set", "image", web, image("v2")).warns("web is paused, and not by Headgate")
	s.kubectl("rollout", "resume", web).warns("web was un-paused and is now held as rollout")
	first := s.hold()
	s.kubectl("rollout", "resume", web).warns("rollout " + first + " is still held")
	s.kubectl("patch", web, "-p", restartPatch).warns("web is held: this restarts the waiting template")
	if now := s.hold(); now == "" || now == first {
		t.Errorf("restarted while held as rollout %s it is held as %q, want another rollout", first, now)
	}
}

// newShop returns a service of 2 pods under load, whose rollouts wait at weight 50.
func newShop(t *testing.T) *service {
	t.Helper()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause"}, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	return s
}

// try ships version and waits until it has weight 50.
func (s *service) try(version string) (hold string) {
	s.Helper()
	s.kubectl("set", "image", web, image(version)).done()
	s.await(time.Minute, reason.AwaitingPromotion)
	return s.hold()
}

// unharmed stops the load and checks that no answer was lost.
func (s *service) unharmed() {
	s.Helper()
	if r := s.load.Stop(); len(r.FailedByRollout()) > 0 {
		s.Errorf("answers were lost: %s", r)
	}
}

// TestKubectlDuringACanary: no kubectl command ends the hold by accident. kubectl
// rollout status ends with the release.
func TestKubectlDuringACanary(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.kubectl("set", "image", web, image("v2")).done()
	status := make(chan reply, 1)
	go func() { status <- s.kubectl("rollout", "status", web, "--timeout=5m") }()
	s.await(time.Minute, reason.AwaitingPromotion)
	held := s.hold()

	s.kubectl("rollout", "undo", web).refuses("no rollout history found")
	s.kubectl("rollout", "restart", web).refuses("can't restart paused deployment")
	s.kubectl("rollout", "pause", web).refuses("already paused")
	s.kubectl("rollout", "resume", web).warns("rollout " + held + " is still held; " +
		"to promote it now: kubectl annotate deploy/web headgate.dev/command=promote-full; to abort it: ")
	s.kubectl("patch", web, "-p", `{"spec":{"paused":false}}`).warns("is still held")
	s.edit("/paused:/s/true/false/").warns("is still held")
	s.kubectl("replace", "-f", s.file("v2")).warns("is still held")
	s.kubectl("apply", "--server-side", "--force-conflicts", "-f", s.file("v2")).done()
	s.kubectl("label", web, "tier=front").done()
	s.kubectl("annotate", web, "example.org/note=hello").done()
	s.kubectl("annotate", web, "--overwrite", "headgate.dev/steps=soon").refuses(`"soon"`)
	s.kubectl("scale", web, "--replicas=4").done()
	s.awaitPods(20*time.Second, "v1", 4)
	s.awaitPods(20*time.Second, "v2", 2)
	s.kubectl("scale", web, "--replicas=2").done()
	s.awaitPods(20*time.Second, "v1", 2)
	if now, weight := s.hold(), s.weights.now(); now != held || weight != 50 {
		t.Errorf("held as rollout %q at weight %d, want %q at 50", now, weight, held)
	}
	select {
	case r := <-status:
		t.Errorf("rollout status ended while the template was held: %v: %s%s", r.err, r.stdout, r.stderr)
	default:
	}
	s.kubectl("annotate", web, "headgate.dev/command=promote").done()
	(<-status).done()
	if n := len(s.podNames("v1")); n > 0 {
		t.Errorf("rollout status ended while %d pods ran v1", n)
	}
	s.await(time.Minute, reason.Promoted)
	s.unharmed()
}

// TestKubectlUndo: after a promotion, undo brings the old template back as a canary,
// which a person may skip. While a template is held, kubectl refuses to undo.
func TestKubectlUndo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.try("v2")
	s.kubectl("annotate", web, "headgate.dev/command=promote").done()
	s.await(time.Minute, reason.Promoted)
	s.kubectl("rollout", "undo", web).done()
	s.await(time.Minute, reason.AwaitingPromotion)
	s.kubectl("rollout", "undo", web).refuses("paused")
	s.kubectl("annotate", web, "headgate.dev/command=promote-full").done()
	s.await(time.Minute, reason.Promoted)
	s.awaitPods(20*time.Second, "v2", 0)
	s.unharmed()
}

// TestKubectlRestart: a restart is a native rolling update and no bypass, unless the
// user wants a canary of it.
func TestKubectlRestart(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	before := s.podNames("v1")
	s.kubectl("rollout", "restart", web).done()
	if id := s.hold(); id != "" {
		t.Errorf("a rolling restart is held as rollout %s", id)
	}
	s.kubectl("rollout", "status", web, "--timeout=5m").done()
	if slices.ContainsFunc(s.podNames("v1"), func(pod string) bool { return slices.Contains(before, pod) }) {
		t.Error("rollout status ended before every pod was restarted")
	}
	s.kubectl("annotate", web, "headgate.dev/restart=canary").done()
	s.kubectl("rollout", "restart", web).done()
	s.await(time.Minute, reason.AwaitingPromotion)
	s.kubectl("annotate", web, "headgate.dev/command=promote").done()
	s.await(time.Minute, reason.Promoted)
	s.unharmed()
	var list corev1.EventList
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(s.Namespace)))
	for _, e := range list.Items {
		if e.Reason == string(reason.Bypassed) {
			t.Errorf("a restart was reported as a bypass: %s", e.Message)
		}
	}
}

// TestKubectlAfterARollback: the hold stays until another template comes.
func TestKubectlAfterARollback(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	failed := s.try("v2")
	s.kubectl("annotate", web, "headgate.dev/command=abort").done()
	s.await(20*time.Second, reason.AbortedByCommand)
	s.kubectl("rollout", "status", web, "--timeout=2s").refuses("timed out")
	s.kubectl("rollout", "undo", web).refuses("no rollout history found")
	s.kubectl("rollout", "restart", web).refuses("can't restart paused deployment")
	s.kubectl("rollout", "pause", web).refuses("already paused")
	s.kubectl("rollout", "resume", web).warns("is still held")
	s.kubectl("replace", "-f", s.file("v2")).warns("is still held")
	s.kubectl("label", web, "tier=front").done()
	s.kubectl("annotate", web, "example.org/note=hello").done()
	s.kubectl("scale", web, "--replicas=3").done()
	s.awaitPods(20*time.Second, "v1", 3)
	if now := s.hold(); now != failed {
		t.Errorf("held as rollout %q, want %q", now, failed)
	}
	s.kubectl("patch", web, "-p", restartPatch).warns("web is held: this restarts the waiting template")
	if now := s.hold(); now == "" || now == failed {
		t.Errorf("restarted after rollout %s failed it is held as %q, want another rollout", failed, now)
	}
	s.kubectl("set", "image", web, image("v1")).done()
	s.awaitRelease(20 * time.Second)
	s.kubectl("rollout", "status", web, "--timeout=5m").done()
	s.gone(20 * time.Second)
	s.unharmed()
}

// TestKubectlScaleToZero: Kubernetes decides which version comes back from 0
// replicas. It prefers the template in the spec if that ever ran, held or not.
func TestKubectlScaleToZero(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	scale := func(replicas int32) {
		t.Helper()
		s.kubectl("scale", web, fmt.Sprintf("--replicas=%d", replicas)).done()
		dep := s.deployment()
		s.must(shared.Await(s.within(20*time.Second), dep, func() error {
			if st := dep.Status; st.ObservedGeneration < dep.Generation || st.Replicas != replicas || st.AvailableReplicas != replicas {
				return fmt.Errorf("%d of %d replicas are Available", st.AvailableReplicas, replicas)
			}
			return nil
		}))
	}
	scale(0)
	s.kubectl("set", "image", web, image("v2")).warns("goes out without a canary: with 0 replicas")
	scale(2)
	s.awaitPods(time.Second, "v2", 2)

	held := s.try("v3")
	scale(0)
	s.await(20*time.Second, reason.ScaledToZero)
	s.awaitWeight(20*time.Second, -1)
	if now := s.hold(); now != held {
		t.Errorf("at 0 replicas: held as rollout %q, want %q", now, held)
	}
	s.awaitPods(30*time.Second, "v3", 0)
	s.load.Stop() // with 0 replicas no pod answers
	scale(2)
	s.awaitPods(time.Second, "v2", 2)

	s.try("v1") // v1 ran before
	scale(0)
	s.await(20*time.Second, reason.ScaledToZero)
	scale(2) // Kubernetes brings the ReplicaSet of v1 back
	s.await(20*time.Second, reason.Bypassed, reason.Ready)
	if notes := s.notes(reason.Bypassed); len(notes) == 0 {
		t.Error("no event says Bypassed")
	}
	s.gone(30 * time.Second)
	s.awaitRelease(20 * time.Second)
}

// TestKubectlScaleToZeroBeforeTheCanary: without stable pods the template is
// released.
func TestKubectlScaleToZeroBeforeTheCanary(t *testing.T) {
	t.Parallel()
	s := newQuiet(t)
	s.kubectl("set", "image", web, image("v2")).done()
	s.await(20*time.Second, reason.NoService)
	s.kubectl("scale", web, "--replicas=0").done()
	s.awaitRelease(20 * time.Second)
	s.kubectl("scale", web, "--replicas=1").done()
	s.awaitPods(20*time.Second, "v2", 1)
}

// TestKubectlDeleteOrphan: the canary's objects stay and serve until a person deletes
// them by label.
func TestKubectlDeleteOrphan(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.try("v2")
	s.kubectl("delete", web, "--cascade=orphan").done()
	time.Sleep(2 * time.Second)
	for _, obj := range []client.Object{s.canary(), s.canaryService(), s.canaryIngress()} {
		s.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
		if owners := obj.GetOwnerReferences(); len(owners) > 0 {
			t.Errorf("%s %s is owned by %v", reflect.TypeOf(obj), obj.GetName(), owners)
		}
	}
	if weight := s.weights.now(); weight != 50 {
		t.Errorf("the weight is %d, want 50", weight)
	}
	s.kubectl("delete", "ingress", "--selector=app.kubernetes.io/managed-by=headgate").done()
	s.routed()
	s.kubectl("delete", "deployment,service", "--selector=app.kubernetes.io/managed-by=headgate").done()
	s.kubectl("apply", "-f", s.file("v1")).done()
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.gone(20 * time.Second)
	s.unharmed()
}
