package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/disruption"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/resourcequota"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	quota "k8s.io/kubernetes/pkg/quota/v1/install"
	resourcemetrics "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// builder makes a controller.
type builder func(context.Context, *manager) (loop, error)

// builders are the controllers under upstream's names. Numbers in them are upstream's defaults.
func builders() map[string]builder {
	return map[string]builder{
		"deployment-controller":                buildDeployment,
		"disruption-controller":                buildDisruption,
		"endpointslice-controller":             buildEndpointSlice,
		"garbage-collector-controller":         buildGarbageCollector,
		"horizontal-pod-autoscaler-controller": buildAutoscaler,
		"job-controller":                       buildJob,
		"namespace-controller":                 buildNamespace,
		"replicaset-controller":                buildReplicaSet,
		"resourcequota-controller":             buildResourceQuota,
		"serviceaccount-controller":            buildServiceAccount,
	}
}

func buildDeployment(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("deployment-controller")
	if err != nil {
		return nil, err
	}
	apps := m.informers.Apps().V1()
	c, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), m.informers.Core().V1().Pods(), client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, m.deploymentWorkers) }, nil
}

func buildReplicaSet(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("replicaset-controller")
	if err != nil {
		return nil, err
	}
	c := replicaset.NewReplicaSetController(ctx, m.informers.Apps().V1().ReplicaSets(), m.informers.Core().V1().Pods(),
		client, replicaset.BurstReplicas)
	return func(ctx context.Context) { c.Run(ctx, m.replicaSetWorkers) }, nil
}

func buildJob(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("job-controller")
	if err != nil {
		return nil, err
	}
	// The last two are for gang scheduling, which is off by default.
	c, err := job.NewController(ctx, client, m.informers.Core().V1().Pods(), m.informers.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, 5) }, nil
}

func buildEndpointSlice(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("endpointslice-controller")
	if err != nil {
		return nil, err
	}
	core := m.informers.Core().V1()
	const perSlice, batchPeriod = 100, 0
	c := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), m.informers.Discovery().V1().EndpointSlices(),
		perSlice, client, batchPeriod)
	return func(ctx context.Context) { c.Run(ctx, 5) }, nil
}

func buildServiceAccount(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("service-account-controller")
	if err != nil {
		return nil, err
	}
	core := m.informers.Core().V1()
	c, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), client,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, 1) }, nil
}

func buildNamespace(ctx context.Context, m *manager) (loop, error) {
	config := m.named("namespace-controller")
	config.QPS *= 20 // it deletes object by object
	config.Burst *= 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := namespace.NewNamespaceController(ctx, client, objects, client.Discovery().ServerPreferredNamespacedResources,
		m.informers.Core().V1().Namespaces(), 5*time.Minute, corev1.FinalizerKubernetes)
	return func(ctx context.Context) { c.Run(ctx, 10) }, nil
}

func buildDisruption(ctx context.Context, m *manager) (loop, error) {
	const name = "disruption-controller"
	client, err := m.client(name)
	if err != nil {
		return nil, err
	}
	scales, err := m.scales(client, name)
	if err != nil {
		return nil, err
	}
	core, apps := m.informers.Core().V1(), m.informers.Apps().V1()
	c := disruption.NewDisruptionController(ctx, core.Pods(), m.informers.Policy().V1().PodDisruptionBudgets(),
		core.ReplicationControllers(), apps.ReplicaSets(), apps.Deployments(), apps.StatefulSets(),
		client, m.mapper, scales, client.Discovery())
	return func(ctx context.Context) { c.Run(ctx, 1) }, nil
}

func buildGarbageCollector(ctx context.Context, m *manager) (loop, error) {
	const name = "generic-garbage-collector"
	client, err := m.client(name)
	if err != nil {
		return nil, err
	}
	config := m.named(name)
	config.QPS *= 2 // it needs two requests to delete an object
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c, err := garbagecollector.NewGarbageCollector(ctx, client, objects, m.mapper, garbagecollector.DefaultIgnoredResources(),
		m.all, m.started)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		go c.Sync(ctx, client.Discovery(), rediscovery)
		c.Run(ctx, 20, rediscovery)
	}, nil
}

func buildResourceQuota(ctx context.Context, m *manager) (loop, error) {
	client, err := m.client("resourcequota-controller")
	if err != nil {
		return nil, err
	}
	rules, err := quota.NewQuotaConfigurationForControllers(generic.ListerFuncForResourceFunc(m.informers.ForResource), m.informers)
	if err != nil {
		return nil, err
	}
	discover := client.Discovery().ServerPreferredNamespacedResources
	c, err := resourcequota.NewController(ctx, &resourcequota.ControllerOptions{
		QuotaClient:               client.CoreV1(),
		ResourceQuotaInformer:     m.informers.Core().V1().ResourceQuotas(),
		ResyncPeriod:              controller.StaticResyncPeriodFunc(5 * time.Minute),
		InformerFactory:           m.all,
		ReplenishmentResyncPeriod: resync,
		DiscoveryFunc:             discover,
		IgnoredResourcesFunc:      rules.IgnoredResources,
		InformersStarted:          m.started,
		Registry:                  generic.NewRegistry(rules.Evaluators()),
		UpdateFilter:              quota.DefaultUpdateFilter(),
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		go c.Sync(ctx, discover, rediscovery)
		c.Run(ctx, 5)
	}, nil
}

func buildAutoscaler(ctx context.Context, m *manager) (loop, error) {
	const name, tolerance = "horizontal-pod-autoscaler", 0.1
	client, err := m.client(name)
	if err != nil {
		return nil, err
	}
	scales, err := m.scales(client, name)
	if err != nil {
		return nil, err
	}
	resources, err := resourcemetrics.NewForConfig(m.named(name))
	if err != nil {
		return nil, err
	}
	external, err := external_metrics.NewForConfig(m.named(name))
	if err != nil {
		return nil, err
	}
	versions := custom_metrics.NewAvailableAPIsGetter(client.Discovery())
	custom := custom_metrics.NewForConfig(m.named(name), m.mapper, versions)
	c := podautoscaler.NewHorizontalController(ctx, client.CoreV1(), scales, client.AutoscalingV2(), m.mapper,
		metrics.NewRESTMetricsClient(resources, custom, external),
		m.informers.Autoscaling().V2().HorizontalPodAutoscalers(), m.informers.Core().V1().Pods(),
		m.autoscalerPeriod, m.autoscalerStabilization, tolerance, m.autoscalerCPUDelay, m.autoscalerReadinessDelay)
	return func(ctx context.Context) {
		go custom_metrics.PeriodicallyInvalidate(versions, m.autoscalerPeriod, ctx.Done())
		c.Run(ctx, 5)
	}, nil
}
