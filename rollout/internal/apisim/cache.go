package apisim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Cache is what the informers of one manager have seen: of each kind one edition,
// which may be behind. It never goes back, and it has every write that its own
// manager made and was told of: a read waits for that. (It has not what a write did
// that was answered with an error, as the read-your-writes layer of
// controller-runtime has not.)
type Cache struct {
	server  *Server
	indexes map[schema.GroupVersionKind]map[string]client.IndexerFunc
	seen    map[schema.GroupVersionKind]edition
	own     map[schema.GroupVersionKind]map[types.NamespacedName]int64 // versions of own writes

	// Transform makes of an object what the cache has of it, as
	// cache.Options.DefaultTransform does. nil changes nothing.
	Transform toolscache.TransformFunc

	transformed map[client.Object]client.Object // by the object as the server has it
}

// NewCache returns the cache of a manager that has just started.
func NewCache(s *Server) *Cache {
	return &Cache{
		server: s, indexes: map[schema.GroupVersionKind]map[string]client.IndexerFunc{},
		seen: map[schema.GroupVersionKind]edition{}, own: map[schema.GroupVersionKind]map[types.NamespacedName]int64{},
		transformed: map[client.Object]client.Object{},
	}
}

// transform returns what the cache has of stored, which is not modified.
func (c *Cache) transform(stored client.Object) (client.Object, error) {
	if c.Transform == nil {
		return stored, nil
	}
	if obj, ok := c.transformed[stored]; ok {
		return obj, nil
	}
	out, err := c.Transform(stored.DeepCopyObject())
	if err != nil {
		return nil, err
	}
	obj, ok := out.(client.Object)
	if !ok {
		return nil, fmt.Errorf("apisim: the transform made a %T", out)
	}
	c.transformed[stored] = obj
	return obj, nil
}

// IndexField makes Cache a client.FieldIndexer.
func (c *Cache) IndexField(_ context.Context, obj client.Object, field string, keys client.IndexerFunc) error {
	gvk, err := apiutil.GVKForObject(obj, c.server.scheme)
	if err != nil {
		return err
	}
	if c.indexes[gvk] == nil {
		c.indexes[gvk] = map[string]client.IndexerFunc{}
	}
	c.indexes[gvk][field] = keys
	return nil
}

// Refresh lets the cache catch up. behind says how many editions behind that of a
// kind stays, and from when on none may be missing. Stale says whether one is behind.
func (c *Cache) Refresh(behind func(kind string) (editions int, since time.Time)) (stale bool) {
	for gvk, all := range c.server.kinds {
		editions, since := behind(gvk.Kind)
		at := max(0, len(all)-1-editions)
		for at < len(all)-1 && all[at+1].at.Before(since) {
			at++
		}
		c.advance(gvk, all[at].version)
		stale = stale || c.seen[gvk].version < all[len(all)-1].version
	}
	return stale
}

// advance makes the edition that is seen at least the first one of version.
func (c *Cache) advance(gvk schema.GroupVersionKind, version int64) {
	if c.seen[gvk].version >= version {
		return
	}
	for _, e := range c.server.kinds[gvk] {
		if e.version >= version {
			c.seen[gvk] = e
			return
		}
	}
}

// wrote notes an own write, so that later reads have it. The answer to a delete has no
// version: reads wait for the latest one then.
func (c *Cache) wrote(gvk schema.GroupVersionKind, key types.NamespacedName, deleted bool, resourceVersion string) {
	if c.own[gvk] == nil {
		c.own[gvk] = map[types.NamespacedName]int64{}
	}
	version, err := strconv.ParseInt(resourceVersion, 10, 64)
	if deleted || err != nil {
		version = c.server.latest(gvk).version
	}
	c.own[gvk][key] = version
}

func (c *Cache) get(gvk schema.GroupVersionKind, key types.NamespacedName) (client.Object, bool) {
	c.advance(gvk, c.own[gvk][key])
	obj, ok := c.seen[gvk].objects[key]
	return obj, ok
}

func (c *Cache) list(gvk schema.GroupVersionKind) map[types.NamespacedName]client.Object {
	for _, version := range c.own[gvk] {
		c.advance(gvk, version)
	}
	return c.seen[gvk].objects
}

