package controller

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// trimmed returns obj as a read from the cache returns it. obj stays as it is.
func trimmed[T client.Object](t *testing.T, obj T) T {
	t.Helper()
	once, err := Trim(obj.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	twice, err := Trim(once)
	if err != nil || twice != once {
		t.Fatalf("a second Trim returned another object: %v", err)
	}
	return twice.(client.Object).DeepCopyObject().(T)
}

// TestTrimKeepsWhatIsHeadgates: a Deployment with which Headgate has to do loses nothing
// but what nobody reads, and any other one keeps only its identity.
func TestTrimKeepsWhatIsHeadgates(t *testing.T) {
	condition := func(kind appsv1.DeploymentConditionType, why reason.Reason) func(*appsv1.Deployment) {
		return func(dep *appsv1.Deployment) {
			dep.Status.Conditions = append(dep.Status.Conditions, appsv1.DeploymentCondition{Type: kind, Reason: string(why)})
		}
	}
	annotation := func(key string) func(*appsv1.Deployment) {
		return func(dep *appsv1.Deployment) { dep.Annotations[key] = "canary" }
	}
	owned := func(kind string) func(*appsv1.Deployment) {
		return func(dep *appsv1.Deployment) {
			dep.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "web", UID: "u0", Controller: ptr.To(true)}}
		}
	}
	tests := map[string]struct {
		change func(*appsv1.Deployment)
		whole  bool
	}{
		"it opted in":                  {annotation(spec.AnnotationStrategy), true},
		"it is held":                   {annotation(spec.AnnotationRollout), true},
		"it has a phase":               {annotation(spec.AnnotationPhase), true},
		"it has a condition":           {condition(spec.ConditionType, reason.Ready), true},
		"it opted out":                 {condition(spec.ConditionType, reason.OptedOut), true},
		"its template is on record":    {condition(spec.ConditionKnown, "Recorded"), true},
		"it is a canary":               {owned("Deployment"), true},
		"an operator owns it":          {owned("Website"), false},
		"it has to do with nobody":     {func(*appsv1.Deployment) {}, false},
		"it has conditions of others":  {condition(appsv1.DeploymentAvailable, "MinimumReplicasAvailable"), false},
		"it has annotations of others": {annotation("example.com/strategy"), false},
		"only its template is annotated": {
			func(dep *appsv1.Deployment) {
				dep.Spec.Template.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
			}, false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dep := stableDeployment()
			dep.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "shop"}
			dep.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
			tt.change(dep)
			want := dep.DeepCopy()
			want.ManagedFields = nil
			delete(want.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
			if !tt.whole {
				want = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
					Name: "web", Namespace: "shop", UID: "u1", Generation: 6, ResourceVersion: "100", OwnerReferences: dep.OwnerReferences,
				}}
			}
			got := trimmed(t, dep)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if isBare(got) == tt.whole {
				t.Errorf("bare: %t", isBare(got))
			}
		})
	}
}

// TestTrimmedReplicaSet: what is read of a ReplicaSet is the same after Trim.
func TestTrimmedReplicaSet(t *testing.T) {
	dep := stableDeployment()
	numbered := func(revision, history string) func(*appsv1.ReplicaSet) {
		return func(rs *appsv1.ReplicaSet) {
			rs.Annotations = map[string]string{annotationRevision: revision}
			if history != "" {
				rs.Annotations[annotationRevisionHistory] = history
			}
		}
	}
	for name, change := range map[string]func(*appsv1.ReplicaSet){
		"with pods":  numbered("3", ""),
		"stopping":   func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas, rs.Status.Replicas = ptr.To[int32](0), 2 },
		"old":        func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = ptr.To[int32](0) },
		"used again": numbered("4", "1,3"),
		"to be handed over": func(rs *appsv1.ReplicaSet) {
			rs.Annotations = map[string]string{spec.AnnotationAdoptedBy: "web"}
		},
		"restarted oddly": func(rs *appsv1.ReplicaSet) {
			metav1.SetMetaDataAnnotation(&rs.Spec.Template.ObjectMeta, spec.AnnotationRestartedAt, "10h\n11h")
		},
		"not numbered":     func(*appsv1.ReplicaSet) {},
		"without a label":  func(rs *appsv1.ReplicaSet) { rs.Labels = nil },
		"of a canary":      func(rs *appsv1.ReplicaSet) { rs.Labels[spec.LabelRollout] = "7" },
		"without an owner": func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil },
	} {
		t.Run(name, func(t *testing.T) {
			rs := replicaSet(dep, version{"web:v1", "10h"}, 2)
			rs.UID, rs.ResourceVersion = "u2", "200"
			rs.Labels = map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: "h10h"}
			change(rs)
			if diff := cmp.Diff(readOf(rs), readOf(trimmed(t, rs))); diff != "" {
				t.Errorf("(-whole +trimmed)\n%s", diff)
			}
			if got := trimmed(t, rs); len(got.Spec.Template.Spec.Containers) > 0 {
				t.Error("the template stays in memory")
			}
		})
	}
}

