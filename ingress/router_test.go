package ingress

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// cluster is a fake API server that records the writes and lists that it gets.
type cluster struct {
	client.WithWatch
	writes []string
	lists  []string
	refuse func(verb, name string) error // of writes; nil allows all
	now    time.Time
}

func newCluster(objects ...client.Object) *cluster {
	c := &cluster{now: noon}
	builder := fake.NewClientBuilder().WithObjects(objects...)
	for _, i := range indexes {
		builder.WithIndex(i.of, i.name, i.keys)
	}
	c.WithWatch = interceptor.NewClient(builder.Build(), interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			if err := c.note("create", obj); err != nil {
				return err
			}
			obj.SetUID(types.UID("uid-" + obj.GetName())) // as the API server does
			return w.Create(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, w client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := c.note("patch", obj); err != nil {
				return err
			}
			return w.Patch(ctx, obj, patch, opts...)
		},
		Delete: func(ctx context.Context, w client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			var o client.DeleteOptions
			o.ApplyOptions(opts)
			if o.Preconditions == nil || *o.Preconditions.UID != obj.GetUID() {
				return fmt.Errorf("%s is deleted whatever it is by now", obj.GetName())
			}
			if err := c.note("delete", obj); err != nil {
				return err
			}
			return w.Delete(ctx, obj, opts...)
		},
		List: func(ctx context.Context, w client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			var o client.ListOptions
			o.ApplyOptions(opts)
			kind := strings.TrimSuffix(list.GetObjectKind().GroupVersionKind().Kind, "List")
			c.lists = append(c.lists, strings.TrimSpace(fmt.Sprintf("%s %v %v", kind, o.LabelSelector, o.FieldSelector)))
			if _, pods := list.(*metav1.PartialObjectMetadataList); pods {
				o.FieldSelector = nil // the fake does not support it
			}
			return w.List(ctx, list, &o)
		},
	})
	return c
}

func (c *cluster) note(verb string, obj client.Object) error {
	if c.refuse != nil {
		if err := c.refuse(verb, obj.GetName()); err != nil {
			return err
		}
	}
	c.writes = append(c.writes, fmt.Sprintf("%s %T %s", verb, obj, obj.GetName()))
	return nil
}

func (c *cluster) router() *Router {
	return New(c, c, Options{PreviewBelowOwnHosts: true, Now: func() time.Time { return c.now }})
}

