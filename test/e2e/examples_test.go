package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

const examplesDir = "../../examples"

// TestExamples applies every example as a user does, in namespaces that enforce the restricted Pod Security Standard,
// and takes a new version through its steps. All run at the same time, so the whole takes as long as the longest.
func TestExamples(t *testing.T) {
	t.Parallel()
	all := map[string]*example{}
	for _, folder := range exampleFolders(t) {
		all[folder] = applyExample(t, folder)
	}
	for _, e := range all {
		e.serves()
	}
	for _, e := range all {
		e.ships("v2")
	}
	all["smoke-test"].tested()
	all["blue-green"].previewed()
	all["ab-test"].compared()
	for _, e := range all {
		e.promoted("v2")
	}
	all["ai-agent"].misbehaves("v3")
	for _, e := range all {
		e.over()
	}
}

// example is one folder of examples/. The lab's own programs run in place of its images and its waits are short;
// everything else is as a user applies it.
type example struct {
	*service
	deployed *appsv1.Deployment // as the folder has it
	steps    []spec.Step
}

func exampleFolders(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(examplesDir, "*", "README.md"))
	must(t, err)
	if len(pages) == 0 {
		t.Fatalf("there is no example in %s", examplesDir)
	}
	var folders []string
	for _, page := range pages {
		folders = append(folders, filepath.Base(filepath.Dir(page)))
	}
	return folders
}

// applyExample applies every manifest of folder.
func applyExample(t *testing.T, folder string) *example {
	t.Helper()
	e := &example{service: &service{T: t, Sample: lab.Sample{Namespace: newRestrictedNamespace(t)}}}
	files, err := filepath.Glob(filepath.Join(examplesDir, folder, "*.yaml"))
	must(t, err)
	for _, file := range files {
		switch obj := e.read(file).(type) {
		case *appsv1.Deployment:
			e.take(obj)
		case *batchv1.CronJob:
			smoke := &obj.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
			smoke.Image, smoke.Command, smoke.Args = lab.SmokeImage+":v1", nil, smoke.Args[len(smoke.Args)-1:]
			e.apply(obj)
		case *corev1.ConfigMap:
			if text, ok := obj.Data["analysis"]; ok {
				obj.Data["analysis"] = measuredOften(text)
			}
			e.apply(obj)
		default:
			e.apply(obj)
		}
	}
	e.shipAs(e.version("v1"))
	e.given = e.routes()
	return e
}

// newRestrictedNamespace refuses pods that do not meet the restricted Pod Security Standard.
func newRestrictedNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: newNamespace(t)}}
	must(t, shared.Client().Get(t.Context(), client.ObjectKeyFromObject(ns), ns))
	ns.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	must(t, shared.Client().Update(t.Context(), ns))
	return ns.Name
}

var exampleHost = regexp.MustCompile(`\b([a-z]+)\.example\.com\b`)

// read decodes the object of one file, in the namespace of the example and with hosts that no other test has.
func (e *example) read(file string) client.Object {
	e.Helper()
	text, err := os.ReadFile(file)
	e.must(err)
	text = exampleHost.ReplaceAll(text, []byte("${1}."+e.Namespace+".test"))
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	e.must(err)
	obj, ok := decoded.(client.Object)
	if !ok {
		e.Fatalf("%s holds a %T, which cannot be applied", file, decoded)
	}
	obj.SetNamespace(e.Namespace)
	return obj
}

// take makes dep the Deployment of the example: with the lab's sample service as its program, and short waits.
func (e *example) take(dep *appsv1.Deployment) {
	e.Helper()
	c := &dep.Spec.Template.Spec.Containers[0]
	c.Command, c.Args = nil, nil
	c.Env = append(c.Env, corev1.EnvVar{Name: "PORT", Value: strconv.Itoa(int(c.Ports[0].ContainerPort))})
	var err error
	e.steps, err = spec.ParseSteps(dep.Annotations[spec.AnnotationSteps])
	e.must(err)
	for i := range e.steps {
		if e.steps[i].Kind == spec.Wait {
			e.steps[i].Duration = 2 * time.Second
		}
	}
	dep.Annotations[spec.AnnotationSteps] = spec.FormatSteps(e.steps)
	if text := dep.Annotations[spec.AnnotationAnalysis]; !strings.HasPrefix(text, "configmap/") {
		dep.Annotations[spec.AnnotationAnalysis] = measuredOften(text)
	}
	e.deployed = dep
	e.Name, e.Replicas, e.Annotations = dep.Name, *dep.Spec.Replicas, dep.Annotations
}

var (
	intervalOf = regexp.MustCompile(`interval: \w+`)
	latencies  = regexp.MustCompile(`<= \d+ms`)
)

