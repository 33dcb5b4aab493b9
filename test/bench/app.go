package bench

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/test/bench/metrics"
	"github.com/headgate/headgate/test/lab"
)

// app is one application that a tool rolls out.
type app struct {
	namespace, name string
	replicas        int32
	steps           []step
	interval        time.Duration // between two measurements; 0: nothing is measured
	delay           time.Duration // that a pod needs to become ready
}

// complete gives the container of the pods their delay, and the preStop hook that pods
// behind an ingress controller need: routers go on sending requests for a moment.
func (a app) complete(c *corev1.Container) {
	c.ReadinessProbe.InitialDelaySeconds = int32(a.delay / time.Second)
	c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}}
}

// step is a weight, a wait, or (the zero value) a pause without an end.
type step struct {
	weight int
	wait   time.Duration
}

var pause = step{}

// ladder is the rollout that most figures are about: five weights and four waits.
func ladder(wait time.Duration) []step {
	return []step{
		{weight: 10}, {wait: wait}, {weight: 25}, {wait: wait}, {weight: 50}, {wait: wait}, {weight: 75}, {wait: wait}, {weight: 100},
	}
}

// headgateSteps is the value of headgate.dev/steps.
func headgateSteps(steps []step) string {
	var words []string
	for _, s := range steps {
		switch {
		case s.weight > 0:
			words = append(words, fmt.Sprintf("%d%%", s.weight))
		case s.wait > 0:
			words = append(words, s.wait.String())
		default:
			words = append(words, "pause")
		}
	}
	return strings.Join(words, ", ")
}

// argoSteps is the field steps of a canary strategy.
func argoSteps(steps []step) []any {
	var list []any
	for _, s := range steps {
		switch {
		case s.weight > 0:
			list = append(list, map[string]any{"setWeight": int64(s.weight)})
		case s.wait > 0:
			list = append(list, map[string]any{"pause": map[string]any{"duration": s.wait.String()}})
		default:
			list = append(list, map[string]any{"pause": map[string]any{}})
		}
	}
	return list
}

func (a app) sample() lab.Sample {
	return lab.Sample{Namespace: a.namespace, Name: a.name, Version: "v1", Replicas: a.replicas}
}

func (a app) target() metrics.Target { return metrics.Target{Namespace: a.namespace, App: a.name} }

func (a app) key() string { return a.namespace + "/" + a.name }
