package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/controller-manager/pkg/informerfactory"

	// The controllers convert between these groups' internal and public forms.
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
)

// rediscovery is how often the kinds that the API server has are looked up again, as upstream does.
const rediscovery = 30 * time.Second

// loop is a controller at work, until its context ends.
type loop func(context.Context)

// manager is what the controllers share.
type manager struct {
	options
	config    *rest.Config
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	informers informers.SharedInformerFactory
	all       informerfactory.InformerFactory // of any kind; only the metadata where the Go type is unknown
	started   chan struct{}                   // closed when the informers are started
}

func newManager(ctx context.Context, config *rest.Config, o options) (*manager, error) {
	m := &manager{options: o, config: config, started: make(chan struct{})}
	client, err := m.client("shared-informers")
	if err != nil {
		return nil, err
	}
	m.informers = informers.NewSharedInformerFactoryWithOptions(client, resync(), informers.WithTransform(trim))
	objects, err := metadata.NewForConfig(m.named("metadata-informers"))
	if err != nil {
		return nil, err
	}
	m.all = informerfactory.NewInformerFactory(m.informers,
		metadatainformer.NewSharedInformerFactoryWithOptions(objects, resync(), metadatainformer.WithTransform(trim)))

	discoverer, err := m.client("controller-discovery")
	if err != nil {
		return nil, err
	}
	m.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discoverer.Discovery()))
	go wait.Until(m.mapper.Reset, rediscovery, ctx.Done())
	return m, nil
}

// named is the client configuration of one controller. Its requests carry the controller's
// name and have a limit of their own.
func (m *manager) named(controller string) *rest.Config {
	return rest.AddUserAgent(rest.CopyConfig(m.config), controller)
}

func (m *manager) client(controller string) (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfig(m.named(controller))
}

func (m *manager) scales(client *kubernetes.Clientset, controller string) (scale.ScalesGetter, error) {
	kinds := scale.NewDiscoveryScaleKindResolver(client.Discovery())
	return scale.NewForConfig(m.named(controller), m.mapper, dynamic.LegacyAPIPathResolverFunc, kinds)
}

// build makes the named controllers. They register what they watch, so none may run before
// all are made.
func (m *manager) build(ctx context.Context, controllers []string) ([]loop, error) {
	var loops []loop
	for _, name := range controllers {
		build, ok := builders()[name]
		if !ok {
			return nil, fmt.Errorf("--controllers: there is no %q; there are: %s", name, strings.Join(names(), ", "))
		}
		loop, err := build(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		loops = append(loops, loop)
	}
	return loops, nil
}

func names() []string { return slices.Sorted(maps.Keys(builders())) }

func (m *manager) start(ctx context.Context) {
	m.informers.Start(ctx.Done())
	m.all.Start(ctx.Done())
	close(m.started)
}

// resync is 12 to 24 hours, as upstream has it.
func resync() time.Duration {
	return time.Duration(float64(12*time.Hour) * (1 + rand.Float64()))
}

// trim drops what no controller reads.
func trim(obj any) (any, error) {
	if accessor, err := meta.Accessor(obj); err == nil {
		accessor.SetManagedFields(nil)
	}
	return obj, nil
}