// measuredOften is analysis with a short interval. Conditions in one line have none, so they become YAML. A busy
// machine answers late, so latencies may be long: no version of an example is to be found out by them.
func measuredOften(analysis string) string {
	analysis = latencies.ReplaceAllString(analysis, "<= 5s")
	if strings.Contains(analysis, "metrics:") {
		return intervalOf.ReplaceAllString(analysis, "interval: 3s")
	}
	var metrics []string
	for part := range strings.SplitSeq(analysis, ", ") {
		name, condition, _ := strings.Cut(part, " ")
		metrics = append(metrics, fmt.Sprintf("{name: %s, condition: %q}", name, condition))
	}
	return "{interval: 3s, metrics: [" + strings.Join(metrics, ", ") + "]}"
}

// version is the Deployment with another image, and with env in place of its own.
func (e *example) version(version string, env ...corev1.EnvVar) *appsv1.Deployment {
	dep := e.deployed.DeepCopy()
	c := &dep.Spec.Template.Spec.Containers[0]
	c.Image = lab.Image(version)
	for _, v := range env {
		c.Env = slices.DeleteFunc(c.Env, func(own corev1.EnvVar) bool { return own.Name == v.Name })
		c.Env = append(c.Env, v)
	}
	return dep
}

// serves waits for the pods and the route, and puts the example under load.
func (e *example) serves() {
	e.Helper()
	e.must(shared.Available(e.within(time.Minute), e.service.deployment()))
	e.must(shared.AwaitRoute(e.within(20*time.Second), e.Host()))
	e.await(20*time.Second, reason.Ready)
	e.weights = watchWeights(e.T, e.Namespace)
	e.load = e.send(e.Host())
}

// ships applies another version, which must be held in the same request.
func (e *example) ships(version string, env ...corev1.EnvVar) {
	e.Helper()
	e.shipAs(e.version(version, env...))
	if !e.applied.Spec.Paused || e.applied.Annotations[spec.AnnotationRollout] == "" {
		e.Errorf("%s: the new template is not held: paused %v, annotations %v", e.Name, e.applied.Spec.Paused, e.applied.Annotations)
	}
}

// promoted waits until version has gone through all steps, and checks what it received on the way.
func (e *example) promoted(version string) {
	e.Helper()
	e.await(time.Minute, reason.Promoted)
	e.gone(30 * time.Second)
	e.onlyServes(version)
	var shares []int
	for _, step := range e.steps {
		if step.Kind == spec.SetWeight && step.Weight > 0 {
			shares = append(shares, step.Weight)
		}
	}
	e.sharesMatch(e.load.Report(), version, shares...)
	if got, want := e.weights.all(), slices.Concat([]int{0}, shares, []int{-1}); !slices.Equal(got, want) {
		e.Errorf("%s: weights were %v, want %v", e.Name, got, want)
	}
}

// tested waits for the Job of the step job=smoke-test. No user has met the version before it has succeeded.
func (e *example) tested() {
	e.Helper()
	passed := e.completed(e.job(e.hold()))
	if early := e.load.Report().Between(time.Time{}, passed).Versions()["v2"]; early > 0 {
		e.Errorf("%d answers came from v2 before its test had succeeded", early)
	}
}

// previewed meets the new version on the host for testers alone, and switches.
func (e *example) previewed() {
	e.Helper()
	e.await(time.Minute, reason.AwaitingPromotion)
	host := e.Annotations[spec.AnnotationPreviewHost]
	e.must(shared.AwaitRoute(e.within(20*time.Second), host))
	testers := e.send(host)
	e.split(crowd{"testers", testers, "v2"}, crowd{"users", e.load, "v1"})
	e.unbroken(testers, "testers")
	e.annotate(spec.AnnotationCommand, "promote")
}

// compared meets the new version in group B alone, and decides for it.
func (e *example) compared() {
	e.Helper()
	e.await(time.Minute, reason.AwaitingPromotion)
	header := e.sendWith("X-Group", "b")
	e.split(
		crowd{"group B by header", header, "v2"},
		crowd{"group B by cookie", e.sendWith("Cookie", "group-b=always"), "v2"},
		crowd{"everybody else", e.load, "v1"},
	)
	e.annotate(spec.AnnotationCommand, "promote")
}

// misbehaves ships an agent whose every answer has status 200, and which does its work badly.
func (e *example) misbehaves(version string) {
	e.Helper()
	e.ships(version, corev1.EnvVar{Name: "TASK_FAILURE_RATE", Value: "0.3"}, corev1.EnvVar{Name: "TOKENS_PER_TASK", Value: "2400"})
	message := e.await(time.Minute, reason.AnalysisFailed)
	for _, want := range []string{"tasks-completed ", "want >= 90%", "tokens-per-request 2400"} {
		if !strings.Contains(message, want) {
			e.Errorf("the condition does not say %q: %s", want, message)
		}
	}
	if strings.Contains(message, "tool-errors") {
		e.Errorf("the condition blames the tools, which work as before: %s", message)
	}
	e.emptied(time.Minute)
	for _, answer := range e.load.Report().Answers {
		if answer.Version == version && answer.Code != http.StatusOK {
			e.Errorf("%s answered %d: it was not to be found out by that", version, answer.Code)
			break
		}
	}
}
