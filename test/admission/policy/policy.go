// Package policy evaluates the admission policies of Headgate's chart as the API server
// does, with the API server's own packages and without an API server. A test can then
// compare thousands of writes with package webhook.
package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	admissionregv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/headgate/headgate/test/chart"
)

// Policies are the admission policies of one rendering of the chart.
type Policies struct {
	mutating   []mutating
	validating []validating
}

// Write is one write to a Deployment, as a policy sees it.
type Write struct {
	Old, New *appsv1.Deployment // Old is nil when New is created; neither is modified
	User     string
}

// Result is what the API server makes of a Write.
type Result struct {
	Deployment *appsv1.Deployment // what is stored, if there are no Denials
	Denials    []string
	Warnings   []string
}

// Load renders the chart in dir and compiles its policies with what CEL has in a
// Kubernetes of release.KubeVersion. An expression that does not compile is an error.
func Load(ctx context.Context, dir string, release chart.Release) (*Policies, error) {
	rendered, err := chart.Render(ctx, dir, release)
	if err != nil {
		return nil, err
	}
	v, err := version.ParseGeneric(release.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("version of Kubernetes %q: %w", release.KubeVersion, err)
	}
	compile := compiler{version: v, actions: map[string][]admissionregv1.ValidationAction{}}
	for d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(rendered), 4096); ; {
		obj := unstructured.Unstructured{}
		err := d.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return compile.finish()
		}
		if err != nil {
			return nil, fmt.Errorf("read the rendered chart: %w", err)
		}
		if err := compile.add(obj); err != nil {
			return nil, fmt.Errorf("%s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
}

// Admit evaluates the mutating policies, and then the others on their result.
func (p *Policies) Admit(ctx context.Context, w Write) (Result, error) {
	operation := admission.Create
	var old runtime.Object
	if w.Old != nil {
		operation, old = admission.Update, w.Old
	}
	record := admission.NewAttributesRecord(w.New.DeepCopy(), old, deployments.GroupVersion().WithKind("Deployment"),
		w.New.Namespace, w.New.Name, deployments, "", operation, &metav1.UpdateOptions{}, false, &user.DefaultInfo{Name: w.User})
	attributes, err := admission.NewVersionedAttributes(record, record.GetKind(), interfaces)
	if err != nil {
		return Result{}, err
	}
	for _, m := range p.mutating {
		if err := m.mutate(ctx, attributes); err != nil {
			return Result{}, err
		}
	}
	var result Result
	for _, v := range p.validating {
		found, err := v.validate(ctx, attributes)
		if err != nil {
			return Result{}, err
		}
		if slices.Contains(v.actions, admissionregv1.Deny) {
			result.Denials = append(result.Denials, found...)
		} else {
			result.Warnings = append(result.Warnings, found...)
		}
	}
	stored, ok := attributes.VersionedObject.Object().(*appsv1.Deployment)
	if !ok {
		return Result{}, fmt.Errorf("a policy made a %T of a Deployment", attributes.VersionedObject.Object())
	}
	result.Deployment = stored
	return result, nil
}

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	interfaces  = admission.NewObjectInterfacesFromScheme(scheme.Scheme)
)