func (c *cluster) observe(t *testing.T, change ...func(*rollout.Target)) rollout.Traffic {
	t.Helper()
	tr, err := c.router().Observe(t.Context(), target(change...))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (c *cluster) setWeight(t *testing.T, weight int, change ...func(*rollout.Target)) {
	t.Helper()
	if err := c.router().SetWeight(t.Context(), target(change...), weight, spec.Match{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) setMatch(t *testing.T, m spec.Match) {
	t.Helper()
	if err := c.router().SetWeight(t.Context(), target(), 10, m); err != nil {
		t.Fatal(err)
	}
}

// remove deletes obj as a user would: it is no write of Headgate.
func (c *cluster) remove(t *testing.T, obj client.Object) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	if err := c.WithWatch.Delete(t.Context(), obj, client.Preconditions{UID: new(obj.GetUID())}); err != nil {
		t.Fatal(err)
	}
}

// add creates obj as a user would: it is no write of Headgate.
func (c *cluster) add(t *testing.T, obj client.Object) {
	t.Helper()
	if err := c.WithWatch.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) ingress(t *testing.T, name string) *netv1.Ingress {
	t.Helper()
	ing := ingress(name)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(ing), ing); err != nil {
		t.Fatal(err)
	}
	return ing
}

func (c *cluster) edit(t *testing.T, obj client.Object, change func()) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	change()
	if err := c.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

func shop() []client.Object {
	return []client.Object{
		nginxClass(), service("web", "web"), service("api", "api"),
		ingress("web", rule("a.test", path("/", "web"), path("/api", "api"))),
		ingress("admin", rule("admin.test", path("/", "web"))),
	}
}

func TestRouterSplitsAndReturnsTheTraffic(t *testing.T) {
	c := newCluster(shop()...)
	want := rollout.Traffic{
		Services: []string{"web"}, Ingresses: []string{"admin", "web"}, Port: "http",
		CanaryService: "web-canary", CanaryIngress: "admin-canary",
		Selectors:     []map[string]string{{"app": "web"}},
		WithoutCanary: []string{"admin", "web"},
	}
	diff(t, want, c.observe(t))

	c.setWeight(t, 10)
	diff(t, []string{
		"create *v1.Service web-canary",
		"create *v1.Ingress admin-canary",
		"create *v1.Ingress web-canary",
	}, c.writes)
	want.Routed, want.Current, want.Weight, want.Lowest, want.Since = true, true, 10, 10, noon
	want.Highest = 10
	want.Version, want.WithoutCanary = "admin-canary:1 web-canary:1 ", nil
	diff(t, want, c.observe(t))

	c.writes, c.now = nil, noon.Add(time.Minute)
	c.setWeight(t, 10)
	diff(t, []string(nil), c.writes)

	c.setWeight(t, 50)
	diff(t, []string{"patch *v1.Ingress admin-canary", "patch *v1.Ingress web-canary"}, c.writes)
	want.Weight, want.Lowest, want.Highest, want.Since = 50, 50, 50, c.now
	want.Version = "admin-canary:2 web-canary:2 "
	diff(t, want, c.observe(t))

	c.writes = nil
	if err := c.router().Remove(t.Context(), target()); err != nil {
		t.Fatal(err)
	}
	if err := c.router().Cleanup(t.Context(), target()); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{"delete *v1.Ingress admin-canary", "delete *v1.Ingress web-canary", "delete *v1.Service web-canary"}, c.writes)
	want.Routed, want.Current, want.Weight, want.Lowest, want.Since, want.Version = false, false, 0, 0, time.Time{}, ""
	want.WithoutCanary, want.Highest = want.Ingresses, 0
	diff(t, want, c.observe(t))

	c.writes = nil
	if err := errors.Join(c.router().Remove(t.Context(), target()), c.router().Cleanup(t.Context(), target())); err != nil {
		t.Fatal(err)
	}
	diff(t, []string(nil), c.writes)
}

func TestObserveSeesSessions(t *testing.T) {
	c := newCluster(shop()...)
	if c.observe(t).Sticky {
		t.Error("Sticky without affinity")
	}
	admin := ingress("admin", rule("admin.test", path("/", "web")))
	admin.Annotations = map[string]string{"nginx.ingress.kubernetes.io/affinity": "cookie"}
	c = newCluster(nginxClass(), service("web", "web"), ingress("web", rule("a.test", path("/", "web"))), admin)
	if !c.observe(t).Sticky {
		t.Error("one of two Ingresses gives sessions, and Sticky is false")
	}
}

func TestObserveSeesWhatIsNotCurrent(t *testing.T) {
	canary := func() *netv1.Ingress { return ingress("web-canary") }
	for name, tc := range map[string]struct {
		disturb func(*testing.T, *cluster)
		weight  int
	}{
		"a weight raised by hand": {func(t *testing.T, c *cluster) {
			ing := canary()
			c.edit(t, ing, func() { ing.Annotations[nginx("canary-weight")] = "90" })
		}, 90},
		"a weight lowered by hand": {func(t *testing.T, c *cluster) {
			ing := canary()
			c.edit(t, ing, func() { ing.Annotations[nginx("canary-weight")] = "0" })
		}, 10},
		"a path that was added": {func(t *testing.T, c *cluster) {
			ing := ingress("web")
			c.edit(t, ing, func() { ing.Spec.Rules = append(ing.Spec.Rules, rule("b.test", path("/", "web"))) })
		}, 10},
		"a canary Ingress that was deleted": {func(t *testing.T, c *cluster) {
			c.remove(t, canary())
		}, 10},
		"a canary Service that was changed": {func(t *testing.T, c *cluster) {
			svc := service("web-canary", "")
			c.edit(t, svc, func() { svc.Spec.Selector = map[string]string{"app": "web"} })
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(shop()...)
			c.setWeight(t, 10)
			tc.disturb(t, c)

			got := c.observe(t)
			diff(t, false, got.Current)
			diff(t, true, got.Routed)
			diff(t, tc.weight, got.Weight)

			c.setWeight(t, 10)
			got = c.observe(t)
			diff(t, true, got.Current)
			diff(t, 10, got.Weight)
		})
	}
}

