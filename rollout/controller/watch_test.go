package controller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// indexed builds a client with the indexes of the kinds that scheme knows.
func indexed(scheme *runtime.Scheme) *fake.ClientBuilder {
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, i := range indexes {
		if _, _, err := scheme.ObjectKinds(i.of); err == nil {
			b.WithIndex(i.of, i.name, i.keys)
		}
	}
	return b
}

// affecting is a Router that can do nothing but say what an object affects.
type affecting struct {
	Router
	affected rollout.Affected
}

func (a affecting) Affected(context.Context, client.Object) (rollout.Affected, error) {
	return a.affected, nil
}

// inRollout is Deployment NAME, in a rollout, whose pods have app=NAME and part-of=shop.
func inRollout(namespace, name string, annotations ...string) *appsv1.Deployment {
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Annotations: map[string]string{spec.AnnotationRollout: "7"},
	}}
	dep.Spec.Template.Labels = map[string]string{"app": name, "part-of": "shop"}
	for i := 0; i < len(annotations); i += 2 {
		dep.Annotations[annotations[i]] = annotations[i+1]
	}
	return dep
}

// madeFor marks obj as made by Headgate for Deployment owner.
func madeFor(owner string, obj client.Object) client.Object {
	obj.SetLabels(map[string]string{spec.LabelManagedBy: spec.ManagedBy})
	obj.SetOwnerReferences([]metav1.OwnerReference{{Kind: "Deployment", Name: owner, Controller: new(true)}})
	return obj
}

// TestRolloutsWokenByAnEvent: an event wakes the rollouts that it may concern, and no
// other of the same namespace.
func TestRolloutsWokenByAnEvent(t *testing.T) {
	idle := inRollout("shop", "idle")
	idle.Annotations = nil
	canary := inRollout("shop", "api-canary")
	canary.Annotations = nil
	c := indexed(clientgoscheme.Scheme).WithObjects(
		inRollout("shop", "web"), inRollout("shop", "api"), idle, madeFor("api", canary), inRollout("else", "web"),
		inRollout("shop", "named", spec.AnnotationService, "x, theirs", spec.AnnotationIngress, "edge"),
		inRollout("blog", "seen", spec.AnnotationPreviewHost, "preview.blog.test"),
	).Build()
	pods := func(namespace string, labels map[string]string) rollout.Affected {
		return rollout.Affected{Pods: []rollout.PodSelector{{Namespace: namespace, Labels: labels}}}
	}
	service := func(name string) client.Object {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	ingress := func(name string) client.Object {
		return &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	for sentence, tt := range map[string]struct {
		obj      client.Object
		affected rollout.Affected
		want     []string
	}{
		"nobody, if it concerns nobody":        {service("cart"), rollout.Affected{}, nil},
		"those whose pods a Service selects":   {service("web"), pods("shop", map[string]string{"app": "web"}), []string{"shop/web"}},
		"in the namespace of the selector":     {ingress("web"), pods("else", map[string]string{"app": "web"}), []string{"else/web"}},
		"not those that one label of two fits": {service("web"), pods("shop", map[string]string{"app": "web", "part-of": "x"}), nil},
		"not a Deployment without a rollout":   {service("idle"), pods("shop", map[string]string{"app": "idle"}), nil},
		"those whose canary pods it selects":   {service("new"), pods("shop", map[string]string{"app": "api-canary"}), []string{"shop/api"}},
		"all those that share a selected label": {service("new"), pods("shop", map[string]string{"part-of": "shop"}),
			[]string{"shop/api", "shop/named", "shop/web"}},
		"those that name the Service":   {service("theirs"), rollout.Affected{}, []string{"shop/named"}},
		"those that name the Ingress":   {ingress("edge"), rollout.Affected{}, []string{"shop/named"}},
		"not those that name a Service": {ingress("theirs"), rollout.Affected{}, nil},
		"the owner of a canary Service": {madeFor("web", service("web-canary")), rollout.Affected{}, []string{"shop/web"}},
		"the owner of a canary Ingress": {madeFor("web", ingress("web-canary")), rollout.Affected{}, []string{"shop/web"}},
		"those with the preview host":   {ingress("x"), rollout.Affected{Hosts: []string{"preview.blog.test"}}, []string{"blog/seen"}},
		"those below a wildcard":        {ingress("x"), rollout.Affected{Hosts: []string{"*.blog.test"}}, []string{"blog/seen"}},
		"not those with another host":   {ingress("x"), rollout.Affected{Hosts: []string{"blog.test", ""}}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &Reconciler{Client: c, Router: affecting{affected: tt.affected}}
			expectRequests(t, tt.want, r.rolloutsAffectedBy(t.Context(), tt.obj))
		})
	}

	r := &Reconciler{Client: c, Autoscalers: &heldAutoscalers{}}
	scales := func(kind, name string) client.Object {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x"}}
		hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: kind, Name: name}
		return hpa
	}
	expectRequests(t, []string{"shop/web"}, r.rolloutsScaledBy(t.Context(), scales("Deployment", "web")))
	expectRequests(t, nil, r.rolloutsScaledBy(t.Context(), scales("Deployment", "idle")))
	expectRequests(t, nil, r.rolloutsScaledBy(t.Context(), scales("StatefulSet", "web")))
	expectRequests(t, []string{"blog/seen", "else/web", "shop/api", "shop/named", "shop/web"},
		r.allRollouts(t.Context(), &netv1.IngressClass{}))
}

func expectRequests(t *testing.T, want []string, requests []ctrl.Request) {
	t.Helper()
	var got []string
	for _, request := range requests {
		got = append(got, request.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
