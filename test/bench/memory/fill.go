package memory

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

const (
	perNamespace = 100
	creators     = 16 // Deployments that are created at a time
)

// fill creates what s says. Every Deployment opts in whose number is below s.Managed.
func fill(ctx context.Context, c client.Client, s Sizes) error {
	for i := 0; i < s.Deployments; i += perNamespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}
		if err := c.Create(ctx, ns); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range s.Deployments {
		group.Go(func() error { return fillOne(ctx, c, s, i) })
	}
	return group.Wait()
}

func namespaceOf(i int) string { return fmt.Sprint("team-", i/perNamespace) }

func fillOne(ctx context.Context, c client.Client, s Sizes, i int) error {
	sample := sampleOf(i, s.OldReplicaSets)
	dep := sample.Deployment()
	dep.Spec.Replicas = new(int32(0))
	dep.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("x", 5000)}
	if i < s.Managed {
		dep.Annotations[spec.AnnotationStrategy] = "canary"
	}
	if err := c.Create(ctx, dep); err != nil {
		return err
	}
	for old := range s.OldReplicaSets {
		if err := c.Create(ctx, oldReplicaSet(dep, i, old)); err != nil {
			return err
		}
	}
	if i < s.Routed {
		if err := c.Create(ctx, sample.Service()); err != nil {
			return err
		}
		return c.Create(ctx, sample.Ingress())
	}
	return nil
}

// sampleOf is application i in that version.
func sampleOf(i, version int) lab.Sample {
	env := map[string]string{}
	for v := range 20 {
		env[fmt.Sprint("VARIABLE_", v)] = strings.Repeat("v", 40)
	}
	return lab.Sample{Namespace: namespaceOf(i), Name: fmt.Sprint("web-", i), Version: fmt.Sprint("v", version), Env: env}
}

// oldReplicaSet is that of an earlier version of dep.
func oldReplicaSet(dep *appsv1.Deployment, i, version int) *appsv1.ReplicaSet {
	hash := strconv.Itoa(1_000_000_000 + version)
	template := sampleOf(i, version).Deployment().Spec.Template
	labels := maps.Clone(template.Labels)
	labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	template.Labels = labels
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: dep.Namespace, Name: dep.Name + "-" + hash, Labels: labels,
			Annotations:     map[string]string{"deployment.kubernetes.io/revision": strconv.Itoa(version + 1)},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
}

// In a cluster in which nothing happens there are a few writes in a second, of leases and
// the like. It is quiet when that has been so for some intervals in a row: on a busy
// machine the controllers pause.
const (
	quietRate     = 10 // writes in a second
	quietInterval = 3 * time.Second
	quietFor      = 5 // intervals
)

// awaitQuiet waits until Kubernetes' own controllers have nothing left to do. Each write
// to the API server raises its resourceVersion by one.
func awaitQuiet(ctx context.Context, c client.Client) error {
	version := func() (int, error) {
		var list corev1.NamespaceList
		if err := c.List(ctx, &list, client.Limit(1)); err != nil {
			return 0, err
		}
		return strconv.Atoi(list.ResourceVersion)
	}
	before, err := version()
	for quiet := 0; err == nil && quiet < quietFor; quiet++ {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(quietInterval):
		}
		var after int
		after, err = version()
		if after-before >= quietRate*int(quietInterval/time.Second) {
			quiet = -1
		}
		before = after
	}
	return err
}