func TestCanarySurvivesTheReCreationOfItsStableIngress(t *testing.T) {
	stable := ingress("web", rule("a.test", path("/", "web")))
	c := newCluster(nginxClass(), service("web", "web"), stable.DeepCopy())
	c.setWeight(t, 40)
	c.remove(t, stable.DeepCopy())

	c.writes = nil
	got := c.observe(t)
	diff(t, reason.NoIngress, got.Problem.Reason)
	diff(t, true, got.Routed)
	diff(t, 40, got.Weight)
	c.setWeight(t, 40)
	diff(t, []string(nil), c.writes)

	if err := c.Create(t.Context(), stable); err != nil {
		t.Fatal(err)
	}
	got = c.observe(t)
	diff(t, (*rollout.Problem)(nil), got.Problem)
	diff(t, true, got.Current)
}

func TestCheckPods(t *testing.T) {
	replicaSet := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "web-1", UID: "uid-rs", Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{UID: "uid-web", Controller: new(true)}},
	}}
	pod := func(name string, owner types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{UID: owner, Controller: new(true)}},
		}}
	}
	c := newCluster(append(shop(), replicaSet, pod("web-1-a", "uid-rs"))...)
	check := func() *rollout.Problem {
		t.Helper()
		c.lists = nil
		got, err := New(c.WithWatch, c, Options{}).CheckPods(t.Context(), target())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	diff(t, (*rollout.Problem)(nil), check())
	diff(t, []string{"Pod app=web status.phase!=Succeeded,status.phase!=Failed", "ReplicaSet app=web <nil>"}, c.lists[len(c.lists)-2:])

	c.add(t, pod("stray", "uid-job"))
	expectProblem(t, reason.ServiceSelectsOthers,
		`Service "web" also selects pod "stray", which does not belong to Deployment "web", and its traffic would be split too: `+
			`correct the selector, so that it selects only pods of the Deployment`, check())
}

// A Service that begins to select canary pods is found among the others by its selector.
func TestObserveFindsAServiceThatSelectsCanaryPods(t *testing.T) {
	c := newCluster(append(shop(), service("theirs", "web-canary"))...)
	diff(t, reason.CanaryIndistinct, c.observe(t).Problem.Reason)
}

// Whatever state a rollout is in, a look reads from the cache alone.
func TestObserveListsNothingLive(t *testing.T) {
	live := newCluster()
	for name, rollout := range map[string]func(*rollout.Target){
		"nothing is held":    func(t *rollout.Target) { t.Rollout, t.Track = "", nil },
		"held, not begun":    func(t *rollout.Target) { t.Track = nil },
		"a canary, no route": func(*rollout.Target) {},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(newCluster(shop()...), live, Options{}).Observe(t.Context(), target(rollout)); err != nil {
				t.Fatal(err)
			}
			diff(t, []string(nil), live.lists)
		})
	}
}

func TestNoObjectsAreNotCurrent(t *testing.T) {
	got := newCluster().observe(t)
	diff(t, reason.NoService, got.Problem.Reason)
	diff(t, false, got.Routed)
	diff(t, false, got.Current)
}

// A finalizer keeps the canary Ingress. It is deleted once, then it loses its
// weight, then nothing is left to write.
func TestRemoveEmptiesAnIngressWithAFinalizer(t *testing.T) {
	_, ing := canaries(target(), ingress("web", rule("a.test", path("/", "web"))), 30)
	ing.Finalizers = []string{"shop.test/guard"}
	c := newCluster(ing)
	for range 3 {
		if err := c.router().Remove(t.Context(), target()); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, []string{"delete *v1.Ingress web-canary", "patch *v1.Ingress web-canary"}, c.writes)
	got := c.observe(t)
	diff(t, []string{"web-canary"}, got.Terminating)
	diff(t, true, got.Routed)
	diff(t, 0, got.Weight)
}

func TestSetWeightRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		target  rollout.Target
		objects []client.Object
		weight  int
		want    string
	}{
		"more than all": {target(), shop(), 101, `setting weight 101 of Deployment shop/web: weight 101 is not between 0 and 100`},
		"no track": {target(func(t *rollout.Target) { t.Track = nil }), shop(), 10,
			`setting weight 10 of Deployment shop/web: the target has no rollout or no track label, ` +
				`and without them a canary Service would select stable pods`},
		"no rollout": {target(func(t *rollout.Target) { t.Rollout = "" }), shop(), 10,
			`setting weight 10 of Deployment shop/web: the target has no rollout or no track label, ` +
				`and without them a canary Service would select stable pods`},
		"nothing to split": {target(), nil, 10,
			`setting weight 10 of Deployment shop/web: no Service in namespace "shop" selects the pods of Deployment "web": ` +
				`create one whose selector matches its pod labels`},
		"a name that is taken": {target(), append(shop(), service("web-canary", "x")), 10,
			`setting weight 10 of Deployment shop/web: Service "web-canary" exists, and Headgate did not make it for this Deployment: ` +
				`delete or rename it, because the canary needs this name`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(tc.objects...)
			err := c.router().SetWeight(t.Context(), tc.target, tc.weight, spec.Match{})
			if err == nil {
				t.Fatal("no error")
			}
			diff(t, tc.want, err.Error())
		})
	}
}

func TestSetWeightDoesNotTouchAForeignObject(t *testing.T) {
	foreign := ingress("web-canary", rule("x.test", path("/", "x")))
	c := newCluster(append(shop(), foreign)...)
	err := c.router().SetWeight(t.Context(), target(), 10, spec.Match{})
	var p *rollout.Problem
	if !errors.As(err, &p) || p.Reason != reason.NameTaken {
		t.Errorf("got %v, want a NameTaken problem", err)
	}
	diff(t, []string{"create *v1.Service web-canary", "create *v1.Ingress admin-canary"}, c.writes)
	diff(t, reason.NameTaken, c.observe(t).Problem.Reason)
}

func TestSetWeightTriesEveryIngress(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 50)
	c.writes = nil
	c.refuse = func(verb, name string) error {
		if name == "admin-canary" {
			return errors.New("denied by webhook")
		}
		return nil
	}
	err := c.router().SetWeight(t.Context(), target(), 0, spec.Match{})
	if err == nil || !strings.Contains(err.Error(), `updating Ingress "shop/admin-canary": denied by webhook`) {
		t.Errorf("got %v", err)
	}
	diff(t, []string{"patch *v1.Ingress web-canary"}, c.writes)
	diff(t, 50, c.observe(t).Weight)
}

func TestSetWeightWritesNoIngressBeforeItsService(t *testing.T) {
	c := newCluster(shop()...)
	c.refuse = func(_, name string) error { return errors.New("quota exceeded") }
	err := c.router().SetWeight(t.Context(), target(), 10, spec.Match{})
	diff(t, `setting weight 10 of Deployment shop/web: creating Service "shop/web-canary": quota exceeded`, fmt.Sprint(err))
}

