package apisim

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Server holds objects. It is not safe for concurrent use.
type Server struct {
	scheme  *runtime.Scheme
	now     func() time.Time
	changed func(Change)
	kinds   map[schema.GroupVersionKind][]edition // oldest first
	version int64
	uids    int
}

// Change is one write that took effect. Old is nil where the object was created, New
// where it is gone. Neither may be modified.
type Change struct {
	Kind     string
	Old, New client.Object
}

// edition is all objects of a kind, as of one version. It is never modified.
type edition struct {
	version int64
	at      time.Time
	objects map[types.NamespacedName]client.Object
}

// history is how many editions of a kind are kept for the caches.
const history = 64

// NewServer returns a Server for the typed objects of scheme. changed is called after
// each write that took effect; it may write.
func NewServer(scheme *runtime.Scheme, now func() time.Time, changed func(Change)) *Server {
	return &Server{scheme: scheme, now: now, changed: changed, kinds: map[schema.GroupVersionKind][]edition{}}
}

func (s *Server) latest(gvk schema.GroupVersionKind) edition {
	all := s.kinds[gvk]
	if len(all) == 0 {
		return edition{}
	}
	return all[len(all)-1]
}

// put stores obj, or removes what has the key where obj is nil.
func (s *Server) put(gvk schema.GroupVersionKind, key types.NamespacedName, obj client.Object) {
	was := s.latest(gvk)
	s.version++
	is := edition{version: s.version, at: s.now(), objects: maps.Clone(was.objects)}
	if is.objects == nil {
		is.objects = map[types.NamespacedName]client.Object{}
	}
	c := Change{Kind: gvk.Kind, Old: was.objects[key]}
	if obj == nil {
		delete(is.objects, key)
	} else {
		obj.SetResourceVersion(strconv.FormatInt(s.version, 10))
		is.objects[key] = obj
		c.New = obj
	}
	all := append(s.kinds[gvk], is)
	s.kinds[gvk] = all[max(0, len(all)-history):]
	if s.changed != nil {
		s.changed(c)
	}
}

// typed returns the kind of obj and a copy of obj of the type that the scheme has for
// it.
func (s *Server) typed(obj client.Object) (schema.GroupVersionKind, client.Object, error) {
	gvk, err := apiutil.GVKForObject(obj, s.scheme)
	if err != nil {
		return gvk, nil, err
	}
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		out := obj.DeepCopyObject().(client.Object)
		out.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
		return gvk, out, nil
	}
	out, err := s.scheme.New(gvk)
	if err != nil {
		return gvk, nil, err
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out)
	out.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return gvk, out.(client.Object), err
}

// fill copies stored into obj, which may be typed, unstructured or metadata only. The
// deep copy of stored has the type that the scheme has for gvk: a transform may keep
// another one.
func fill(obj client.Object, gvk schema.GroupVersionKind, stored client.Object) error {
	stored = stored.DeepCopyObject().(client.Object)
	switch out := obj.(type) {
	case *unstructured.Unstructured:
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(stored)
		if err != nil {
			return err
		}
		out.SetUnstructuredContent(content)
		out.SetGroupVersionKind(gvk)
	case *metav1.PartialObjectMetadata:
		m, err := meta.Accessor(stored)
		if err != nil {
			return err
		}
		out.ObjectMeta = meta.AsPartialObjectMetadata(m).ObjectMeta
		out.SetGroupVersionKind(gvk)
	default:
		reflect.ValueOf(obj).Elem().Set(reflect.ValueOf(stored).Elem())
	}
	return nil
}

func notFound(gvk schema.GroupVersionKind, name string) error {
	return apierrors.NewNotFound(resource(gvk), name)
}

func resource(gvk schema.GroupVersionKind) schema.GroupResource {
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return plural.GroupResource()
}

// section is a part of a typed object: "Spec" or "Status". It is not valid where the
// kind has none.
func section(obj client.Object, name string) reflect.Value {
	return reflect.ValueOf(obj).Elem().FieldByName(name)
}

func sameSection(a, b client.Object, name string) bool {
	x, y := section(a, name), section(b, name)
	return !x.IsValid() || apiequality.Semantic.DeepEqual(x.Interface(), y.Interface())
}

// raiseGeneration sets the generation of is, which replaces was.
func raiseGeneration(was, is client.Object) {
	is.SetGeneration(was.GetGeneration())
	_, deployment := is.(*appsv1.Deployment)
	if !sameSection(was, is, "Spec") || deployment && !apiequality.Semantic.DeepEqual(was.GetAnnotations(), is.GetAnnotations()) {
		is.SetGeneration(was.GetGeneration() + 1)
	}
}

func keyOf(obj client.Object) types.NamespacedName { return client.ObjectKeyFromObject(obj) }

// Get returns the object as it is now. The caller must not modify it. It returns nil
// where there is none.
func Get[T client.Object](s *Server, namespace, name string) T {
	var out T
	empty := reflect.New(reflect.TypeOf(out).Elem()).Interface().(T)
	gvk, err := apiutil.GVKForObject(empty, s.scheme)
	if err != nil {
		panic(fmt.Sprintf("apisim: %v", err)) // the scheme lacks the kind: an error of the test itself
	}
	if obj, ok := s.latest(gvk).objects[types.NamespacedName{Namespace: namespace, Name: name}]; ok {
		return obj.(T)
	}
	return out
}

// All returns the objects of a kind as they are now, sorted by name. The caller must not
// modify them.
func All[T client.Object](s *Server) []T {
	var out T
	gvk, err := apiutil.GVKForObject(reflect.New(reflect.TypeOf(out).Elem()).Interface().(T), s.scheme)
	if err != nil {
		panic(fmt.Sprintf("apisim: %v", err)) // as in Get
	}
	var all []T
	for _, obj := range sorted(s.latest(gvk).objects) {
		all = append(all, obj.(T))
	}
	return all
}
