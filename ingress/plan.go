package ingress

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// plan is what has to be written for the canary objects to be as they should.
type plan struct {
	services, ingresses []edit
	stale               []client.Object  // to be deleted last, Ingresses first
	taken               *rollout.Problem // an object that is not ours is in the way
}

// edit is one write: of want over was, or if was is nil, the creation of want.
type edit struct {
	was, want client.Object
}

func (p *plan) done() bool {
	return len(p.services)+len(p.ingresses)+len(p.stale) == 0 && p.taken == nil
}

// plan compares the canary objects that are there with those that should be for
// t's traffic to be split by weight. What it writes to an Ingress is dated now.
//
// While no stable Ingress routes to t there is nothing to derive from. Canary
// Ingresses that are there stay then, inert, and only their weight follows: a
// GitOps tool that deletes and re-creates the stable Ingress finds the split as
// it was.
func (s scene) plan(r routes, t rollout.Target, weight int, now time.Time) plan {
	var p plan
	if len(r.ingresses) == 0 {
		for ing := range byName(s.canaryIngresses) {
			p.editIngress(ing, s.reweighed(ing, weight), now)
		}
		return p
	}
	kept := map[client.Object]bool{}
	for _, svc := range r.services {
		kept[p.service(s, canaryService(t, svc))] = true
	}
	split := r.split()
	for _, stable := range r.ingresses {
		want := s.canaryIngress(t, stable, split, weight)
		want.Name = s.ingressName(t, stable)
		kept[p.ingress(s, want, now)] = true
	}
	for ing := range byName(s.canaryIngresses) {
		p.retire(ing, kept)
	}
	for svc := range byName(s.canaryServices) {
		p.retire(svc, kept)
	}
	return p
}

// service plans for want and returns the Service of ours that it takes over.
func (p *plan) service(s scene, want *corev1.Service) client.Object {
	if s.services[want.Name] != nil {
		p.taken = nameTaken("Service", want.Name)
		return nil
	}
	was := s.canaryServices[want.Name]
	if was == nil {
		p.services = append(p.services, edit{want: want})
		return nil
	}
	if merged := mergeService(was, want); !equal(was, merged) {
		p.services = append(p.services, edit{was, merged})
	}
	return was
}

// ingress plans for want and returns the Ingress of ours that it takes over.
func (p *plan) ingress(s scene, want *netv1.Ingress, now time.Time) client.Object {
	if s.ingresses[want.Name] != nil || s.foreign[want.Name] != nil {
		p.taken = nameTaken("Ingress", want.Name)
		return nil
	}
	was := s.canaryIngresses[want.Name]
	if was == nil {
		date(want, now)
		p.ingresses = append(p.ingresses, edit{want: want})
		return nil
	}
	p.editIngress(was, s.mergeIngress(was, want), now)
	return was
}

func (p *plan) editIngress(was, want *netv1.Ingress, now time.Time) {
	if dated(was) && equal(was, want) {
		return
	}
	date(want, now)
	p.ingresses = append(p.ingresses, edit{was, want})
}

// equal ignores the difference between an empty map and none, which the API
// server does not keep.
func equal(was, want client.Object) bool { return equality.Semantic.DeepEqual(was, want) }

func (p *plan) retire(obj client.Object, kept map[client.Object]bool) {
	if !kept[obj] && obj.GetDeletionTimestamp().IsZero() {
		p.stale = append(p.stale, obj)
	}
}

// ingressName is NAME-canary, unless another Deployment behind the same stable
// Ingress rolls out at the same time and has that one. The name found then is
// kept: were it chosen anew when the other is done, the split would move.
func (s scene) ingressName(t rollout.Target, stable *netv1.Ingress) string {
	plain := canaryName(stable.Name, ingressNameLimit)
	own := canaryName(stable.Name+"-"+t.Deployment.Name, ingressNameLimit)
	switch {
	case s.canaryIngresses[plain] != nil:
		return plain
	case s.canaryIngresses[own] != nil:
		return own
	case s.foreign[plain] != nil && s.foreign[plain].Labels[rollout.LabelManagedBy] == rollout.ManagedBy:
		return own
	}
	return plain
}

func nameTaken(kind, name string) *rollout.Problem {
	return &rollout.Problem{
		Reason: rollout.NameTaken,
		Message: fmt.Sprintf("%s %q exists and was not made by Headgate for this Deployment, which needs the name for its canary: "+
			"delete or rename it", kind, name),
	}
}
