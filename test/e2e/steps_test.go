package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab/controlplane"
)

// argoSteps is spec.strategy.canary.steps of a Rollout of Argo Rollouts.
const argoSteps = `
- setCanaryScale:
    replicas: 3
- setWeight: 25
- pause: {duration: 5}
- setHeaderRoute:
    name: testers
    match:
    - headerName: X-Canary
      headerValue:
        exact: beta
- setWeight: 50
- analysis: {}
- setCanaryScale:
    matchTrafficWeight: true
- setWeight: 100
- pause: {}
`

// TestStepsOfArgoRollouts: the steps mean the same as in Argo Rollouts, with one
// exception: the canary always gets the pods that its weight needs, whatever its
// scale. The pods start slowly in this test.
func TestStepsOfArgoRollouts(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: argoSteps, spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"STARTUP_DELAY": "2s"})
	s.carrying(25, 3)
	s.await(20*time.Second, reason.Waiting)
	testers := s.sendWith("X-Canary", "beta")
	s.carrying(50, 3)
	s.split(crowd{"testers", testers, "v2"})
	s.unbroken(testers, "testers")
	s.carrying(100, 4)
	s.await(time.Minute, reason.AwaitingPromotion)
	s.split(crowd{"users", s.load, "v2"})
	s.annotate(spec.AnnotationCommand, "abort")
	s.emptied(time.Minute)
	s.sharesMatch(s.over(), "v2", 25, 50)
	if got := s.weights.all(); !slices.Equal(got, []int{0, 25, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
	s.waited(25, 5*time.Second)
}

// waited checks that Headgate did not change the canary Ingress for a time after it wrote
// weight. It begins by Headgate's own clock, before the API server had the weight, and ends
// when that received the next change: a busy machine only makes it longer.
func (s *service) waited(weight int, want time.Duration) {
	s.Helper()
	c, _, _ := s.weights.last(weight)
	writes := s.routeLog()
	i := slices.IndexFunc(writes, func(w controlplane.Write) bool { return w.Received.After(c.written) })
	if i < 0 || i+1 >= len(writes) {
		s.Fatalf("after weight %d was written at %s the writes are %v", weight, c.written, writes)
	}
	if took := writes[i+1].Received.Sub(c.written); took < want {
		s.Errorf("the canary Ingress was written again %s after weight %d, want %s", took, weight, want)
	}
}

// TestStepsThatHaveNoMeaningHere: steps that Headgate cannot do are never ignored
// silently, however they are written.
func TestStepsThatHaveNoMeaningHere(t *testing.T) {
	t.Parallel()
	s := newQuiet(t)
	for steps, want := range map[string]string{
		"[{setWeight: 10}, {setMirrorRoute: {name: mirror, percentage: 35}}]":  "a canary Ingress cannot copy requests",
		"[{setWeight: 10}, {experiment: {templates: []}}]":                     "there are no experiments",
		"[{setWeight: 10}, {plugin: {name: mine}}]":                            "there are no plugins",
		"[{setWeight: 10}, {analysis: {templates: [{templateName: errors}]}}]": "takes no argument here",
		"[{setWeight: 10}, {setHeaderRoute: {name: testers}}]":                 "stays until the rollout ends",
		"[{setCanaryScale: {replicas: 1, weight: 25}}, {setWeight: 10}]":       "exactly one of",
		"[{setWieght: 10}]": `"setWieght"`,
	} {
		s.kubectl("annotate", web, spec.AnnotationSteps+"="+steps).refuses(want)
		s.kubectl("apply", "-f", s.annotatedFile(spec.AnnotationSteps, steps)).refuses(want)
	}
}

// annotatedFile is a manifest of the Deployment with one more annotation.
func (s *service) annotatedFile(key, value string) string {
	s.Helper()
	dep := s.Deployment()
	dep.Annotations[key] = value
	text, err := yaml.Marshal(s.manifest(dep).Object)
	s.must(err)
	path := filepath.Join(s.TempDir(), "annotated.yaml")
	s.must(os.WriteFile(path, text, 0o600))
	return path
}

// TestStartingStep: the first weight only warms the canary up and needs no Pass. A
// version that is bad from the start fails at the second weight.
func TestStartingStep(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{
		spec.AnnotationSteps:    "25%, 5s, 50%, 5s, 75%",
		spec.AnnotationAnalysis: "{interval: 3s, startingStep: 2, metrics: [{name: success-rate, condition: '>= 100%'}]}",
	})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", map[string]string{"ERROR_RATE": "0.3", "STARTUP_DELAY": "2s"})
	if message := s.await(time.Minute, reason.AnalysisFailed); !strings.Contains(message, "at weight 50: success-rate") {
		t.Errorf("the condition does not say what was measured: %s", message)
	}
	s.emptied(time.Minute)
	s.over()
	if got := s.weights.all(); !slices.Equal(got, []int{0, 25, 50, -1}) {
		t.Errorf("weights were %v", got)
	}
}
