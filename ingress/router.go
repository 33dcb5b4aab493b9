package ingress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Options are the operator's settings. The zero value is ready to use.
type Options struct {
	// AnnotationsPrefix is the prefix of the annotations that the ingress controller
	// reads. "" means nginx.ingress.kubernetes.io.
	AnnotationsPrefix string

	// Controllers are the values of spec.controller in the IngressClasses of those
	// ingress controllers that support canary annotations.
	// None means k8s.io/ingress-nginx, which Traefik's provider uses as well.
	Controllers []string

	// PreviewDomains are the domains whose subdomains everybody may use as a preview
	// host. example.com allows x.example.com and x.y.example.com, but not example.com.
	PreviewDomains []string

	// PreviewBelowOwnHosts also allows the subdomains of the hosts that the
	// Deployment's own Ingresses serve. false: only PreviewDomains are allowed.
	PreviewBelowOwnHosts bool

	// Cache is the cache behind the client. Affected reads from it: unlike the client,
	// it does not wait for writes of this process. nil means the client.
	Cache client.Reader

	// Now is the clock that gives writes their time. nil means time.Now.
	Now func() time.Time
}

// DefaultController is the controller of Options.Controllers where there are none.
const DefaultController = "k8s.io/ingress-nginx"

// Router moves traffic between the stable and the canary pods of Deployments. It
// keeps no state: everything that it knows is in the objects that it made. Several
// goroutines may use it at the same time.
type Router struct {
	client      client.Client
	live        client.Reader
	cache       client.Reader
	dialect     dialect
	controllers []string
	now         func() time.Time

	previewDomains       []string
	previewBelowOwnHosts bool
}

