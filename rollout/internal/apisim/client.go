package apisim

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type labelSet = labels.Set

// Write is one write of the code under test.
type Write struct {
	Verb string // create, update, patch or delete
	Kind string
	Key  types.NamespacedName
	Sub  string // "status", or "" for the object itself
}

// Client is the client of a manager: it reads from a cache and writes to the server.
// The methods that are not simulated panic.
type Client struct {
	client.Client // nil: for the methods that are not simulated
	reader
	cache *Cache

	// Intercept decides what becomes of a write. commit makes it take effect; what
	// Intercept returns is what the writer is told. A dry run does not come here.
	Intercept func(ctx context.Context, w Write, commit func() error) error
}

// NewClient returns a client whose writes all take effect.
func NewClient(c *Cache) *Client { return &Client{reader: c.reader(), cache: c} }

// Get implements client.Client.
func (c *Client) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.reader.Get(ctx, key, obj, opts...)
}

// List implements client.Client.
func (c *Client) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.reader.List(ctx, list, opts...)
}

// Create implements client.Client.
func (c *Client) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if o := (&client.CreateOptions{}).ApplyOptions(opts); len(o.DryRun) > 0 { // it would store obj as it is
		return ctx.Err()
	}
	return c.write(ctx, obj, Write{Verb: "create"}, true, func() error { return c.cache.server.Create(obj) })
}

// Update implements client.Client.
func (c *Client) Update(ctx context.Context, obj client.Object, _ ...client.UpdateOption) error {
	return c.write(ctx, obj, Write{Verb: "update"}, true, func() error { return c.cache.server.Update(obj) })
}

// Patch implements client.Client.
func (c *Client) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	waits := !(&client.PatchOptions{}).ApplyOptions(opts).DisableReadYourWritesConsistency
	return c.write(ctx, obj, Write{Verb: "patch"}, waits, func() error { return c.cache.server.patch(obj, "", patch) })
}

// Delete implements client.Client.
func (c *Client) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	waits := !(&client.DeleteOptions{}).ApplyOptions(opts).DisableReadYourWritesConsistency
	return c.write(ctx, obj, Write{Verb: "delete"}, waits, func() error { return c.cache.server.Delete(obj, opts...) })
}

// Status implements client.Client.
func (c *Client) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements client.Client.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return subResource{parent: c, name: name}
}

// Scheme implements client.Client.
func (c *Client) Scheme() *runtime.Scheme { return c.cache.server.scheme }

// write carries out w on obj. waits says that later reads wait until the cache has it: for
// that, the client of controller-runtime starts an informer of this kind, of the whole
// cluster. So it must be one that the manager watches anyway.
func (c *Client) write(ctx context.Context, obj client.Object, w Write, waits bool, commit func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, metadata := obj.(*metav1.PartialObjectMetadata)
	if _, pod := obj.(*corev1.Pod); waits && (pod || metadata) {
		return fmt.Errorf("this %s of a %T starts an informer: use client.DisableReadYourWritesConsistency", w.Verb, obj)
	}
	gvk, _, err := c.cache.server.typed(obj)
	if err != nil {
		return err
	}
	w.Kind, w.Key = gvk.Kind, keyOf(obj)
	if c.Intercept == nil {
		err = commit()
	} else {
		err = c.Intercept(ctx, w, commit)
	}
	if err == nil {
		c.cache.wrote(gvk, w.Key, w.Verb == "delete", obj.GetResourceVersion())
	}
	return err
}

// subResource writes one subresource.
type subResource struct {
	client.SubResourceClient // nil: for the methods that are not simulated
	parent                   *Client
	name                     string
}

// Patch implements client.SubResourceWriter.
func (s subResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	commit := func() error { return s.parent.cache.server.patch(obj, s.name, patch) }
	return s.parent.write(ctx, obj, Write{Verb: "patch", Sub: s.name}, true, commit)
}
