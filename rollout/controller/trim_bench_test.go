package controller

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// BenchmarkTrim puts objects of one kind into a store like that of a cache, with the
// indexes of a Reconciler, and reports the memory that one of them takes there.
func BenchmarkTrim(b *testing.B) {
	kinds := map[string]func(i int) protobuf{
		"old-replicaset":      func(i int) protobuf { return syntheticReplicaSet(i/11, i%11) },
		"other-deployment":    func(i int) protobuf { return syntheticDeployment(i, "") },
		"opted-in-deployment": func(i int) protobuf { return syntheticDeployment(i, "canary") },
	}
	for name, kind := range kinds {
		b.Run(name, func(b *testing.B) {
			sent, empty := kind(0), kind(0)
			store := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, indexersFor(sent))
			before, count := heapInUse(), 0
			for ; b.Loop(); count++ {
				b.StopTimer()
				sent = kind(count)
				wire, err := sent.Marshal()
				if err != nil {
					b.Fatal(err)
				}
				empty.Reset()
				b.StartTimer()
				fresh := empty.DeepCopyObject().(protobuf)
				if err := fresh.Unmarshal(wire); err != nil {
					b.Fatal(err)
				}
				kept, err := Trim(fresh)
				if err != nil {
					b.Fatal(err)
				}
				if err := store.Add(kept); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heapInUse()-before)/float64(count), "B/object")
			runtime.KeepAlive(store)
		})
	}
}

// protobuf is an object in the form in which the API server sends it.
type protobuf interface {
	client.Object
	Marshal() ([]byte, error)
	Unmarshal(wire []byte) error
	Reset()
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what a finalizer held is free after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// indexersFor returns the indexers of the cache for the kind of obj: by namespace, and
// two keys for each key of an index, as the cache of controller-runtime has them.
func indexersFor(obj client.Object) toolscache.Indexers {
	all := toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc}
	for _, index := range indexes {
		if fmt.Sprintf("%T", index.of) != fmt.Sprintf("%T", obj) {
			continue
		}
		all["field:"+index.name] = func(obj any) ([]string, error) {
			var keys []string
			for _, key := range index.keys(obj.(client.Object)) {
				keys = append(keys, obj.(client.Object).GetNamespace()+"/"+key, "__all_namespaces/"+key)
			}
			return keys, nil
		}
	}
	return all
}

// syntheticDeployment has 20 variables and a manifest of 5 KB of the last kubectl apply.
func syntheticDeployment(i int, strategy string) *appsv1.Deployment {
	pod := map[string]string{
		"app.kubernetes.io/name": fmt.Sprint("app-", i), "app.kubernetes.io/instance": fmt.Sprint("app-", i), "team": "shop",
	}
	container := corev1.Container{Name: "app", Image: fmt.Sprintf("registry.example.com/shop/app-%d:v11", i)}
	for v := range 20 {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("VARIABLE_", v), Value: strings.Repeat("v", 40)})
	}
	managed := &metav1.FieldsV1{}
	managed.SetRawString(strings.Repeat("f", 2000))
	dep := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprint("team-", i%100), Name: fmt.Sprint("app-", i), UID: uuid.NewUUID(), ResourceVersion: fmt.Sprint(1_000_000 + i),
			Labels: pod,
			Annotations: map[string]string{
				"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("x", 5000), annotationRevision: "11",
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: managed}},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: pod},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pod}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}},
			},
		},
		Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Message: "Deployment has minimum availability."},
			{Type: appsv1.DeploymentProgressing, Message: fmt.Sprintf("ReplicaSet \"app-%d-7d9f\" has successfully progressed.", i)},
		}},
	}
	if strategy != "" {
		dep.Annotations[spec.AnnotationStrategy] = strategy
	}
	return dep
}

// syntheticReplicaSet is one of Deployment i, of the template with that revision.
func syntheticReplicaSet(i, revision int) *appsv1.ReplicaSet {
	dep := syntheticDeployment(i, "")
	hash := fmt.Sprintf("%010d", i*100+revision)
	template := dep.Spec.Template
	template.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	for key, value := range dep.Spec.Template.Labels {
		template.Labels[key] = value
	}
	template.Spec.Containers[0].Image = fmt.Sprintf("registry.example.com/shop/app-%d:v%d", i, revision)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: dep.Namespace, Name: dep.Name + "-" + hash, UID: uuid.NewUUID(), ResourceVersion: fmt.Sprint(2_000_000 + i),
			Labels: template.Labels, Annotations: map[string]string{annotationRevision: fmt.Sprint(revision)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: dep.Name, Controller: ptr.To(true),
				UID: types.UID(fmt.Sprintf("01234567-89ab-cdef-0123-%012d", i)),
			}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		},
	}
}
