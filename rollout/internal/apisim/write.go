package apisim

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Create stores obj, and fills it with what is stored.
func (s *Server) Create(obj client.Object) error {
	gvk, stored, err := s.typed(obj)
	if err != nil {
		return err
	}
	key := keyOf(stored)
	if _, ok := s.latest(gvk).objects[key]; ok {
		return apierrors.NewAlreadyExists(resource(gvk), key.Name)
	}
	s.uids++
	stored.SetUID(types.UID(fmt.Sprintf("%s-%d", key.Name, s.uids)))
	stored.SetGeneration(1)
	stored.SetCreationTimestamp(metav1.NewTime(s.now()))
	s.put(gvk, key, stored)
	return fill(obj, gvk, stored)
}

// Update replaces the object, except its status, and fills obj with what is stored.
// An empty resourceVersion is no condition.
func (s *Server) Update(obj client.Object) error {
	return s.replace(obj, "", func(_ client.Object) (client.Object, error) {
		_, is, err := s.typed(obj)
		return is, err
	})
}

// UpdateStatus replaces the status and the annotations, and nothing else. The
// Deployment controller writes its revision so, and the generation stays.
func (s *Server) UpdateStatus(obj client.Object) error {
	return s.replace(obj, "status", func(_ client.Object) (client.Object, error) {
		_, is, err := s.typed(obj)
		return is, err
	})
}

// patch applies patch to the object, or to its status where sub says so.
func (s *Server) patch(obj client.Object, sub string, patch client.Patch) error {
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	return s.replace(obj, sub, func(was client.Object) (client.Object, error) {
		before, err := json.Marshal(was)
		if err != nil {
			return nil, err
		}
		var after []byte
		is := reflect.New(reflect.TypeOf(was).Elem()).Interface().(client.Object)
		switch patch.Type() {
		case types.MergePatchType:
			after, err = jsonpatch.MergePatch(before, data)
		case types.StrategicMergePatchType:
			after, err = strategicpatch.StrategicMergePatch(before, data, is)
		default:
			err = fmt.Errorf("apisim: patches of type %s are not simulated", patch.Type())
		}
		if err != nil {
			return nil, err
		}
		return is, json.Unmarshal(after, is)
	})
}

// replace stores what change makes of the object that obj names.
func (s *Server) replace(obj client.Object, sub string, change func(client.Object) (client.Object, error)) error {
	gvk, _, err := s.typed(obj)
	if err != nil {
		return err
	}
	key := keyOf(obj)
	was, ok := s.latest(gvk).objects[key]
	if !ok {
		return notFound(gvk, key.Name)
	}
	is, err := change(was)
	if err != nil {
		return err
	}
	if version := is.GetResourceVersion(); version != "" && version != was.GetResourceVersion() {
		return conflict(gvk, key.Name, "it was written meanwhile")
	}
	if uid := is.GetUID(); uid != "" && uid != was.GetUID() {
		return conflict(gvk, key.Name, "it is another object by now")
	}
	if is, err = merged(was, is, sub); err != nil {
		return err
	}
	if apiequality.Semantic.DeepEqual(was, is) {
		return fill(obj, gvk, was)
	}
	if is.GetDeletionTimestamp() != nil && len(is.GetFinalizers()) == 0 {
		s.remove(gvk, is)
		return fill(obj, gvk, is)
	}
	s.put(gvk, key, is)
	return fill(obj, gvk, is)
}

// merged is was with what a write of is may change.
func merged(was, is client.Object, sub string) (client.Object, error) {
	if sub == "status" {
		out := was.DeepCopyObject().(client.Object)
		section(out, "Status").Set(section(is, "Status"))
		out.SetAnnotations(is.GetAnnotations())
		return out, nil
	}
	if sub != "" {
		return nil, fmt.Errorf("apisim: subresource %q is not simulated", sub)
	}
	is.SetUID(was.GetUID())
	is.SetResourceVersion(was.GetResourceVersion())
	is.SetCreationTimestamp(was.GetCreationTimestamp())
	is.SetDeletionTimestamp(was.GetDeletionTimestamp())
	if status := section(is, "Status"); status.IsValid() {
		status.Set(section(was.DeepCopyObject().(client.Object), "Status"))
	}
	raiseGeneration(was, is)
	return is, nil
}

func conflict(gvk schema.GroupVersionKind, name, why string) error {
	return apierrors.NewConflict(resource(gvk), name, errors.New(why))
}

// Delete removes the object. One with finalizers stays, with a deletionTimestamp. So does
// one whose dependents are to be orphaned, until the test has done that in the place of
// the garbage collector.
func (s *Server) Delete(obj client.Object, opts ...client.DeleteOption) error {
	gvk, _, err := s.typed(obj)
	if err != nil {
		return err
	}
	was, ok := s.latest(gvk).objects[keyOf(obj)]
	if !ok {
		return notFound(gvk, obj.GetName())
	}
	if p := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions; p != nil {
		if p.UID != nil && *p.UID != was.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != was.GetResourceVersion() {
			return conflict(gvk, obj.GetName(), "the precondition does not hold")
		}
	}
	policy := (&client.DeleteOptions{}).ApplyOptions(opts).PropagationPolicy
	orphans := policy != nil && *policy == metav1.DeletePropagationOrphan
	switch {
	case len(was.GetFinalizers()) == 0 && !orphans:
		s.remove(gvk, was)
	case was.GetDeletionTimestamp() == nil:
		s.markDeleted(gvk, was, orphans)
	}
	return nil
}

// markDeleted gives obj a deletionTimestamp.
func (s *Server) markDeleted(gvk schema.GroupVersionKind, obj client.Object, orphans bool) {
	is := obj.DeepCopyObject().(client.Object)
	if orphans {
		is.SetFinalizers(append(is.GetFinalizers(), metav1.FinalizerOrphanDependents))
	}
	now := metav1.NewTime(s.now())
	is.SetDeletionTimestamp(&now)
	s.put(gvk, keyOf(obj), is)
}

// remove removes obj and what it owns.
func (s *Server) remove(gvk schema.GroupVersionKind, obj client.Object) {
	s.put(gvk, keyOf(obj), nil)
	for kind := range s.kinds {
		for _, other := range sorted(s.latest(kind).objects) {
			owned := func(ref metav1.OwnerReference) bool { return ref.UID == obj.GetUID() }
			if slices.ContainsFunc(other.GetOwnerReferences(), owned) {
				s.remove(kind, other)
			}
		}
	}
}
