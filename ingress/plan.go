package ingress

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// plan is everything that must be written and deleted so that the own objects are
// as they should be. The zero plan is done.
type plan struct {
	services  []write         // canary Services
	ingresses []write         // canary Ingresses
	stale     []client.Object // canary Ingresses, then canary Services, to be deleted after all writes
	preview   previewPlan

	// nameConflict, if not nil, is an object which is not own and has the name of an
	// own object. The plan leaves that own object out.
	nameConflict *rollout.Problem
}

// previewPlan is the part of a plan that is about the preview.
type previewPlan struct {
	writes []write         // Services, then the Ingress
	stale  []client.Object // the Ingress, then Services, to be deleted after the writes
}

// write changes one object from was to want. If was is nil, it creates want.
type write struct {
	was, want client.Object

	// onlyExtra says that nothing changes but the operator's labels and annotations.
	// Traffic does not depend on them. So no weight waits for such a write: an
	// admission webhook may change them back each time.
	onlyExtra bool
}

// isNeeded ignores the difference between an empty map and none, which the API
// server does not store.
func (w write) isNeeded() bool {
	return w.was == nil || !equality.Semantic.DeepEqual(w.was, w.want)
}

// canaryDone says whether the canary objects are as they should be, but for the
// operator's labels and annotations.
func (p *plan) canaryDone() bool {
	matters := func(w write) bool { return !w.onlyExtra }
	return !slices.ContainsFunc(p.services, matters) && !slices.ContainsFunc(p.ingresses, matters) &&
		len(p.stale) == 0 && p.nameConflict == nil
}

// planner makes one plan. kept are the own objects that remain.
type planner struct {
	snapshot snapshot
	routes   routes
	target   rollout.Target
	split    trafficSplit
	now      time.Time

	plan plan
	kept map[client.Object]bool
}

// makePlan compares the own objects with what they should be: canary objects that
// give the canary this split of t's traffic, and the preview that t wants. Canary
// Ingresses in the plan record now as the time of their write.
//
// While no stable Ingress leads to t, there is nothing to derive objects from. The
// canary Ingresses stay and only their split is written. They take no requests then.
// When a GitOps tool deletes the stable Ingress and creates it again, the split is
// as it was before. The preview stays as well, unless t wants none.
func (s snapshot) makePlan(r routes, t rollout.Target, split trafficSplit, now time.Time) plan {
	p := planner{snapshot: s, routes: r, target: t, split: split, now: now, kept: map[client.Object]bool{}}
	if len(r.ingresses) == 0 {
		p.keepWithoutStable()
		return p.plan
	}
	p.planCanary()
	if t.Spec.PreviewHost != "" {
		p.planPreview()
	}
	for _, purpose := range purposes {
		retire(&p, s.ownIngresses[purpose])
	}
	retire(&p, s.ownServices)
	return p.plan
}

func (p *planner) keepWithoutStable() {
	for ing := range byName(p.snapshot.canaries()) {
		p.addCanaryIngress(write{was: ing, want: p.snapshot.withSplit(ing, p.split)})
	}
	if p.target.Spec.PreviewHost == "" {
		retire(p, p.snapshot.ownIngresses[forPreview])
	}
}

func (p *planner) planCanary() {
	for _, svc := range p.routes.services {
		p.plan.services = append(p.plan.services, p.serviceWrites(svc, forCanary)...)
	}
	for _, stable := range p.routes.ingresses {
		want := p.snapshot.buildCanaryIngress(p.target, stable, p.routes.splitNames(), p.split)
		if w, ok := p.ingressWrite(stable, want, forCanary); ok {
			p.addCanaryIngress(w)
		}
	}
}

// planPreview derives the preview from the first stable Ingress.
func (p *planner) planPreview() {
	stable := p.routes.ingresses[0]
	for _, svc := range p.routes.servicesOf(stable) {
		p.plan.preview.writes = append(p.plan.preview.writes, p.serviceWrites(svc, forPreview)...)
	}
	want := p.snapshot.buildPreviewIngress(p.target, stable, p.routes.splitNames())
	if w, ok := p.ingressWrite(stable, want, forPreview); ok && w.isNeeded() {
		p.plan.preview.writes = append(p.plan.preview.writes, w)
	}
}

// serviceWrites returns what must be written for the own Service of stable: one
// write or none.
func (p *planner) serviceWrites(stable *corev1.Service, purpose purpose) []write {
	want := buildService(p.target, stable, purpose)
	if p.snapshot.services[want.Name] != nil {
		p.plan.nameConflict = nameTaken("Service", want.Name, purpose)
		return nil
	}
	was := p.snapshot.ownServices[want.Name]
	if was == nil {
		return []write{{want: want}}
	}
	p.kept[was] = true
	if w := (write{was: was, want: mergeService(was, want)}); w.isNeeded() {
		w.onlyExtra = p.addsOnlyExtra(w)
		return []write{w}
	}
	return nil
}

// ingressWrite returns the write for the own Ingress of stable, which may change
// nothing. It returns false if another object has the name.
func (p *planner) ingressWrite(stable, want *netv1.Ingress, purpose purpose) (write, bool) {
	want.Name = p.snapshot.ingressName(p.target, stable, purpose)
	if p.snapshot.foreignIngress(want.Name) != nil {
		p.plan.nameConflict = nameTaken("Ingress", want.Name, purpose)
		return write{}, false
	}
	was := p.snapshot.ownIngresses[purpose][want.Name]
	if was == nil {
		return write{want: want}, true
	}
	p.kept[was] = true
	return write{was: was, want: p.snapshot.mergeIngress(was, want, purpose)}, true
}

// addsOnlyExtra says whether w changes nothing but the operator's labels and
// annotations.
func (p *planner) addsOnlyExtra(w write) bool {
	if w.was == nil {
		return false
	}
	extended, ok := w.was.DeepCopyObject().(client.Object)
	if !ok {
		return false
	}
	p.target.Extra.AddTo(extended)
	return equality.Semantic.DeepEqual(extended, w.want)
}

// addCanaryIngress adds w to the plan if it changes anything, or if the Ingress
// does not record the time of its last write. The time is that of the last write which
// routers act on.
func (p *planner) addCanaryIngress(w write) {
	timed := w.was != nil && hasWriteTime(w.was)
	if timed && !w.isNeeded() {
		return
	}
	if w.onlyExtra = timed && p.addsOnlyExtra(w); !w.onlyExtra {
		recordWriteTime(w.want, p.now)
	}
	p.plan.ingresses = append(p.plan.ingresses, w)
}

// retire adds to the plan the deletion of those objects that are not kept, except
// those that are being deleted already.
func retire[T client.Object](p *planner, objects map[string]T) {
	for obj := range byName(objects) {
		switch {
		case p.kept[obj] || !obj.GetDeletionTimestamp().IsZero():
		case purposeOf(obj) == forPreview:
			p.plan.preview.stale = append(p.plan.preview.stale, obj)
		default:
			p.plan.stale = append(p.plan.stale, obj)
		}
	}
}
