package ingress

import (
	"context"
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// indexedCache is a cache with the indexes of a Router that counts the objects that it
// returns. A list without an index returns every object of its kind, as a real cache
// looks at every one.
type indexedCache struct {
	client.Client
	services  map[string][]*corev1.Service // by namespace/name, by index/namespace/key, and "all"
	ingresses map[string][]*netv1.Ingress
	read      int
}

// namespaceOf returns n applications of one namespace: Deployment app-N of rollout N with one Service, one
// Ingress, and its canary objects. All have one host, one part-of label and one chart
// instance.
func namespaceOf(n int) (*indexedCache, []rollout.Target) {
	c := &indexedCache{services: map[string][]*corev1.Service{}, ingresses: map[string][]*netv1.Ingress{}}
	targets := make([]rollout.Target, n)
	for i := range targets {
		name := fmt.Sprint("app-", i)
		pod := map[string]string{"app.kubernetes.io/instance": "shop", "app.kubernetes.io/name": name, "part-of": "shop"}
		targets[i] = rollout.Target{
			Deployment: &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name)},
				Spec: appsv1.DeploymentSpec{
					Selector: &metav1.LabelSelector{MatchLabels: pod},
					Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod}},
				},
			},
			Rollout: "7", Track: map[string]string{"app.kubernetes.io/instance": "shop-canary"},
		}
		stable := service(name, "", func(svc *corev1.Service) {
			svc.Spec.Selector = map[string]string{"app.kubernetes.io/instance": "shop", "app.kubernetes.io/name": name}
		})
		ing := ingress(name, rule("shop.test", path("/"+name, name)))
		canary := defaultDialect.buildCanaryIngress(targets[i], ing, serviceNames{name: true}, trafficSplit{weight: 10})
		c.add(stable, ing, canary, buildService(targets[i], stable, forCanary))
	}
	return c, targets
}

func (c *indexedCache) add(objects ...client.Object) {
	for _, obj := range objects {
		keys := []string{client.ObjectKeyFromObject(obj).String(), "all"}
		for _, i := range indexes {
			if fmt.Sprintf("%T", i.of) == fmt.Sprintf("%T", obj) {
				for _, key := range i.keys(obj) {
					keys = append(keys, i.name+"/"+obj.GetNamespace()+"/"+key, i.name+"//"+key)
				}
			}
		}
		for _, key := range keys {
			switch obj := obj.(type) {
			case *corev1.Service:
				c.services[key] = append(c.services[key], obj)
			case *netv1.Ingress:
				c.ingresses[key] = append(c.ingresses[key], obj)
			}
		}
	}
}

func (c *indexedCache) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	c.read++
	switch obj := obj.(type) {
	case *corev1.Service:
		if found := c.services[key.String()]; found != nil {
			found[0].DeepCopyInto(obj)
			return nil
		}
	case *netv1.Ingress:
		if found := c.ingresses[key.String()]; found != nil {
			found[0].DeepCopyInto(obj)
			return nil
		}
	}
	return apierrors.NewNotFound(corev1.Resource("object"), key.Name)
}

func (c *indexedCache) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	key := "all"
	if o.FieldSelector != nil {
		r := o.FieldSelector.Requirements()[0]
		key = r.Field + "/" + o.Namespace + "/" + r.Value
	}
	switch list := list.(type) {
	case *corev1.ServiceList:
		for _, svc := range c.services[key] {
			list.Items = append(list.Items, *svc.DeepCopy())
		}
		c.read += len(list.Items)
	case *netv1.IngressList:
		for _, ing := range c.ingresses[key] {
			list.Items = append(list.Items, *ing.DeepCopy())
		}
		c.read += len(list.Items)
	case *netv1.IngressClassList:
		list.Items = []netv1.IngressClass{*nginxClass()}
	default:
		return errors.New("the cache does not have this kind")
	}
	return nil
}

// lookAtAll observes every target, before its canary and beside it, and asks whom the
// events of its Service and its Ingresses concern.
func lookAtAll(tb testing.TB, c *indexedCache, targets []rollout.Target) {
	tb.Helper()
	r := New(c, nil, Options{})
	for _, t := range targets {
		before := t
		before.Track = nil
		for _, t := range []rollout.Target{t, before} {
			tr, err := r.Observe(tb.Context(), t)
			if err != nil || tr.Problem != nil || !tr.Routed {
				tb.Fatalf("%+v, %v", tr, err)
			}
		}
		name := namespace + "/" + t.Deployment.Name
		for _, obj := range []client.Object{c.services[name][0], c.ingresses[name][0], c.ingresses[name+"-canary"][0]} {
			affected, err := r.Affected(tb.Context(), obj)
			if err != nil || len(affected.Pods) == 0 || len(affected.Pods) > 3 {
				tb.Fatalf("%+v, %v", affected, err)
			}
		}
	}
}

// The cost of a rollout does not depend on how many others are in its namespace.
func TestALookReadsOnlyWhatMattersToIt(t *testing.T) {
	var perRollout []int
	for _, n := range []int{1, 10, 100} {
		c, targets := namespaceOf(n)
		lookAtAll(t, c, targets)
		perRollout = append(perRollout, c.read/n)
	}
	t.Logf("objects read per rollout among 1, 10 and 100: %v", perRollout)
	for _, reads := range perRollout {
		diff(t, perRollout[0], reads)
	}
}

// Nor does the cost of its end. The API server is asked too, and finds nothing here.
func TestAnEndReadsOnlyWhatMattersToIt(t *testing.T) {
	var read []int
	for _, n := range []int{1, 10, 100} {
		c, targets := namespaceOf(n)
		nothing, _ := namespaceOf(0)
		r := New(deleting{c}, nothing, Options{})
		for _, remove := range []func(context.Context, rollout.Target) error{r.Remove, r.Cleanup} {
			if err := remove(t.Context(), targets[0]); err != nil {
				t.Fatal(err)
			}
		}
		read = append(read, c.read)
	}
	t.Logf("objects read at the end of a rollout among 1, 10 and 100: %v", read)
	for _, reads := range read {
		diff(t, read[0], reads)
	}
}

// deleting is a client of that cache whose deletes succeed.
type deleting struct{ *indexedCache }

func (deleting) Delete(context.Context, client.Object, ...client.DeleteOption) error { return nil }

// BenchmarkNamespace reports the time per rollout among n others in one namespace.
// Compare the results of the sizes: they should be alike.
func BenchmarkNamespace(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, targets := namespaceOf(n)
			for i := 0; b.Loop(); i = (i + 1) % n {
				lookAtAll(b, c, targets[i:i+1])
			}
		})
	}
}
