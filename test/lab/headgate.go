package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab/controlplane"
)

// HeadgateNamespace is the namespace in which InstallHeadgate installs Headgate.
const HeadgateNamespace = "headgate-system"

// readyLimit is the longest time until Headgate's webhook answers.
const readyLimit = 3 * time.Minute

// InstallHeadgate renders the chart with values (as in helm --set) and applies the
// result. It returns when the pods are ready and the webhook answers. A second call is
// an upgrade.
func (l *Lab) InstallHeadgate(ctx context.Context, values map[string]string) error {
	return l.InstallHeadgateIn(ctx, HeadgateNamespace, metav1.NamespaceDefault, values)
}

// InstallHeadgateIn installs a release headgate in another namespace than HeadgateNamespace:
// with the value namespaces there may be several. asked is a namespace of its webhook.
func (l *Lab) InstallHeadgateIn(ctx context.Context, namespace, asked string, values map[string]string) error {
	objects, err := l.renderChart(ctx, namespace, values)
	if err != nil {
		return fmt.Errorf("install headgate: %w", err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := l.client.Create(ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("install headgate: create namespace: %w", err)
	}
	if l.headgate == nil {
		l.headgate = map[string][]*unstructured.Unstructured{}
	}
	l.headgate[namespace] = objects
	for _, obj := range objects {
		config := client.ApplyConfigurationFromUnstructured(obj)
		if err := l.client.Apply(ctx, config, client.FieldOwner("helm"), client.ForceOwnership); err != nil {
			return fmt.Errorf("install headgate: apply %s %q: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, fmt.Errorf("not within %s", readyLimit))
	defer cancel()
	if err := l.awaitHeadgate(ctx, asked, objects); err != nil {
		return fmt.Errorf("install headgate: %w\nlogs are in %s", err, filepath.Join(l.Dir, "pods", namespace))
	}
	return nil
}

// HeadgateWrites lists Headgate's writes so far, without those to the leader's Lease.
func (l *Lab) HeadgateWrites() ([]controlplane.Write, error) {
	writes, err := l.ControlPlane.Writes("system:serviceaccount:" + HeadgateNamespace + ":headgate")
	return slices.DeleteFunc(writes, func(w controlplane.Write) bool { return w.Resource == "leases" }), err
}

// HeadgateLog returns the last lines, at most limit, in which Headgate's pods name a
// namespace, oldest first. What cannot be read is left out.
func (l *Lab) HeadgateLog(namespace string, limit int) string {
	files, _ := filepath.Glob(filepath.Join(l.Dir, "pods", HeadgateNamespace, "*", "*.log")) // no error: the pattern is right
	var lines []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, namespace) {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines) // each begins with its time
	return strings.Join(lines[max(0, len(lines)-limit):], "")
}

// UninstallHeadgate deletes what was installed, in every namespace, and waits until the pods are
// gone.
func (l *Lab) UninstallHeadgate(ctx context.Context) error {
	for _, objects := range l.headgate {
		for _, obj := range slices.Backward(objects) {
			err := l.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationForeground))
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("uninstall headgate: %w", err)
			}
		}
		for _, obj := range objects {
			if err := l.AwaitGone(ctx, obj); err != nil {
				return fmt.Errorf("uninstall headgate: %w", err)
			}
		}
	}
	l.headgate = nil
	return nil
}

// awaitHeadgate waits for the Deployments, for a CA bundle in every webhook, and for an
// answer of the webhook.
func (l *Lab) awaitHeadgate(ctx context.Context, asked string, objects []*unstructured.Unstructured) error {
	for _, obj := range objects {
		var err error
		switch obj.GetKind() {
		case "Deployment":
			dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName()}}
			err = l.Available(ctx, dep)
		case "MutatingWebhookConfiguration":
			err = l.awaitBundle(ctx, obj.GetName())
		}
		if err != nil {
			return err
		}
	}
	return Poll(ctx, func() error { return l.tryWebhook(ctx, asked) })
}

func (l *Lab) awaitBundle(ctx context.Context, name string) error {
	config := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return l.Await(ctx, config, func() error {
		for _, w := range config.Webhooks {
			if len(w.ClientConfig.CABundle) == 0 {
				return fmt.Errorf("webhook %q has no CA bundle", w.Name)
			}
		}
		return nil
	})
}

// tryWebhook sends an opted-in Deployment through the webhook, as a dry run.
func (l *Lab) tryWebhook(ctx context.Context, namespace string) error {
	dep := Sample{Namespace: namespace, Name: "headgate-probe", Version: "v1"}.Deployment()
	dep.Annotations = map[string]string{"headgate.dev/strategy": "canary"}
	if err := l.client.Create(ctx, dep, client.DryRunAll); err != nil {
		return fmt.Errorf("the webhook does not answer: %w", err)
	}
	return nil
}
