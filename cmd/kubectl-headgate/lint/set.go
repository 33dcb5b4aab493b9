package lint

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// Set is some objects, which can be read as from a cache. It is for one goroutine.
type Set struct {
	// Client is nil: a Set takes no writes, and who writes to it has a bug.
	client.Client

	objects []client.Object
	sources map[client.Object]*source // of objects that come from a file
	indexes map[indexKey]client.IndexerFunc
	byKey   map[reflect.Type]map[client.ObjectKey]client.Object // nil: to be made
	byIndex map[indexKey]map[string][]client.Object             // what was asked for so far
	partial []*appsv1.Deployment                                // those that are only patches
	found   []Finding                                           // while reading
}

type indexKey struct {
	of    reflect.Type
	field string
}

// NewSet returns a Set of objects that were read from a cluster.
func NewSet(objects ...client.Object) *Set {
	s := &Set{sources: map[client.Object]*source{}, indexes: map[indexKey]client.IndexerFunc{}}
	s.Add(objects...)
	return s
}

// Add adds objects.
func (s *Set) Add(objects ...client.Object) {
	s.objects = append(s.objects, objects...)
	s.byKey, s.byIndex = nil, map[indexKey]map[string][]client.Object{}
}

// AddList adds the items of a list.
func (s *Set) AddList(list runtime.Object) error {
	items, err := meta.ExtractList(list)
	for _, item := range items {
		if obj, ok := item.(client.Object); ok {
			s.Add(obj)
		}
	}
	return err
}

// IndexField implements client.FieldIndexer.
func (s *Set) IndexField(_ context.Context, of client.Object, field string, keys client.IndexerFunc) error {
	s.indexes[indexKey{reflect.TypeOf(of), field}] = keys
	return nil
}

// Get implements client.Reader.
func (s *Set) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if s.byKey == nil {
		s.byKey = map[reflect.Type]map[client.ObjectKey]client.Object{}
		for _, o := range s.objects {
			of := reflect.TypeOf(o)
			if s.byKey[of] == nil {
				s.byKey[of] = map[client.ObjectKey]client.Object{}
			}
			s.byKey[of][client.ObjectKeyFromObject(o)] = o
		}
	}
	if o := s.byKey[reflect.TypeOf(obj)][key]; o != nil {
		reflect.ValueOf(obj).Elem().Set(reflect.ValueOf(o.DeepCopyObject()).Elem())
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: strings.ToLower(kindOf(obj)) + "s"}, key.Name)
}

// List implements client.Reader.
func (s *Set) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	kind := strings.TrimSuffix(kindOf(list), "List")
	var items []runtime.Object
	for _, obj := range s.candidates(list, o.FieldSelector) {
		ok, err := s.matches(obj, kind, o)
		if err != nil {
			return err
		}
		if ok {
			items = append(items, obj.DeepCopyObject())
		}
	}
	if metadata, ok := list.(*metav1.PartialObjectMetadataList); ok {
		for _, item := range items {
			obj, _ := meta.Accessor(item)
			metadata.Items = append(metadata.Items, *meta.AsPartialObjectMetadata(obj))
		}
		return nil
	}
	return meta.SetList(list, items)
}

// candidates are the objects that an index finds, or all of them: thousands of Deployments may
// be in one Set.
func (s *Set) candidates(list client.ObjectList, selector fields.Selector) []client.Object {
	items, typed := reflect.TypeOf(list).Elem().FieldByName("Items")
	if selector == nil || !typed {
		return s.objects
	}
	of := reflect.PointerTo(items.Type.Elem())
	for _, r := range selector.Requirements() {
		index := indexKey{of, r.Field}
		keys, ok := s.indexes[index]
		if !ok || r.Operator != selection.Equals {
			continue
		}
		if s.byIndex[index] == nil {
			s.byIndex[index] = s.build(of, keys)
		}
		return s.byIndex[index][r.Value]
	}
	return s.objects
}

// build makes an index.
func (s *Set) build(of reflect.Type, keys client.IndexerFunc) map[string][]client.Object {
	found := map[string][]client.Object{}
	for _, o := range s.objects {
		if reflect.TypeOf(o) != of {
			continue
		}
		for _, key := range keys(o) {
			found[key] = append(found[key], o)
		}
	}
	return found
}

func (s *Set) matches(obj client.Object, kind string, o client.ListOptions) (bool, error) {
	switch {
	case kindOf(obj) != kind, o.Namespace != "" && obj.GetNamespace() != o.Namespace:
		return false, nil
	case o.LabelSelector != nil && !o.LabelSelector.Matches(labels.Set(obj.GetLabels())):
		return false, nil
	case o.FieldSelector == nil:
		return true, nil
	}
	for _, r := range o.FieldSelector.Requirements() {
		if ok, err := s.hasField(obj, r); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// hasField says whether obj meets r, by an index or by the phase of a pod.
func (s *Set) hasField(obj client.Object, r fields.Requirement) (bool, error) {
	if keys, ok := s.indexes[indexKey{reflect.TypeOf(obj), r.Field}]; ok && r.Operator == selection.Equals {
		return slices.Contains(keys(obj), r.Value), nil
	}
	if pod, ok := obj.(*corev1.Pod); ok && r.Field == "status.phase" && r.Operator == selection.NotEquals {
		return string(pod.Status.Phase) != r.Value, nil
	}
	return false, fmt.Errorf("there is no index %s %s for %s", r.Field, r.Operator, kindOf(obj))
}

// kindOf is the kind of obj: that of its type, or what it says itself.
func kindOf(obj runtime.Object) string {
	if kind := obj.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	return reflect.TypeOf(obj).Elem().Name()
}

// each yields the objects of a type.
func each[T client.Object](s *Set) []T {
	var all []T
	for _, o := range s.objects {
		if t, ok := o.(T); ok {
			all = append(all, t)
		}
	}
	return all
}

// OptedIn returns the Deployments that are opted in and whole.
func (s *Set) OptedIn() []*appsv1.Deployment {
	return slices.DeleteFunc(each[*appsv1.Deployment](s), func(d *appsv1.Deployment) bool { return !spec.OptedIn(d.Annotations) })
}

// find returns the object of this kind and name. nil: there is none.
func (s *Set) find(kind, namespace, name string) client.Object {
	for _, o := range s.objects {
		if kindOf(o) == kind && o.GetName() == name && (o.GetNamespace() == namespace || o.GetNamespace() == "") {
			return o
		}
	}
	return nil
}
