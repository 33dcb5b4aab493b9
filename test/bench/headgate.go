package bench

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/bench/metrics"
	"github.com/headgate/headgate/test/lab"
)

// headgate is the product, installed from its chart with the defaults of the chart.
type headgate struct {
	lab     *lab.Lab
	metrics string // URL
}

func (headgate) name() string    { return "Headgate" }
func (headgate) user() string    { return "system:serviceaccount:" + lab.HeadgateNamespace + ":headgate" }
func (headgate) program() string { return "headgate" }

func (h headgate) install(ctx context.Context, settle string) error {
	values := map[string]string{"prometheus.address": h.metrics}
	if settle != "" {
		values["ingress.settle"] = settle
	}
	return h.lab.InstallHeadgate(ctx, values)
}

func (h headgate) remove(ctx context.Context) error { return h.lab.UninstallHeadgate(ctx) }

func (headgate) objects(a app) []client.Object {
	s := a.sample()
	s.Annotations = map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: headgateSteps(a.steps)}
	if a.interval > 0 {
		s.Annotations[spec.AnnotationAnalysis] = headgateAnalysis(a)
	}
	dep := s.Deployment()
	a.complete(&dep.Spec.Template.Spec.Containers[0])
	return []client.Object{s.Service(), s.Ingress(), dep}
}

func headgateAnalysis(a app) string {
	text, _ := json.Marshal(map[string]any{ // strings always can be
		"interval": a.interval.String(), "failureLimit": 0, // the first bad value decides, as it does for the others
		"metrics": []any{map[string]any{"name": "value", "query": metrics.Query(a.name), "condition": ">= 0.9"}},
	})
	return string(text)
}

func (headgate) workload(a app) client.Object {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.name}}
}

func (headgate) workloads() client.ObjectList { return &appsv1.DeploymentList{} }

// read takes a Deployment for promoted when nothing holds it, no phase is left and every
// replica is new and Available.
func (headgate) read(workload client.Object) state {
	dep := workload.(*appsv1.Deployment)
	st := dep.Status
	want := *dep.Spec.Replicas
	s := state{image: dep.Spec.Template.Spec.Containers[0].Image}
	phase := dep.Annotations[spec.AnnotationPhase]
	s.promoted = !dep.Spec.Paused && phase == "" && dep.Annotations[spec.AnnotationRollout] == "" &&
		st.ObservedGeneration >= dep.Generation && st.UpdatedReplicas == want && st.AvailableReplicas == want && st.Replicas == want
	if phase == string(spec.RolledBack) {
		s.failed = "rolled back"
		for _, c := range st.Conditions {
			if c.Type == spec.ConditionType {
				s.failed += ": " + c.Message
			}
		}
	}
	return s
}

func (headgate) canaryIngress(a app) string { return a.name + "-canary" }
