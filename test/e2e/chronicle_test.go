package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// chronicle records every change of a Deployment, its canaries and their Ingresses.
// The API server numbers the changes of all kinds in one sequence (resourceVersion),
// so the events of two watches can be sorted, however late they arrive.
type chronicle struct {
	*service
	mu      sync.Mutex
	moments []moment
}

// moment is one change of one object.
type moment struct {
	number int // resourceVersion
	at     time.Time
	gone   bool
	obj    client.Object
}

func (s *service) chronicle() *chronicle {
	s.Helper()
	c := &chronicle{service: s}
	c.watch(&appsv1.DeploymentList{})
	c.watch(&netv1.IngressList{}, client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy})
	return c
}

func (c *chronicle) watch(list client.ObjectList, opts ...client.ListOption) {
	c.Helper()
	events, err := shared.Client().Watch(c.Context(), list, append(opts, client.InNamespace(c.Namespace))...)
	c.must(err)
	c.Cleanup(events.Stop)
	go func() {
		for e := range events.ResultChan() {
			c.add(e)
		}
	}()
}

func (c *chronicle) add(e watch.Event) {
	obj, ok := e.Object.(client.Object)
	if !ok {
		return // the watch ended
	}
	number, err := strconv.Atoi(obj.GetResourceVersion())
	if err != nil {
		c.Errorf("a resourceVersion is no number: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moments = append(c.moments, moment{number, time.Now(), e.Type == watch.Deleted, obj})
}

func (c *chronicle) inOrder() []moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(slices.Values(c.moments), func(a, b moment) int { return a.number - b.number })
}

// reasons returns the reasons of the condition, in order, also those of a rollout that is not held any more.
func (c *chronicle) reasons() string {
	var all []string
	for _, m := range c.inOrder() {
		if dep, ok := m.obj.(*appsv1.Deployment); ok && dep.Name == c.Name {
			now, _ := underload.LastCondition(dep)
			all = append(all, string(now))
		}
	}
	return strings.Join(slices.Compact(all), " ")
}

// weights returns the weights of each canary Ingress, in order.
func (c *chronicle) weights() map[string][]int {
	all := map[string][]int{}
	for _, m := range c.inOrder() {
		if ing, ok := m.obj.(*netv1.Ingress); ok && !m.gone {
			weight, _ := strconv.Atoi(ing.Annotations[canaryWeight])
			all[ing.Name] = slices.Compact(append(all[ing.Name], weight))
		}
	}
	return all
}

// storedState returns the state that is on record on the user's Deployment; the zero State
// if there is none.
func storedState(dep *appsv1.Deployment) (rollout.State, error) {
	for _, c := range dep.Status.Conditions {
		if c.Type == spec.ConditionState {
			_, text, _ := strings.Cut(c.Message, ": ")
			return rollout.DecodeState(text)
		}
	}
	return rollout.State{}, nil
}

// check replays all changes and checks the invariants after each: the weight never
// rises above what the canary's pods carry, nor for a superseded rollout; no canary
// pod goes before its traffic; no two canaries have routes at the same time.
func (c *chronicle) check() {
	c.Helper()
	p := past{
		service:  c.service,
		canaries: map[string]*appsv1.Deployment{},
		routes:   map[string]map[string]int{},
		unrouted: map[string]bool{},
		drains:   map[string]time.Time{},
		stays:    map[string]time.Duration{},
	}
	for _, m := range c.inOrder() {
		switch obj := m.obj.(type) {
		case *netv1.Ingress:
			p.route(m, obj)
		case *appsv1.Deployment:
			if obj.Name == c.Name {
				p.stable(obj)
			} else {
				p.canary(m, obj)
			}
		}
	}
	if p.raises == 0 {
		c.Error("no weight was seen to rise")
	}
}

// past is the state at one moment of the replay.
type past struct {
	*service
	hold     string
	full     int32                         // the most pods that were wanted since the hold
	canaries map[string]*appsv1.Deployment // by rollout
	routes   map[string]map[string]int     // weight by rollout and Ingress
	unrouted map[string]bool               // by rollout: its last Ingress was deleted
	drains   map[string]time.Time          // by rollout: when Headgate saw that its routes are gone
	stays    map[string]time.Duration      // by rollout: how long the canary then stays
	raises   int                           // how often a weight rose
}

func (p *past) stable(dep *appsv1.Deployment) {
	p.Helper()
	state, err := storedState(dep)
	if err != nil {
		p.Error(err)
	}
	if id := state.Rollout; id != "" {
		if p.drains[id].IsZero() && !state.DrainSince.IsZero() && len(p.routes[id]) > 0 {
			p.Errorf("rollout %s drains while it has traffic: %v", id, p.routes[id])
		}
		p.drains[id], p.stays[id] = state.DrainSince, settle+drain
		if state.Adopted { // only its Service goes
			p.stays[id] = settle
		}
	}
	if hold := dep.Annotations[spec.AnnotationRollout]; hold != p.hold {
		p.hold = hold
		if hold != "" {
			p.full = 0
		}
	}
	p.full = max(p.full, *dep.Spec.Replicas)
}

func (p *past) canary(m moment, dep *appsv1.Deployment) {
	p.Helper()
	id := dep.Labels[spec.LabelRollout]
	was := p.canaries[id]
	// The drain begins after the routes are gone: the numbers of the changes say so. It ends
	// before the pods go, and that is seen later still: on a busy machine the time between
	// is only longer.
	drains := p.drains[id]
	if m.gone || was != nil && *dep.Spec.Replicas < *was.Spec.Replicas {
		switch {
		case len(p.routes[id]) > 0:
			p.Errorf("canary pods of rollout %s went while it had traffic: %v", id, p.routes[id])
		case p.unrouted[id] && drains.IsZero():
			p.Errorf("canary pods of rollout %s went without a drain", id)
		case p.unrouted[id] && m.at.Sub(drains) < p.stays[id]:
			p.Errorf("canary pods of rollout %s went %s after their traffic", id, m.at.Sub(drains))
		}
	}
	p.canaries[id] = dep
	if m.gone {
		delete(p.canaries, id)
	}
}

func (p *past) route(m moment, ing *netv1.Ingress) {
	p.Helper()
	id := ing.Labels[spec.LabelRollout]
	if m.gone {
		delete(p.routes[id], ing.Name)
		if len(p.routes[id]) == 0 {
			delete(p.routes, id)
			p.unrouted[id] = true
		}
		return
	}
	if p.routes[id] == nil {
		p.routes[id] = map[string]int{}
	}
	weight, err := strconv.Atoi(ing.Annotations[canaryWeight])
	ours := err == nil && ing.Annotations[canaryWeight] == ing.Annotations["headgate.dev/weight"]
	if ours && weight > p.routes[id][ing.Name] {
		p.raised(id, weight)
	}
	p.routes[id][ing.Name] = weight
}

func (p *past) raised(id string, weight int) {
	p.Helper()
	p.raises++
	available := int32(0)
	if canary := p.canaries[id]; canary != nil {
		available = canary.Status.AvailableReplicas
	}
	switch {
	case p.hold != "" && p.hold != id:
		p.Errorf("rollout %s got weight %d while %s was held", id, weight, p.hold)
	case int32(weight)*p.full > 100*available: // e.g. weight 50 of 4 pods needs 2 canary pods: 50*4 <= 100*2
		p.Errorf("rollout %s got weight %d of what %d pods serve, with %d canary pods Available", id, weight, p.full, available)
	case len(p.routes) > 1:
		p.Errorf("rollout %s got weight %d beside others: %v", id, weight, p.routes)
	}
}

const canaryWeight = "nginx.ingress.kubernetes.io/canary-weight"

// awaitRollout waits for a reason, as await does, of one rollout only.
func (s *service) awaitRollout(limit time.Duration, id string, want reason.Reason) {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Await(s.within(limit), dep, func() error {
		reason, message := condition(dep)
		if reason != string(want) || !strings.HasPrefix(message, "rollout "+id+": ") {
			return fmt.Errorf("want %s of rollout %s, it is %s: %s", want, id, reason, message)
		}
		return nil
	}))
}

