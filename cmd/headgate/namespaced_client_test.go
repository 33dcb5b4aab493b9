package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func deploymentAt(namespace, version string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", ResourceVersion: version}}
}

// clientOfTwo is the client for the namespaces a and b. Its API server gives each write the
// version 100; the cache sees what the test says.
func clientOfTwo(t *testing.T) (client.Client, *informertest.FakeInformers) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"namespace":"a","name":"web","resourceVersion":"100"}}`)
	}))
	t.Cleanup(server.Close)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	informers := &informertest.FakeInformers{}
	c, err := newClient([]string{"a", "b"}, "headgate-system")(&rest.Config{Host: server.URL}, client.Options{
		Scheme: scheme.Scheme, Mapper: mapper,
		Cache: &client.CacheOptions{Reader: informers, EnableReadYourWritesConsistency: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, informers
}

// A watch of another namespace may be ahead. It says nothing about the own last write.
func TestOwnWritesAreReadInEachNamespace(t *testing.T) {
	nothing := client.RawPatch(types.MergePatchType, []byte(`{}`))
	read := func(ctx context.Context, c client.Client) error {
		return c.Get(ctx, client.ObjectKey{Namespace: "a", Name: "web"}, &appsv1.Deployment{})
	}
	for name, write := range map[string]func(context.Context, client.Client) error{
		"patch":  func(ctx context.Context, c client.Client) error { return c.Patch(ctx, deploymentAt("a", ""), nothing) },
		"update": func(ctx context.Context, c client.Client) error { return c.Update(ctx, deploymentAt("a", "99")) },
		"create": func(ctx context.Context, c client.Client) error { return c.Create(ctx, deploymentAt("a", "")) },
		"status": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, deploymentAt("a", ""), nothing)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, informers := clientOfTwo(t)
			informer, err := informers.FakeInformerFor(t.Context(), &appsv1.Deployment{})
			if err != nil {
				t.Fatal(err)
			}
			if err := read(t.Context(), c); err != nil { // from now on the client listens
				t.Fatal(err)
			}
			if err := write(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			informer.Add(deploymentAt("b", "101"))
			short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := read(short, c); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("before the cache has the write: %v, want to wait", err)
			}
			informer.Update(deploymentAt("a", "99"), deploymentAt("a", "100"))
			long, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := read(long, c); err != nil {
				t.Errorf("after it: %v", err)
			}
			if err := c.List(long, &appsv1.DeploymentList{}, client.InNamespace("a")); err != nil {
				t.Errorf("a list after it: %v", err)
			}
		})
	}
}

// With one watch of each kind the client of controller-runtime is right.
func TestOneWatchNeedsNoOtherClient(t *testing.T) {
	if newClient(nil, "headgate-system") != nil || newClient([]string{"a"}, "headgate-system") != nil {
		t.Error("the client is not the default one")
	}
}