// New returns a Router. It writes with c. It reads Services, Ingresses and
// IngressClasses with c too, so c should read them from a cache that SetupIndexes
// prepared. live reads from the API server: pods and ReplicaSets for CheckPods, and
// the objects that Remove and Cleanup delete.
func New(c client.Client, live client.Reader, o Options) *Router {
	r := &Router{
		client:      client.WithFieldOwner(c, spec.FieldOwner),
		live:        live,
		cache:       o.Cache,
		dialect:     cmp.Or(dialect(o.AnnotationsPrefix), defaultDialect),
		controllers: o.Controllers,
		now:         o.Now,

		previewDomains:       o.PreviewDomains,
		previewBelowOwnHosts: o.PreviewBelowOwnHosts,
	}
	if len(r.controllers) == 0 {
		r.controllers = []string{DefaultController}
	}
	if r.cache == nil {
		r.cache = c
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Observe finds what the traffic of t goes through and how it is split now. It
// writes nothing and reads only from the cache. It reads only objects that may matter
// to t, however many there are in the namespace.
//
// Traffic.Weight is the highest weight that may be in force. If somebody edits or
// breaks a canary-weight, Weight never falls below what Headgate last wrote. If
// somebody edits a header or cookie rule, Traffic.Match is still what Headgate last
// wrote.
//
// Traffic.Current is false whenever SetWeight with that weight and match would write
// something other than the preview, a canary Service included.
//
// Traffic.Problem is the first of the preconditions that does not hold. Routed may
// be true beside it: a stable Ingress or Service may disappear while canary
// Ingresses exist. A preview that is not allowed is Traffic.PreviewRefused, and no
// Problem.
func (r *Router) Observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error) {
	tr, err := r.observe(ctx, t)
	if err != nil {
		return rollout.Traffic{}, fmt.Errorf("observing the traffic of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return tr, nil
}

func (r *Router) observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error) {
	in, err := r.inspect(ctx, t)
	if err != nil {
		return rollout.Traffic{}, err
	}
	tr := in.traffic()
	if err := in.checkPreview(ctx); err != nil {
		return rollout.Traffic{}, err
	}
	in.plan = in.snapshot.makePlan(in.routes, in.target, trafficSplit{tr.Weight, tr.Match}, tr.Since)
	tr.Current = tr.Routed && in.plan.canaryDone()
	tr.PreviewRefused = in.previewRefused
	tr.Problem, err = firstProblem(ctx, preconditions, in)
	return tr, err
}

// Problems returns every precondition that does not hold, where Observe tells the first,
// and last why the preview is refused. t should have a Rollout and a Track. It is for a
// person who wants to correct all of them at once, before a rollout.
func (r *Router) Problems(ctx context.Context, t rollout.Target) ([]*rollout.Problem, error) {
	in, err := r.inspect(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("finding the Services and Ingresses of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	if err := in.checkPreview(ctx); err != nil {
		return nil, err
	}
	in.plan = in.snapshot.makePlan(in.routes, in.target, trafficSplit{}, r.now())
	var found []*rollout.Problem
	for _, row := range preconditions {
		p, err := row.check(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("checking that %s: %w", row.name, err)
		}
		if p != nil {
			found = append(found, p)
		}
	}
	if in.previewRefused != nil {
		found = append(found, in.previewRefused)
	}
	return found, nil
}

// SetWeight makes the canary Services and Ingresses of t what they should be:
// derived from the stable ones as these are now, with weight, 0..100, and match,
// both in one write. Then it does the same for the preview, if t's Spec wants one
// and it is allowed. Services are written first, so that no Ingress leads to a
// Service that does not exist. Objects that are no longer needed are deleted last.
// If one Ingress cannot be written, the others still are: a weight that must go down
// goes down wherever it can. If everything but the preview is written, the error is
// a *rollout.PreviewError.
//
// It writes nothing that is already as it should be. It patches with the resource
// version that it read. If apierrors.IsConflict or IsAlreadyExists holds for the
// error, the cache was behind: try again. SetWeight also returns a conflict if it
// would raise the traffic of the canary although canary Ingresses were written or
// deleted since t.Seen: somebody may have lowered the weight in the meantime.
//
// If there is nothing to split, it returns the Problem as an error. If an object of
// somebody else has the name of a canary object, it writes the other objects and
// returns that Problem. No other Problem stops it: Observe reports them.
func (r *Router) SetWeight(ctx context.Context, t rollout.Target, weight int, match spec.Match) error {
	if err := r.setSplit(ctx, t, trafficSplit{weight, match}); err != nil {
		return fmt.Errorf("setting weight %d of Deployment %s: %w", weight, namespacedName(t.Deployment), err)
	}
	return nil
}

func (r *Router) setSplit(ctx context.Context, t rollout.Target, split trafficSplit) error {
	if split.weight < 0 || split.weight > fullWeight {
		return fmt.Errorf("weight %d is not between 0 and 100", split.weight)
	}
	if t.Rollout == "" || len(t.Track) == 0 {
		return errors.New("the target has no rollout or no track label, and without them a canary Service would select stable pods")
	}
	in, err := r.inspect(ctx, t)
	if err != nil {
		return err
	}
	if in.snapshot.isStaleRaise(t, split) {
		return apierrors.NewConflict(netv1.Resource("ingresses"), forCanary.objectName(t.Deployment.Name, ingressNameLimit),
			errors.New("the canary Ingresses changed after this weight was decided"))
	}
	if len(in.routes.ingresses) == 0 && len(in.snapshot.canaries()) == 0 {
		p, err := firstProblem(ctx, preconditions, in)
		if err != nil {
			return err
		}
		if p != nil {
			return p
		}
	}
	if err := in.checkPreview(ctx); err != nil {
		return err
	}
	return r.apply(ctx, in.snapshot.makePlan(in.routes, in.target, split, r.now()))
}

// inspection is everything that one pass knows about a target.
type inspection struct {
	router   *Router
	snapshot snapshot
	routes   routes
	target   rollout.Target // without its preview host if previewRefused

	previewRefused *rollout.Problem // set by checkPreview
	plan           plan             // zero until it is made
}

func (r *Router) inspect(ctx context.Context, t rollout.Target) (inspection, error) {
	s, err := readSnapshot(ctx, r.client, r.dialect, t)
	if err != nil {
		return inspection{}, err
	}
	return inspection{router: r, snapshot: s, routes: discover(s, t), target: t}, nil
}

// traffic returns the Traffic of the inspection, except Current and Problem.
func (in inspection) traffic() rollout.Traffic {
	s, tr := in.snapshot, in.routes.traffic()
	if len(in.routes.services) > 0 {
		tr.CanaryService = forCanary.objectName(in.routes.services[0].Name, serviceNameLimit)
	}
	if len(in.routes.ingresses) > 0 {
		tr.CanaryIngress = s.ingressName(in.target, in.routes.ingresses[0], forCanary)
	}
	tr.Terminating = s.terminating()
	for _, stable := range in.routes.ingresses {
		tr.Sticky = tr.Sticky || s.isSticky(stable)
		canary := s.canaries()[s.ingressName(in.target, stable, forCanary)]
		if canary == nil || !canary.DeletionTimestamp.IsZero() {
			tr.WithoutCanary = append(tr.WithoutCanary, stable.Name)
		}
	}
	tr.Routed, tr.Previewed = len(s.canaries()) > 0, len(s.ownIngresses[forPreview]) > 0
	var split trafficSplit
	split, tr.Since = s.assumedSplit()
	tr.Weight, tr.Match = split.weight, split.match
	if tr.Routed {
		tr.Version = s.version()
		tr.Lowest, tr.Highest = s.writtenWeights()
	}
	return tr
}