// readOf is what this package reads of a ReplicaSet.
func readOf(rs *appsv1.ReplicaSet) map[string]any {
	return map[string]any{
		"key": client.ObjectKeyFromObject(rs), "UID": rs.UID, "resourceVersion": rs.ResourceVersion,
		"owner": metav1.GetControllerOf(rs), "indexed by": ownerKey(rs), "hash": rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey],
		"identity": replicaSetIdentity(rs), "pods": hasPods(rs), "revision": rs.Annotations[annotationRevision], "first": firstRevision(rs),
		"replicas": []int32{*rs.Spec.Replicas, rs.Status.Replicas}, "made for rollout": rs.Labels[spec.LabelRollout],
		"adopted by": rs.Annotations[spec.AnnotationAdoptedBy],
	}
}

// TestPackedReplicaSetInAStore: a store and its indexes take a packed ReplicaSet for the
// ReplicaSet that it is.
func TestPackedReplicaSetInAStore(t *testing.T) {
	rs := replicaSet(stableDeployment(), version{"web:v1", ""}, 2)
	packed, err := Trim(rs.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := packed.(*packedReplicaSet); !ok {
		t.Fatalf("it is a %T", packed)
	}
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexersFor(rs))
	if err := store.Add(packed); err != nil {
		t.Fatal(err)
	}
	if found, err := store.ByIndex("field:"+ownerIndex, "shop/u1"); err != nil || len(found) != 1 {
		t.Errorf("found by its owner: %v, %v", found, err)
	}
	object := reflect.TypeFor[metav1.Object]()
	for i := range object.NumMethod() {
		if name := object.Method(i).Name; strings.HasPrefix(name, "Get") {
			reflect.ValueOf(packed).MethodByName(name).Call(nil) // does not panic
		}
	}
	if _, there, err := store.GetByKey("shop/" + rs.Name); !there || err != nil {
		t.Errorf("found by its name: %t, %v", there, err)
	}
}

func TestTrimLeavesTombstones(t *testing.T) {
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/web"}
	if got, err := Trim(tombstone); err != nil || got != any(tombstone) {
		t.Errorf("a tombstone became %v, %v", got, err)
	}
}

// TestObserveBareDeployment: a canary that is left although nothing on the Deployment
// tells of Headgate is observed with the whole Deployment.
func TestObserveBareDeployment(t *testing.T) {
	forget := func(dep *appsv1.Deployment) { dep.Annotations = nil }
	leave := func(t *testing.T, w *waiting) {
		t.Helper()
		svc := &corev1.Service{ObjectMeta: rollout.OwnedMeta(w.deployment(t), "web-canary", "7")}
		if err := w.Client.Create(t.Context(), svc); err != nil {
			t.Fatal(err)
		}
	}
	observed := func(read func(*testing.T, client.Client) client.Client) *snapshot {
		w := newWaiting(t, forget)
		leave(t, w)
		w.Client = read(t, w.Client.(client.WithWatch))
		s, err := w.observe(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"})
		if err != nil || s == nil {
			t.Fatalf("observed %v, %v", s, err)
		}
		return s
	}
	whole := observed(func(_ *testing.T, c client.Client) client.Client { return c })
	bare := observed(cached)
	if !reflect.DeepEqual(whole.Observation, bare.Observation) {
		t.Errorf("observed of the whole one: %+v\nof the bare one: %+v", whole.Observation, bare.Observation)
	}
	if len(bare.dep.Spec.Template.Spec.Containers) == 0 {
		t.Error("the template is missing")
	}
}

// cached returns c as if a cache with Trim answered its reads of Deployments.
func cached(t *testing.T, c client.Client) client.Client {
	t.Helper()
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, obj, opts...)
			if dep, ok := obj.(*appsv1.Deployment); ok && err == nil {
				*dep = *trimmed(t, dep)
			}
			return err
		},
	})
}
