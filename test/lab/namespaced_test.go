package lab_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// Two releases of the same name, each for namespaces of its own: a rollout ends in each of
// them, nothing is held elsewhere, and neither manager can touch what is the other's.
func TestTwoNamespacedReleases(t *testing.T) {
	shop, blog, news, elsewhere := namespace(t), namespace(t), namespace(t), namespace(t)
	ctx := within(t, 3*time.Minute)
	values := func(namespaces ...string) map[string]string {
		return map[string]string{
			"replicas": "1", "namespaces": "{" + strings.Join(namespaces, ",") + "}", "ingress.settle": "1s", "ingress.drain": "1s",
		}
	}
	t.Cleanup(func() {
		if err := shared.UninstallHeadgate(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	for release, namespaces := range map[string][]string{"team-one": {shop, blog}, "team-two": {news}} {
		if err := shared.InstallHeadgateIn(ctx, release, namespaces[0], values(namespaces...)); err != nil {
			t.Fatal(err)
		}
	}

	for _, ns := range []string{shop, blog, news} {
		t.Run("rollout", func(t *testing.T) {
			t.Parallel()
			promotes(t, ns)
		})
	}
	t.Run("elsewhere nothing is held", func(t *testing.T) {
		if dep := update(t, opted(t, elsewhere)); dep.Spec.Paused {
			t.Error("the template is held, and nobody is there to release it")
		}
	})
	t.Run("permissions", func(t *testing.T) {
		for _, ns := range []string{news, elsewhere, "team-two"} {
			mayNothing(t, "team-one", ns)
		}
		mayNothing(t, "team-two", shop)
	})
	t.Cleanup(func() { // after the rollouts
		writesStay(t, "team-one", "", "team-one", shop, blog)
		writesStay(t, "team-two", "", "team-two", news)
	})
}

// opted deploys an annotated sample service with its Ingress.
func opted(t *testing.T, ns string) lab.Sample {
	t.Helper()
	s := lab.Sample{Namespace: ns, Name: "web", Version: "v1", Replicas: 2, Annotations: map[string]string{
		"headgate.dev/strategy": "canary", "headgate.dev/steps": "50%, 1s, 100%, 1s",
	}}
	create(t, s.Ingress())
	deploy(t, s)
	return s
}

// update ships v2 and returns the answer of the API server.
func update(t *testing.T, s lab.Sample) *appsv1.Deployment {
	t.Helper()
	dep := &appsv1.Deployment{}
	if err := shared.Client().Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: s.Name}, dep); err != nil {
		t.Fatal(err)
	}
	before := dep.DeepCopy()
	dep.Spec.Template.Spec.Containers[0].Image = lab.Image("v2")
	if err := shared.Client().Patch(t.Context(), dep, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	return dep
}

// promotes ships a version in ns and waits until it is promoted.
func promotes(t *testing.T, ns string) {
	t.Helper()
	s := opted(t, ns)
	if dep := update(t, s); !dep.Spec.Paused {
		t.Error("the template is not held")
	}
	dep := &appsv1.Deployment{}
	dep.Namespace, dep.Name = s.Namespace, s.Name
	err := shared.Await(within(t, time.Minute), dep, func() error {
		for _, c := range dep.Status.Conditions {
			if c.Type == spec.ConditionType && c.Reason == string(reason.Promoted) {
				return nil
			}
		}
		return fmt.Errorf("not promoted: %+v", dep.Status.Conditions)
	})
	if err != nil {
		t.Error(err)
	}
}

// mayNothing checks that the manager of a release can neither read nor write in ns.
func mayNothing(t *testing.T, release, ns string) {
	t.Helper()
	config, err := shared.ConfigFor(t.Context(), release, "headgate")
	if err != nil {
		t.Fatal(err)
	}
	manager, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	canary := lab.Sample{Namespace: ns, Name: "intruder", Version: "v1"}
	for what, err := range map[string]error{
		"list Deployments":    manager.List(t.Context(), &appsv1.DeploymentList{}, client.InNamespace(ns)),
		"read a ConfigMap":    manager.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{}),
		"create a Deployment": manager.Create(t.Context(), canary.Deployment()),
		"create a Service":    manager.Create(t.Context(), canary.Service()),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("the manager in %s may %s in %s: %v", release, what, ns, err)
		}
	}
}

// writesStay checks where the manager of a release has written. "" stands for objects without a
// namespace: its webhook configuration.
func writesStay(t *testing.T, release string, namespaces ...string) {
	t.Helper()
	writes, err := shared.ControlPlane.Writes("system:serviceaccount:" + release + ":headgate")
	if err != nil || len(writes) == 0 {
		t.Fatalf("%s wrote %d times, %v", release, len(writes), err)
	}
	for _, w := range writes {
		if !slices.Contains(namespaces, w.Namespace) && w.Name != "intruder" && w.Code != 403 {
			t.Errorf("the manager in %s sent %s %s %s/%s", release, w.Verb, w.Resource, w.Namespace, w.Name)
		}
		if w.Code == 403 && slices.Contains(namespaces, w.Namespace) {
			t.Errorf("the manager in %s lacks the permission to %s %s in %s", release, w.Verb, w.Resource, w.Namespace)
		}
	}
}
