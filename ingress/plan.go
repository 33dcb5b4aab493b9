package ingress

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// plan is what has to be written for the canary objects to be as they should.
type plan struct {
	services, ingresses []write
	preview             []write          // its Services, then its Ingress
	stale               []client.Object  // to be deleted last, Ingresses first
	nameConflict        *rollout.Problem // an object that is not ours is in the way
}

// edit is one write: of want over was, or if was is nil, the creation of want.
type write struct {
	was, want client.Object
}

func (p *plan) done() bool {
	return len(p.services)+len(p.ingresses)+len(p.preview)+len(p.stale) == 0 && p.nameConflict == nil
}

// plan compares the canary objects that are there with those that should be for
// the canary to take its share of t's traffic, and the preview with the one that
// t wants. What it writes to a canary Ingress is dated now.
//
// While no stable Ingress routes to t there is nothing to derive from. Canary
// Ingresses that are there stay then, inert, and only their share follows: a
// GitOps tool that deletes and re-creates the stable Ingress finds the split as
// it was. So does the preview stay, unless t wants none.
func (s snapshot) plan(r routes, t rollout.Target, of trafficSplit, now time.Time) plan {
	var p plan
	if len(r.ingresses) == 0 {
		for ing := range byName(s.ownCanaries) {
			p.writeCanaryIngress(ing, s.withSplit(ing, of), now)
		}
		if t.Spec.PreviewHost == "" {
			retire(&p, s.ownPreviews, nil)
		}
		return p
	}
	kept := map[client.Object]bool{}
	for _, svc := range r.services {
		kept[p.service(s, buildCanaryService(t, svc))] = true
	}
	split := r.serviceNames()
	for _, stable := range r.ingresses {
		want := s.buildCanaryIngress(t, stable, split, of)
		want.Name = s.canaryIngressName(t, stable)
		kept[p.ingress(s, want, now)] = true
	}
	if t.Spec.PreviewHost != "" {
		p.planPreview(s, r, t, kept)
	}
	retire(&p, s.ownCanaries, kept)
	retire(&p, s.ownPreviews, kept)
	retire(&p, s.ownServices, kept)
	return p
}

// service plans for want and returns the Service of ours that it takes over.
func (p *plan) service(s snapshot, want *corev1.Service) client.Object {
	if s.services[want.Name] != nil {
		p.nameConflict = nameTaken("Service", want.Name, "canary")
		return nil
	}
	writes, was := s.serviceWrites(want)
	p.services = append(p.services, writes...)
	return was
}

// editService returns the Service of ours that want takes over, if there is one,
// and what has to be written.
func (s snapshot) serviceWrites(want *corev1.Service) ([]write, client.Object) {
	was := s.ownServices[want.Name]
	if was == nil {
		return []write{{want: want}}, nil
	}
	if merged := mergeService(was, want); !equal(was, merged) {
		return []write{{was, merged}}, was
	}
	return nil, was
}

// ingress plans for want and returns the Ingress of ours that it takes over.
func (p *plan) ingress(s snapshot, want *netv1.Ingress, now time.Time) client.Object {
	if s.foreignIngress(want.Name) != nil {
		p.nameConflict = nameTaken("Ingress", want.Name, "canary")
		return nil
	}
	was := s.ownCanaries[want.Name]
	if was == nil {
		stampWriteTime(want, now)
		p.ingresses = append(p.ingresses, write{want: want})
		return nil
	}
	p.writeCanaryIngress(was, s.mergeIngress(was, want, copiedToCanary), now)
	return was
}

func (p *plan) writeCanaryIngress(was, want *netv1.Ingress, now time.Time) {
	if hasWriteTime(was) && equal(was, want) {
		return
	}
	stampWriteTime(want, now)
	p.ingresses = append(p.ingresses, write{was, want})
}

// equal ignores the difference between an empty map and none, which the API
// server does not keep.
func equal(was, want client.Object) bool { return equality.Semantic.DeepEqual(was, want) }

// retire plans for those of objects to go that are not kept.
func retire[T client.Object](p *plan, objects map[string]T, kept map[client.Object]bool) {
	for obj := range byName(objects) {
		if !kept[obj] && obj.GetDeletionTimestamp().IsZero() {
			p.stale = append(p.stale, obj)
		}
	}
}
