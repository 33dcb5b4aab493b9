package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newClient returns how the manager makes its client. nil is the default, which is right as
// long as all objects of a kind come from one watch.
//
// With more namespaces there is one watch for each, and the default client could read what
// was before its own last write: it waits until any watch of the kind has seen a version as
// new as that of its write (consistencyhandler in controller-runtime 0.25.2), and another
// namespace may have seen one before. So each namespace gets a client of its own, which hears
// of the objects there only.
func newClient(namespaces []string, own string) client.NewClientFunc {
	if len(namespaces) < 2 {
		return nil
	}
	return func(config *rest.Config, options client.Options) (client.Client, error) {
		caches, ok := options.Cache.Reader.(cache.Cache)
		if !ok {
			return nil, fmt.Errorf("making a client: %T is no cache", options.Cache.Reader)
		}
		c := &namespacedClient{of: map[string]client.Client{}}
		for _, namespace := range append([]string{"", own}, namespaces...) {
			options, here := options, *options.Cache
			here.Reader = oneNamespace{caches, namespace}
			options.Cache = &here
			var err error
			if c.of[namespace], err = client.New(config, options); err != nil {
				return nil, err
			}
		}
		c.Client = c.of[""]
		return c, nil
	}
}

// oneNamespace is a cache whose informers tell of the objects of one namespace. "" is of objects
// without one. Its reads are those of the whole cache.
type oneNamespace struct {
	cache.Cache
	namespace string
}

// GetInformer implements cache.Informers.
func (o oneNamespace) GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error) {
	informer, err := o.Cache.GetInformer(ctx, obj, opts...)
	if err != nil {
		return nil, err
	}
	return namespaceInformer{informer, o.namespace}, nil
}

type namespaceInformer struct {
	cache.Informer
	namespace string
}

// AddEventHandler implements cache.Informer. The client uses no other method to listen.
func (i namespaceInformer) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.Informer.AddEventHandler(toolscache.FilteringResourceEventHandler{FilterFunc: i.tells, Handler: handler})
}

func (i namespaceInformer) tells(of any) bool {
	if gone, ok := of.(toolscache.DeletedFinalStateUnknown); ok {
		of = gone.Obj
	}
	obj, ok := of.(client.Object)
	return ok && obj.GetNamespace() == i.namespace
}

// namespacedClient gives each read and write to the client of its namespace. Client is for
// objects without one, and for lists of all namespaces.
type namespacedClient struct {
	client.Client
	of map[string]client.Client
}

// in returns the client of a namespace. Any other namespace is not in the cache: every client
// reports that as an error.
func (c *namespacedClient) in(namespace string) client.Client {
	if found := c.of[namespace]; found != nil {
		return found
	}
	return c.Client
}

// Get implements client.Reader.
func (c *namespacedClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.in(key.Namespace).Get(ctx, key, obj, opts...)
}

// List implements client.Reader. Only a list of one namespace waits for its own writes.
func (c *namespacedClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.in((&client.ListOptions{}).ApplyOptions(opts).Namespace).List(ctx, list, opts...)
}

// Create implements client.Writer.
func (c *namespacedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.in(obj.GetNamespace()).Create(ctx, obj, opts...)
}

// Delete implements client.Writer.
func (c *namespacedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return c.in(obj.GetNamespace()).Delete(ctx, obj, opts...)
}

// Update implements client.Writer.
func (c *namespacedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return c.in(obj.GetNamespace()).Update(ctx, obj, opts...)
}

// Patch implements client.Writer.
func (c *namespacedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.in(obj.GetNamespace()).Patch(ctx, obj, patch, opts...)
}

// DeleteAllOf implements client.Writer.
func (c *namespacedClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	return c.in((&client.DeleteAllOfOptions{}).ApplyOptions(opts).Namespace).DeleteAllOf(ctx, obj, opts...)
}

var errApply = errors.New("cannot apply with several namespaces: an apply configuration does not say its namespace")

// Apply implements client.Writer. It always fails: Headgate writes with patches.
func (c *namespacedClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return errApply
}

// Status implements client.StatusClient.
func (c *namespacedClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements client.SubResourceClientConstructor.
func (c *namespacedClient) SubResource(name string) client.SubResourceClient {
	return namespacedSubResource{c, name}
}

type namespacedSubResource struct {
	client *namespacedClient
	name   string
}

func (s namespacedSubResource) in(namespace string) client.SubResourceClient {
	return s.client.in(namespace).SubResource(s.name)
}

// Get implements client.SubResourceReader.
func (s namespacedSubResource) Get(ctx context.Context, obj, sub client.Object, opts ...client.SubResourceGetOption) error {
	return s.in(obj.GetNamespace()).Get(ctx, obj, sub, opts...)
}

// Create implements client.SubResourceWriter.
func (s namespacedSubResource) Create(ctx context.Context, obj, sub client.Object, opts ...client.SubResourceCreateOption) error {
	return s.in(obj.GetNamespace()).Create(ctx, obj, sub, opts...)
}

// Update implements client.SubResourceWriter.
func (s namespacedSubResource) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.in(obj.GetNamespace()).Update(ctx, obj, opts...)
}

// Patch implements client.SubResourceWriter.
func (s namespacedSubResource) Patch(
	ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption,
) error {
	return s.in(obj.GetNamespace()).Patch(ctx, obj, patch, opts...)
}

// Apply implements client.SubResourceWriter. It always fails, as that of the client.
func (s namespacedSubResource) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errApply
}
