package controller

import (
	appsv1 "k8s.io/api/apps/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Trim removes from an object what nothing in this package reads, before it goes into
// the cache. It is a transform for the caches that a Reconciler reads from: it changes
// obj or returns another object in its place, and a second call changes nothing. An
// object of a kind that it does not know, such as a tombstone, stays as it is.
//
//	kind                                     what stays
//	---------------------------------------  ------------------------------------------------
//	Deployment that concerns Headgate        all
//	any other Deployment                     its identity: bareDeployment
//	ReplicaSet with an owner                 who, how many pods, which version: packReplicaSet
//	ReplicaSet of a rollout or without owner all but the template: Slim
//	NetworkPolicy, PodDisruptionBudget       all but the status
//
// Of every kind it removes what rollout.TrimMeta removes. Nothing that was trimmed may be
// written back whole: every write of Headgate is a patch of the fields that it names.
func Trim(obj any) (any, error) {
	switch obj := obj.(type) {
	case *appsv1.Deployment:
		rollout.TrimMeta(obj)
		if !concernsHeadgate(obj) {
			return bareOf(obj), nil
		}
	case *appsv1.ReplicaSet:
		rollout.TrimMeta(obj)
		Slim(obj)
		ours := obj.Labels[spec.LabelRollout] != "" || obj.Annotations[spec.AnnotationAdoptedBy] != ""
		if !ours && metav1.GetControllerOfNoCopy(obj) != nil {
			return packReplicaSet(obj), nil
		}
	case *netv1.NetworkPolicy:
		rollout.TrimMeta(obj)
	case *policyv1.PodDisruptionBudget:
		rollout.TrimMeta(obj)
		obj.Status = policyv1.PodDisruptionBudgetStatus{}
	}
	return obj, nil
}

// concernsHeadgate says whether Headgate has to do with dep: it opted in, it has an
// annotation or a condition of Headgate, or another Deployment owns it, as that of a
// canary. The cache gets a Deployment anew with each change of it, so one that opts in
// later is whole from then on.
func concernsHeadgate(dep *appsv1.Deployment) bool {
	owner := metav1.GetControllerOfNoCopy(dep)
	return isRelevant(dep) || owner != nil && owner.Kind == "Deployment" ||
		conditionOf(dep) != nil || findCondition(dep, spec.ConditionKnown) != nil
}

// bareDeployment is a Deployment in the cache that does not concern Headgate. It takes a
// fifth of the memory of one whose fields are empty. A read from the cache returns a deep
// copy, and that of a bareDeployment is a Deployment with this metadata and nothing else.
type bareDeployment struct{ metav1.ObjectMeta }

func bareOf(dep *appsv1.Deployment) *bareDeployment {
	return &bareDeployment{metav1.ObjectMeta{
		Namespace: dep.Namespace, Name: dep.Name, UID: dep.UID,
		ResourceVersion: dep.ResourceVersion, Generation: dep.Generation,
		OwnerReferences: dep.OwnerReferences, DeletionTimestamp: dep.DeletionTimestamp,
	}}
}

// DeepCopyObject implements runtime.Object.
func (b *bareDeployment) DeepCopyObject() runtime.Object {
	return &appsv1.Deployment{ObjectMeta: *b.DeepCopy()}
}

// GetObjectKind implements runtime.Object.
func (b *bareDeployment) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// isBare says whether dep was read from a bareDeployment. The API server accepts no
// Deployment without a selector.
func isBare(dep *appsv1.Deployment) bool { return dep.Spec.Selector == nil }
