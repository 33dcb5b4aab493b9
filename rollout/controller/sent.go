package controller

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// The caches hold objects in the API types of this program, so they lack every field
// that is newer. This file reads the few objects whose every field counts from the API
// server, as it sends them, and copies them without a loss.

// liveTemplate returns the pod template of dep as the API server has it. It fails with
// errStale if dep is not the present generation.
func (r *Reconciler) liveTemplate(ctx context.Context, dep *appsv1.Deployment) (spec.Template, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(dep), live); err != nil {
		return nil, fmt.Errorf("reading the pod template of Deployment %s: %w", dep.Name, err)
	}
	if live.GetUID() != dep.UID || live.GetGeneration() != dep.Generation {
		return nil, errStale
	}
	return templateOf(live), nil
}

// templateOf returns the pod template of a Deployment or a ReplicaSet.
func templateOf(u *unstructured.Unstructured) spec.Template {
	template, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "template")
	fields, _ := template.(map[string]any)
	return fields
}

// versions says which versions of a Deployment have ReplicaSets.
type versions struct {
	runs         bool // some ReplicaSet has pods
	templateRuns bool // one with pods has the template of the Deployment
	templateKept bool // one with or without pods has it
}

// liveVersions reads the Deployment and its ReplicaSets from the API server and
// compares whole templates. It fails with errStale if the Deployment changed.
func (r *Reconciler) liveVersions(ctx context.Context, s *snapshot) (versions, error) {
	wanted, err := r.liveTemplate(ctx, s.dep)
	if err != nil {
		return versions{}, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	selector := client.MatchingLabels(s.dep.Spec.Selector.MatchLabels)
	if err := r.Live.List(ctx, list, client.InNamespace(s.dep.Namespace), selector); err != nil {
		return versions{}, fmt.Errorf("confirming the ReplicaSets of Deployment %s: %w", s.dep.Name, err)
	}
	var v versions
	for i := range list.Items {
		rs := &list.Items[i]
		if !metav1.IsControlledBy(rs, s.dep) {
			continue
		}
		same := s.sameVersionAsSent(templateOf(rs), wanted)
		v.templateKept = v.templateKept || same
		if replicasOf(rs, "spec") > 0 || replicasOf(rs, "status") > 0 {
			v.runs, v.templateRuns = true, v.templateRuns || same
		}
	}
	return v, nil
}

// replicasOf returns the replicas in that field of a ReplicaSet.
func replicasOf(rs *unstructured.Unstructured, field string) int64 {
	replicas, _, _ := unstructured.NestedInt64(rs.Object, field, "replicas")
	return replicas
}

// sameVersionAsSent is sameVersion for whole templates.
func (s *snapshot) sameVersionAsSent(rs, dep spec.Template) bool {
	rs = rs.WithoutLabel(appsv1.DefaultDeploymentUniqueLabelKey)
	if s.Spec.Restart == spec.RestartRolling {
		rs, dep = rs.Unrestarted(), dep.Unrestarted()
	}
	return rs.Equal(dep)
}

// compareWhole corrects what the caches say of a held template: it is another version
// if it differs in a field that they lack. Only "the same" needs the second look,
// because two templates that differ in the caches do differ. So it costs nothing in an
// ordinary rollout.
func (r *Reconciler) compareWhole(ctx context.Context, s *snapshot) error {
	returns := s.canaryDep == nil && s.Stable.RevisionsAgo > 0 && s.Stable.RevisionsAgo <= s.Spec.RollbackWindow
	if s.Stable.Hold == "" || !s.Stable.TemplateRuns && !returns {
		return nil
	}
	v, err := r.liveVersions(ctx, s)
	if err != nil {
		return err
	}
	s.Stable.TemplateRuns = v.templateRuns
	if !v.templateKept {
		s.Stable.RevisionsAgo = 0
	}
	return nil
}

// fieldsOf returns obj, which has a JSON form, as decoded JSON.
func fieldsOf(obj any) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("encoding a %T: %w", obj, err)
	}
	return fields, nil
}

// changeFields makes in sent the changes that lead from known to changed, and returns
// the result. sent is what the API server sent, known is what the API types of this
// program hold of it, and changed is known after edits. What they do not hold stays:
//
//	sent     image: v2, newer: {a: 1}, labels: {app: web}
//	known    image: v2,                labels: {app: web}
//	changed  image: v2,                labels: {app: web-canary}
//	result   image: v2, newer: {a: 1}, labels: {app: web-canary}
//
// It may return parts of its arguments.
func changeFields(sent, known, changed any) any {
	if reflect.DeepEqual(known, changed) {
		return sent
	}
	switch changed := changed.(type) {
	case map[string]any:
		sent, isObject := sent.(map[string]any)
		known, wasObject := known.(map[string]any)
		if isObject && wasObject {
			return changeObject(sent, known, changed)
		}
	case []any:
		sent, isList := sent.([]any)
		known, wasList := known.([]any)
		if isList && wasList && len(sent) == len(known) {
			return changeList(sent, known, changed)
		}
	}
	return changed
}

func changeObject(sent, known, changed map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range sent {
		_, was := known[key]
		if _, is := changed[key]; was && !is {
			continue // removed
		}
		out[key] = value
	}
	for key, value := range changed {
		if before, was := known[key]; was && reflect.DeepEqual(before, value) {
			continue // out has what was sent, if anything: the types may add an empty struct
		}
		out[key] = changeFields(sent[key], known[key], value)
	}
	return out
}

// changeList finds the item that became an item of changed: at the same index if there
// are as many, else the first equal one. An item without one is new.
func changeList(sent, known, changed []any) []any {
	out := make([]any, len(changed))
	for i, item := range changed {
		from := i
		if len(changed) != len(known) {
			from = slices.IndexFunc(known, func(k any) bool { return reflect.DeepEqual(k, item) })
		}
		out[i] = item
		if from >= 0 {
			out[i] = changeFields(sent[from], known[from], item)
		}
	}
	return out
}