// Somebody may write the canary Ingresses between a decision and its writes. Such a
// decision may lower the weight but not raise it.
func TestSetWeightRaisesNothingOnRoutesThatWereNotSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		since   func(*cluster)
		weight  int
		refused bool
	}{
		"nothing happened":               {func(*cluster) {}, 50, false},
		"somebody lowered the weight":    {func(c *cluster) { c.setWeight(t, 5) }, 50, true},
		"and what comes is lower still":  {func(c *cluster) { c.setWeight(t, 5) }, 3, false},
		"somebody deleted the Ingresses": {func(c *cluster) { _ = c.router().Remove(t.Context(), target()) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(shop()...)
			c.setWeight(t, 10)
			seen := c.observe(t).Version
			tt.since(c)
			err := c.router().SetWeight(t.Context(), target(func(t *rollout.Target) { t.Seen = seen }), tt.weight, spec.Match{})
			if refused := apierrors.IsConflict(err); refused != tt.refused || !refused && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A cache that is behind has an older resource version.
func TestSetWeightDoesNotOverwriteWhatItHasNotSeen(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10)
	var stale netv1.IngressList
	if err := c.List(t.Context(), &stale); err != nil {
		t.Fatal(err)
	}
	c.setWeight(t, 20)
	behind := interceptor.NewClient(c.WithWatch, interceptor.Funcs{
		List: func(ctx context.Context, w client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if l, ok := list.(*netv1.IngressList); ok {
				stale.DeepCopyInto(l)
				return nil
			}
			return w.List(ctx, list, opts...)
		},
	})
	err := New(behind, c, Options{}).SetWeight(t.Context(), target(), 30, spec.Match{})
	if !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
	diff(t, 20, c.observe(t).Weight)
}

func TestRemoveFindsWhatTheCacheDoesNotKnowYet(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10)
	// The deletes go to the empty cluster too. The test looks at the names in them.
	empty := newCluster()
	if err := New(empty, c, Options{}).Remove(t.Context(), target()); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{"delete *v1.Ingress admin-canary", "delete *v1.Ingress web-canary"}, empty.writes)
}

func TestRemoveWorksWhateverElseIsBroken(t *testing.T) {
	other := target(func(t *rollout.Target) { t.Deployment.Name, t.Deployment.UID = "api", "uid-api" })
	_, theirs := canaries(other, ingress("theirs", rule("x.test", path("/", "x"))), 30)
	unlabelled := ingress("not-ours")
	unlabelled.OwnerReferences = theirs.OwnerReferences

	for name, tc := range map[string]struct {
		objects []client.Object
		broken  func(*cluster) *Router
		left    []string
		errors  []string
	}{
		"no stable object is left": {},
		"others keep theirs": {
			objects: []client.Object{theirs, unlabelled}, left: []string{"not-ours", "theirs-canary"},
		},
		"the API server does not list": {
			broken: func(c *cluster) *Router {
				return New(c, interceptor.NewClient(c.WithWatch, interceptor.Funcs{
					List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
						return errors.New("too busy")
					},
				}), Options{})
			},
			errors: []string{"listing what Headgate made: too busy"},
		},
		"one delete is refused": {
			broken: func(c *cluster) *Router {
				c.refuse = func(_, name string) error {
					if name == "admin-canary" {
						return errors.New("not today")
					}
					return nil
				}
				return c.router()
			},
			left: []string{"admin-canary"}, errors: []string{`deleting Ingress "shop/admin-canary": not today`},
		},
		"one is gone already": {
			broken: func(c *cluster) *Router {
				c.refuse = func(_, name string) error {
					if name == "admin-canary" {
						return apierrors.NewNotFound(schema.GroupResource{Resource: "ingresses"}, name)
					}
					return nil
				}
				return c.router()
			},
			left: []string{"admin-canary"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, web := canaries(target(), ingress("web", rule("a.test", path("/", "web"))), 30)
			_, admin := canaries(target(), ingress("admin", rule("a.test", path("/x", "web"))), 30)
			c := newCluster(append(tc.objects, web, admin)...)
			r := c.router()
			if tc.broken != nil {
				r = tc.broken(c)
			}
			err := r.Remove(t.Context(), target())
			if (err != nil) != (len(tc.errors) > 0) {
				t.Errorf("got error %v", err)
			}
			for _, want := range tc.errors {
				if !strings.Contains(fmt.Sprint(err), "removing the canary Ingresses of Deployment shop/web: "+want) {
					t.Errorf("got error %v, want %s", err, want)
				}
			}
			diff(t, tc.left, ingressNames(t, c))
		})
	}
}

func ingressNames(t *testing.T, c client.Client) []string {
	t.Helper()
	var list netv1.IngressList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ing := range list.Items {
		names = append(names, ing.Name)
	}
	return names
}
