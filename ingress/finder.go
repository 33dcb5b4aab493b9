package ingress

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// finder collects, by name, the Services and Ingresses in the namespace of target that
// may matter to it. It finds each by an index or by its name, so the cost of a look
// does not depend on how many other applications are in the namespace.
type finder struct {
	reader    client.Reader
	target    rollout.Target
	services  map[string]corev1.Service
	ingresses map[string]netv1.Ingress
}

func newFinder(reader client.Reader, t rollout.Target) finder {
	return finder{reader, t, map[string]corev1.Service{}, map[string]netv1.Ingress{}}
}

func (f finder) find(ctx context.Context) error {
	// Each step needs what those before it found.
	for _, step := range []func(context.Context) error{
		f.findServices, f.findIngresses, f.findCanaries, f.findNamesakes,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// findServices finds the own Services, those that the user named, those that select
// the stable pods, and those that may select canary pods.
func (f finder) findServices(ctx context.Context) error {
	pod := f.target.Deployment.Spec.Template.Labels
	err := f.listServices(ctx, ownerIndex, string(f.target.Deployment.UID))
	keys := rollout.LabelKeys(pod)
	if len(f.target.Track) > 0 {
		keys = append(keys, rollout.LabelKeys(f.target.CanaryLabels())...)
	} else if err == nil {
		err = f.listServices(ctx, trackIndex, f.trackPairs()...)
	}
	slices.Sort(keys)
	if err == nil {
		err = f.listServices(ctx, selectorIndex, slices.Compact(keys)...)
	}
	for _, name := range f.target.Spec.Services {
		if err == nil {
			err = f.getService(ctx, name)
		}
	}
	return err
}

// trackPairs returns the pairs of which ChooseTrack takes some for the canary pods.
func (f finder) trackPairs() []string {
	pod := f.target.Deployment.Spec.Template.Labels
	keys := slices.AppendSeq([]string{spec.LabelTrack, f.target.Spec.TrackLabel}, maps.Keys(pod))
	slices.Sort(keys)
	var pairs []string
	for _, key := range slices.Compact(keys) {
		pairs = append(pairs, rollout.LabelPair(key, rollout.TrackValue(pod[key])))
	}
	return pairs
}

// selecting returns the names of the Services that select the stable pods.
func (f finder) selecting() []string {
	var names []string
	for name, svc := range f.services {
		if selects(&svc, f.target.Deployment.Spec.Template.Labels) {
			names = append(names, name)
		}
	}
	return names
}

// findIngresses finds the own Ingresses, those that the user named, and those that lead
// to a Service which selects the stable pods.
func (f finder) findIngresses(ctx context.Context) error {
	err := f.listIngresses(ctx, ownerIndex, string(f.target.Deployment.UID))
	if err == nil {
		err = f.listIngresses(ctx, backendIndex, f.selecting()...)
	}
	for _, name := range f.target.Spec.Ingresses {
		if err == nil {
			err = f.getIngress(ctx, name)
		}
	}
	return err
}

// findCanaries finds the canary Ingresses at the locations by which the Ingresses that
// were found so far lead to the stable pods.
func (f finder) findCanaries(ctx context.Context) error {
	names, keys := serviceNames{}, []string(nil)
	for _, name := range f.selecting() {
		names[name] = true
	}
	for _, ing := range f.ingresses {
		for host, path := range pathsTo(&ing, names) {
			keys = append(keys, locationOf(host, path).key())
		}
	}
	slices.Sort(keys)
	return f.listIngresses(ctx, canaryIndex, slices.Compact(keys)...)
}

// findNamesakes finds what has the name of an object that may be derived from those
// that were found so far.
func (f finder) findNamesakes(ctx context.Context) error {
	var err error
	for _, stable := range f.selecting() {
		for _, p := range purposes {
			if err == nil {
				err = f.getService(ctx, p.objectName(stable, serviceNameLimit))
			}
		}
	}
	for _, stable := range slices.Collect(maps.Keys(f.ingresses)) {
		for _, p := range purposes {
			for _, base := range []string{stable, stable + "-" + f.target.Deployment.Name} {
				if err == nil {
					err = f.getIngress(ctx, p.objectName(base, ingressNameLimit))
				}
			}
		}
	}
	return err
}

func (f finder) listServices(ctx context.Context, index string, keys ...string) error {
	for _, key := range keys {
		var list corev1.ServiceList
		if err := f.list(ctx, &list, index, key); err != nil {
			return fmt.Errorf("listing Services of namespace %q: %w", f.target.Deployment.Namespace, err)
		}
		for _, svc := range list.Items {
			f.services[svc.Name] = svc
		}
	}
	return nil
}

func (f finder) listIngresses(ctx context.Context, index string, keys ...string) error {
	for _, key := range keys {
		var list netv1.IngressList
		if err := f.list(ctx, &list, index, key); err != nil {
			return fmt.Errorf("listing Ingresses of namespace %q: %w", f.target.Deployment.Namespace, err)
		}
		for _, ing := range list.Items {
			f.ingresses[ing.Name] = ing
		}
	}
	return nil
}

func (f finder) list(ctx context.Context, list client.ObjectList, index, key string) error {
	return f.reader.List(ctx, list, client.InNamespace(f.target.Deployment.Namespace), client.MatchingFields{index: key})
}

// getService adds the Service with this name, if there is one.
func (f finder) getService(ctx context.Context, name string) error {
	var svc corev1.Service
	if _, ok := f.services[name]; ok {
		return nil
	}
	if err := f.reader.Get(ctx, f.key(name), &svc); err != nil {
		return client.IgnoreNotFound(err)
	}
	f.services[name] = svc
	return nil
}

// getIngress adds the Ingress with this name, if there is one.
func (f finder) getIngress(ctx context.Context, name string) error {
	var ing netv1.Ingress
	if _, ok := f.ingresses[name]; ok {
		return nil
	}
	if err := f.reader.Get(ctx, f.key(name), &ing); err != nil {
		return client.IgnoreNotFound(err)
	}
	f.ingresses[name] = ing
	return nil
}

func (f finder) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: f.target.Deployment.Namespace, Name: name}
}
