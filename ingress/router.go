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
	// AnnotationsPrefix is that of the ingress controller.
	// "" means nginx.ingress.kubernetes.io.
	AnnotationsPrefix string

	// Controllers are the spec.controller values of the IngressClasses whose
	// controllers are known to honour canary annotations.
	// None means k8s.io/ingress-nginx, which Traefik's provider uses as well.
	Controllers []string

	// PreviewDomains are those whose subdomains anybody may name as a preview host:
	// "example.com" allows x.example.com and x.y.example.com, and not itself. A
	// subdomain of a host that the Deployment's own Ingresses serve is always allowed.
	PreviewDomains []string

	// Now is the clock that weights are dated by. nil means time.Now.
	Now func() time.Time
}

// Router moves traffic between the stable and the canary pods of Deployments.
// It keeps no state and may be used concurrently; what it knows is in the
// canary objects.
type Router struct {
	client      client.Client
	live        client.Reader
	dialect     dialect
	controllers []string
	domains     []string
	now         func() time.Time
}

// New returns a Router that writes with c and reads with it what it can: c
// should read Services, Ingresses and IngressClasses from a cache that
// SetupIndexes prepared. live reads from the API server: pods and ReplicaSets, once
// before a rollout routes anything, and the canary objects that are to be deleted.
func New(c client.Client, live client.Reader, o Options) *Router {
	r := &Router{
		client:      client.WithFieldOwner(c, spec.FieldOwner),
		live:        live,
		dialect:     cmp.Or(dialect(o.AnnotationsPrefix), defaultDialect),
		controllers: o.Controllers,
		domains:     o.PreviewDomains,
		now:         o.Now,
	}
	if len(r.controllers) == 0 {
		r.controllers = []string{"k8s.io/ingress-nginx"}
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Observe finds what the traffic of t goes through and how it is split now. It
// writes nothing, and reads the cache alone once canary Ingresses exist.
//
// Traffic.Weight is the highest weight that may be in force: an edited or broken
// canary-weight never lowers it below what Headgate last wrote. Nor does an edited
// header or cookie rule hide from Traffic.Match what was last written. Traffic.Current
// is false whenever SetWeight with that weight and match would write something, a
// canary Service or the preview included. A stable Ingress or Service that is gone
// while canary Ingresses exist is Traffic.Problem, with Routed still true; so is a
// preview that must not be, which is then not wanted.
func (r *Router) Observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error) {
	tr, err := r.observe(ctx, t)
	if err != nil {
		return rollout.Traffic{}, fmt.Errorf("observing the traffic of Deployment %s: %w", namespacedName(t.Deployment), err)
	}
	return tr, nil
}

func (r *Router) observe(ctx context.Context, t rollout.Target) (rollout.Traffic, error) {
	s, err := readSnapshot(ctx, r.client, r.dialect, t.Deployment)
	if err != nil {
		return rollout.Traffic{}, err
	}
	found := discover(s, t)
	tr := found.traffic()
	if len(found.services) > 0 {
		tr.CanaryService = canaryName(found.services[0].Name, serviceNameLimit)
	}
	if len(found.ingresses) > 0 {
		tr.CanaryIngress = s.canaryIngressName(t, found.ingresses[0])
	}
	tr.Routed, tr.Previewed = len(s.ownCanaries) > 0, len(s.ownPreviews) > 0
	t, refused, err := r.preview(ctx, s, found, t)
	if err != nil {
		return rollout.Traffic{}, err
	}
	assumed, since := s.assumedSplit()
	tr.Weight, tr.Match, tr.Since = assumed.weight, assumed.match, since
	if tr.Routed {
		tr.Lowest, tr.Version = s.lowestWeight(), s.version()
	}
	p := s.plan(found, t, assumed, since)
	tr.Current = tr.Routed && p.done()
	tr.Problem = cmp.Or(s.firstProblem(found, t, r.controllers), p.nameConflict, refused)
	if tr.Problem == nil && (t.Rollout == "" || !tr.Routed) {
		tr.Problem, err = foreignPods(ctx, r.live, found, t)
	}
	return tr, err
}

// SetWeight makes the canary Services and Ingresses of t exist, be derived from
// the stable ones as they are now, and carry weight, 0..100, and match, both in
// one write; then the preview, if t's Spec wants one that may be. Services are
// written first, so that no Ingress leads nowhere; stale objects are deleted
// last. One Ingress that cannot be written does not keep the others from it: a
// weight that goes down should go down where it can.
//
// It writes nothing that is already so. What it changes it changes by patch
// under the resource version that it read: an error for which
// apierrors.IsConflict or IsAlreadyExists holds means that the cache was behind,
// and to try again. So does more traffic for routes that were written since
// t.Seen: somebody lowered a weight, or deleted them, which is a brake. Problems other than a missing route and a taken name of a canary
// object do not stop it; Observe reports them.
func (r *Router) SetWeight(ctx context.Context, t rollout.Target, weight int, match spec.Match) error {
	if err := r.setSplit(ctx, t, trafficSplit{weight, match}); err != nil {
		return fmt.Errorf("setting weight %d of Deployment %s: %w", weight, namespacedName(t.Deployment), err)
	}
	return nil
}

func (r *Router) setSplit(ctx context.Context, t rollout.Target, of trafficSplit) error {
	if of.weight < 0 || of.weight > fullWeight {
		return fmt.Errorf("weight %d is not within 0..100", of.weight)
	}
	if t.Rollout == "" || len(t.Track) == 0 {
		return errors.New("the target names no rollout or no track label: a canary Service would select stable pods")
	}
	s, err := readSnapshot(ctx, r.client, r.dialect, t.Deployment)
	if err != nil {
		return err
	}
	if s.isStaleRaise(t, of) {
		return apierrors.NewConflict(netv1.Resource("ingresses"), canaryName(t.Deployment.Name, ingressNameLimit), errors.New("canary Ingresses were written since this was decided"))
	}
	found := discover(s, t)
	if len(found.ingresses) == 0 && len(s.ownCanaries) == 0 {
		if p := s.firstProblem(found, t, r.controllers); p != nil {
			return p
		}
	}
	t, _, err = r.preview(ctx, s, found, t)
	if err != nil {
		return err
	}
	return r.apply(ctx, s.plan(found, t, of, r.now()))
}

func namespacedName(obj client.Object) string { return client.ObjectKeyFromObject(obj).String() }
