package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// witness records what happens to the apps of a fleet that Headgate manages, and finds
// afterwards where an invariant of docs/design.md was broken. All kinds of objects of a
// cluster share one count of changes, their resource version: it says what came first,
// however late a watch tells it.
type witness struct {
	mu     sync.Mutex
	sights map[string][]sight   // by app.key
	last   map[string]sight     // by kind, namespace and name, to drop what has not changed
	away   map[string]time.Time // by app.key, when the canary Ingress was seen to go last
	images map[string][]string  // that were given to an app, by app.key
}

type sightKind int

const (
	aPod sightKind = iota
	aWorkload
	aCanaryIngress
)

// sight is what one change made of an object.
type sight struct {
	version uint64 // of the resource: the order of all changes
	kind    sightKind
	name    string
	gone    bool // deleted, or being deleted for a pod

	rollout string // that a pod or an Ingress belongs to, or a Deployment is held for
	stable  bool   // a pod that the user's Service selects
	ready   bool   // a pod
	image   string // of a pod or of a Deployment
	weight  int    // of an Ingress
	scale   int32  // replicas of a Deployment
}

func (b *bench) newWitness(ctx context.Context) (*witness, error) {
	w := &witness{sights: map[string][]sight{}, last: map[string]sight{}, away: map[string]time.Time{}, images: map[string][]string{}}
	ingresses := &metav1.PartialObjectMetadataList{}
	ingresses.SetGroupVersionKind(netv1.SchemeGroupVersion.WithKind("IngressList"))
	for _, list := range []client.ObjectList{ingresses, &corev1.PodList{}, &appsv1.DeploymentList{}} {
		if err := follow(ctx, b.client, list, "", w.see); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *witness) see(e watch.Event, at time.Time) {
	o, ok := e.Object.(client.Object)
	if !ok || !strings.HasPrefix(o.GetNamespace(), "bench-") {
		return
	}
	s, app := sightOf(o)
	if app == "" {
		return
	}
	s.gone = s.gone || e.Type == watch.Deleted
	s.version, _ = strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	key := o.GetNamespace() + "/" + app
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprint(s.kind, o.GetNamespace(), s.name)
	last, known := w.last[id]
	same := s
	same.version = last.version
	if known && same == last {
		return
	}
	w.last[id] = s
	w.sights[key] = append(w.sights[key], s)
	if s.kind == aCanaryIngress && s.gone {
		w.away[key] = at
	}
}

// sightOf returns what is recorded of an object, and the app that it belongs to, "" for an
// object that does not matter.
func sightOf(o client.Object) (s sight, app string) {
	s.name = o.GetName()
	s.rollout = o.GetLabels()[spec.LabelRollout]
	switch o := o.(type) {
	case *corev1.Pod:
		s.kind, s.gone, s.image = aPod, o.DeletionTimestamp != nil, o.Spec.Containers[0].Image
		for _, c := range o.Status.Conditions {
			s.ready = s.ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		app = strings.TrimSuffix(o.Labels["app"], "-canary")
		s.stable = app == o.Labels["app"]
	case *appsv1.Deployment:
		if strings.HasSuffix(o.Name, "-canary") {
			return s, ""
		}
		s.kind, s.rollout, app = aWorkload, o.Annotations[spec.AnnotationRollout], o.Name
		s.image, s.scale = o.Spec.Template.Spec.Containers[0].Image, *o.Spec.Replicas
	case *metav1.PartialObjectMetadata:
		if !strings.HasSuffix(o.Name, "-canary") {
			return s, ""
		}
		s.kind, app = aCanaryIngress, strings.TrimSuffix(o.Name, "-canary")
		s.weight, _ = strconv.Atoi(o.Annotations[weightAnnotation])
	}
	return s, app
}

// gave notes that a user gives the app another image.
func (w *witness) gave(a app, image string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.images[a.key()] = append(w.images[a.key()], image)
}

// awaySince returns when the canary Ingress of an app was seen to go, if not before since.
func (w *witness) awaySince(a app, since time.Time) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.away[a.key()]
	return at, !at.Before(since)
}

// violations lists every break of an invariant by any app, and how many changes were looked at.
func (w *witness) violations(apps []app) (broken []string, looked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range apps {
		sights := slices.Clone(w.sights[a.key()])
		slices.SortStableFunc(sights, func(x, y sight) int { return cmp.Compare(x.version, y.version) })
		c := newCourt(a, w.images[a.key()])
		for _, s := range sights {
			c.look(s)
		}
		for _, text := range c.broken {
			broken = append(broken, a.key()+": "+text)
		}
		looked += len(sights)
	}
	return broken, looked
}
