package node

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Name is the name of the lab's only Node.
const Name = "lab"

// Options says what the node runs. All but Hollow is required.
type Options struct {
	// Client has the rights of a kubelet and of a scheduler.
	Client kubernetes.Interface
	// Host is the machine's address: the pods' gateway.
	Host netip.Addr
	// DNS is the name server that pods ask.
	DNS netip.Addr
	// Dir receives pods/NAMESPACE/POD/CONTAINER.log and the scrape targets.
	Dir string
	// Program returns the program of an image.
	Program func(image string) (Program, error)
	// PodConfig is the client configuration of a pod with this ServiceAccount token.
	PodConfig func(token string) *rest.Config
	// Hollow marks pods whose Program is Hollow as running and ready without starting anything.
	Hollow bool
}

// Agent is the running node.
type Agent struct {
	Options
	ctx       context.Context
	cancel    context.CancelFunc
	pods      cache.SharedIndexInformer
	queue     workqueue.TypedRateLimitingInterface[string]
	addresses *addresses
	tokens    *tokens
	targets   *targets
	work      sync.WaitGroup

	mu      sync.Mutex
	runners map[string]*runner // by pod key
}

// workers is how many pods are bound, started or marked at a time. Each waits
// for the API server most of its time.
const workers = 16

// Start registers the node and runs pods until Stop.
func Start(ctx context.Context, o Options) (*Agent, error) {
	if err := register(ctx, o.Client, o.Host); err != nil {
		return nil, fmt.Errorf("start node agent: %w", err)
	}
	a := &Agent{
		Options:   o,
		queue:     workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
		addresses: newAddresses(),
		tokens:    newTokens(o.Client),
		runners:   map[string]*runner{},
	}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	factory := informers.NewSharedInformerFactory(o.Client, 0)
	a.pods = factory.Core().V1().Pods().Informer()
	a.targets = newTargets(a.TargetsFile())
	if _, err := a.pods.AddEventHandler(a.handler()); err != nil {
		return nil, fmt.Errorf("start node agent: %w", err)
	}
	factory.Start(a.ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), a.pods.HasSynced) {
		a.Stop()
		return nil, fmt.Errorf("start node agent: list pods: %w", ctx.Err())
	}
	for range workers {
		a.work.Go(a.serve)
	}
	a.work.Go(func() { a.targets.run(a.ctx, a.pods.GetStore()) })
	return a, nil
}

// Stop kills every pod's processes and ends. Objects in the API stay as they are.
func (a *Agent) Stop() {
	a.cancel()
	a.queue.ShutDown()
	a.work.Wait()
}

func (a *Agent) handler() cache.ResourceEventHandler {
	enqueue := func(obj any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
			a.queue.Add(key)
			a.targets.changed()
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
		DeleteFunc: enqueue,
	}
}

func (a *Agent) serve() {
	for {
		key, shutdown := a.queue.Get()
		if shutdown {
			return
		}
		if err := a.sync(key); err != nil && a.ctx.Err() == nil {
			a.queue.AddRateLimited(key)
		} else {
			a.queue.Forget(key)
		}
		a.queue.Done(key)
	}
}

// sync takes one pod one step further: it is bound, then started, then told that it is
// deleted.
func (a *Agent) sync(key string) error {
	obj, exists, err := a.pods.GetStore().GetByKey(key)
	if err != nil {
		return err
	}
	if !exists {
		a.forget(key)
		return nil
	}
	pod := obj.(*corev1.Pod)
	if pod.Spec.NodeName == "" {
		return bind(a.ctx, a.Client, pod)
	}
	if finished(pod) {
		return a.removeFinished(pod)
	}
	if a.Hollow && a.hollow(pod) {
		return a.syncHollow(pod)
	}
	a.runner(key, pod).observe(pod)
	return nil
}

// removeFinished ends the deletion of a pod without processes: its runner may have ended
// before it saw the deletion. It does not repeat that for a pod that only finalizers keep.
func (a *Agent) removeFinished(pod *corev1.Pod) error {
	if grace := pod.DeletionGracePeriodSeconds; pod.DeletionTimestamp == nil || grace != nil && *grace == 0 {
		return nil
	}
	return remove(a.ctx, a.Client, pod)
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// runner returns the goroutine that runs pod, started if there is none. A pod of the same
// name and another UID (a force-deleted one came back) replaces the old.
func (a *Agent) runner(key string, pod *corev1.Pod) *runner {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r, ok := a.runners[key]; ok {
		if r.pod.UID == pod.UID {
			return r
		}
		r.cancel()
	}
	r := newRunner(a, pod)
	a.runners[key] = r
	a.work.Go(r.run)
	return r
}

// forget ends the processes of a pod that the API server no longer has.
func (a *Agent) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r, ok := a.runners[key]; ok {
		r.cancel()
		delete(a.runners, key)
	}
}