// reader is the reading half of a client.
type reader struct {
	scheme    *runtime.Scheme
	get       func(schema.GroupVersionKind, types.NamespacedName) (client.Object, bool)
	list      func(schema.GroupVersionKind) map[types.NamespacedName]client.Object
	indexes   map[schema.GroupVersionKind]map[string]client.IndexerFunc
	transform func(client.Object) (client.Object, error)
}

// Live returns a reader that has no cache.
func (s *Server) Live() client.Reader {
	return reader{
		scheme: s.scheme,
		get: func(gvk schema.GroupVersionKind, key types.NamespacedName) (client.Object, bool) {
			obj, ok := s.latest(gvk).objects[key]
			return obj, ok
		},
		list:      func(gvk schema.GroupVersionKind) map[types.NamespacedName]client.Object { return s.latest(gvk).objects },
		transform: func(obj client.Object) (client.Object, error) { return obj, nil },
	}
}

func (c *Cache) reader() reader {
	return reader{scheme: c.server.scheme, get: c.get, list: c.list, indexes: c.indexes, transform: c.transform}
}

// Get implements client.Reader.
func (r reader) Get(ctx context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	gvk, err := apiutil.GVKForObject(obj, r.scheme)
	if err != nil {
		return err
	}
	stored, ok := r.get(gvk, key)
	if !ok {
		return notFound(gvk, key.Name)
	}
	cached, err := r.transform(stored)
	if err != nil {
		return err
	}
	return fill(obj, gvk, cached)
}

// List implements client.Reader. The order is that of the names.
func (r reader) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	gvk, err := apiutil.GVKForObject(list, r.scheme)
	if err != nil {
		return err
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	o := (&client.ListOptions{}).ApplyOptions(opts)
	var items []runtime.Object
	for _, stored := range sorted(r.list(gvk)) {
		cached, err := r.transform(stored)
		if err != nil {
			return err
		}
		ok, err := r.matches(gvk, cached, o)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		item, err := r.itemFor(list, gvk)
		if err != nil {
			return err
		}
		if err := fill(item, gvk, cached); err != nil {
			return err
		}
		items = append(items, item)
	}
	return meta.SetList(list, items)
}

func (r reader) itemFor(list client.ObjectList, gvk schema.GroupVersionKind) (client.Object, error) {
	switch list.(type) {
	case *unstructured.UnstructuredList:
		return &unstructured.Unstructured{}, nil
	case *metav1.PartialObjectMetadataList:
		return &metav1.PartialObjectMetadata{}, nil
	}
	obj, err := r.scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	return obj.(client.Object), nil
}

func (r reader) matches(gvk schema.GroupVersionKind, obj client.Object, o *client.ListOptions) (bool, error) {
	if o.Namespace != "" && obj.GetNamespace() != o.Namespace ||
		o.LabelSelector != nil && !o.LabelSelector.Matches(labelsOf(obj)) {
		return false, nil
	}
	if o.FieldSelector == nil {
		return true, nil
	}
	for _, requirement := range o.FieldSelector.Requirements() {
		values, err := r.valuesOf(gvk, obj, requirement)
		if err != nil {
			return false, err
		}
		if slices.Contains(values, requirement.Value) == (requirement.Operator == selection.NotEquals) {
			return false, nil
		}
	}
	return true, nil
}

// valuesOf returns the values of an indexed field, or of a field by which the API
// server itself selects.
func (r reader) valuesOf(gvk schema.GroupVersionKind, obj client.Object, q fields.Requirement) ([]string, error) {
	if keys := r.indexes[gvk][q.Field]; keys != nil {
		return keys(obj), nil
	}
	pod, ok := obj.(*corev1.Pod)
	switch {
	case q.Field == "metadata.name":
		return []string{obj.GetName()}, nil
	case ok && q.Field == "status.phase":
		return []string{string(pod.Status.Phase)}, nil
	}
	return nil, fmt.Errorf("apisim: kind %s has no index %s", gvk.Kind, q.Field)
}

func labelsOf(obj client.Object) labelSet { return obj.GetLabels() }

// sorted returns objects in the order of their keys.
func sorted(objects map[types.NamespacedName]client.Object) []client.Object {
	keys := slices.SortedFunc(maps.Keys(objects), func(a, b types.NamespacedName) int {
		return strings.Compare(a.String(), b.String())
	})
	out := make([]client.Object, len(keys))
	for i, key := range keys {
		out[i] = objects[key]
	}
	return out
}
