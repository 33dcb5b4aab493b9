package main

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// The API server takes any text for an image, and whoever looks at the rollout is another
// person than who wrote it.
func TestATerminalObeysNoText(t *testing.T) {
	const hostile = "web:v2\x1b]0;title\x07\x1b[2J\u009b8m"
	dep := at(spec.Progressing, func(d *appsv1.Deployment, _ *rollout.State) {
		d.Spec.Template.Spec.Containers[0].Image = hostile
		d.Annotations[spec.AnnotationSteps] = hostile
	})
	dep.Status.Conditions[0].Message = "an image " + hostile
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-1", Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
	}}
	rs.Spec.Template = dep.Spec.Template
	rs.Spec.Replicas = new(int32(4))
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "event"}, Reason: string(reason.Promoted), Note: hostile,
		EventTime: metav1.NowMicro(), ReportingController: "headgate",
		Regarding: corev1.ObjectReference{Kind: "Deployment", Name: "web", Namespace: "shop", UID: dep.UID},
	}
	c := newCluster(dep, rs, event)
	for _, command := range []string{"list", "list -o wide", "status web", "explain web", "events web", "history web"} {
		if code := c.run(t, strings.Fields(command)...); code != 0 {
			t.Errorf("%s: exit code %d: %s", command, code, c.err.String())
		}
		out := c.out.String() + c.err.String()
		if strings.ContainsAny(out, "\x1b\x07\u009b") {
			t.Errorf("%s prints what a terminal obeys: %q", command, out)
		}
		if !strings.Contains(out, "\uFFFD") && command != "list" {
			t.Errorf("%s prints nothing of the text, so this shows nothing: %q", command, out)
		}
	}
}

// A check quotes what an admission webhook says, and an error what the API server does.
func TestATerminalObeysNoFinding(t *testing.T) {
	const hostile = "web\x1b]0;title\x07\x1b[2J\u009b8m"
	h := newHospital(t)
	h.admits = errors.New(hostile)
	h.open()
	h.run(t, "doctor", "web")
	doctors := h.out.String() + h.err.String()
	refused := newCluster()
	refused.PrependReactor("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New(hostile)
	})
	refused.run(t, "status", "web")
	for what, out := range map[string]string{"doctor": doctors, "an error": refused.out.String() + refused.err.String()} {
		if strings.ContainsAny(out, "\x1b\x07\u009b") || !strings.Contains(out, "title") {
			t.Errorf("%s prints what a terminal obeys, or nothing of the text: %q", what, out)
		}
	}
}