// onlyLeft waits until every rollout's objects are deleted, and only pods of version
// are left and answer.
func (s *service) onlyLeft(version string) {
	s.Helper()
	s.nothingLeft()
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	var pods corev1.PodList
	s.must(lab.Poll(s.within(30*time.Second), func() error {
		s.must(shared.Client().List(s.Context(), &pods, client.InNamespace(s.Namespace)))
		if want := int(*s.applied.Spec.Replicas); len(pods.Items) != want || len(s.podNames(version)) != want {
			return fmt.Errorf("%d pods, %d of them run %s; want %d", len(pods.Items), len(s.podNames(version)), version, want)
		}
		return nil
	}))
	s.onlyServes(version)
}

// nothingLeft waits until the namespace has no object that Headgate made, whatever
// its name.
func (s *service) nothingLeft() {
	s.Helper()
	s.must(lab.Poll(s.within(30*time.Second), func() error {
		var left []string
		for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &netv1.IngressList{}} {
			left = append(left, s.marked(list)...)
		}
		if len(left) > 0 {
			return fmt.Errorf("there still are %v", left)
		}
		return nil
	}))
}

// marked returns the names of the objects of the kind of list that Headgate made.
func (s *service) marked(list client.ObjectList) []string {
	s.Helper()
	ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	s.must(shared.Client().List(s.Context(), list, client.InNamespace(s.Namespace), ours))
	var names []string
	s.must(meta.EachListItem(list, func(item runtime.Object) error {
		names = append(names, fmt.Sprintf("%T %s", item, item.(client.Object).GetName()))
		return nil
	}))
	return names
}
