package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/headgate/headgate/rollout/spec"
)

// ownerIndex finds ReplicaSets by the UID of the Deployment that owns them.
const ownerIndex = "headgate.owner"

// activeIndex finds the Deployments in a rollout, by "true".
const activeIndex = "headgate.active"

// SetupWithManager registers the controller with mgr, which runs it on the leader only.
// It watches every kind on which a decision depends, and polls none. workers is how
// many Deployments are reconciled at the same time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, workers int) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &appsv1.ReplicaSet{}, ownerIndex, ownerKey); err != nil {
		return fmt.Errorf("indexing ReplicaSets: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &appsv1.Deployment{}, activeIndex, activeKey); err != nil {
		return fmt.Errorf("indexing Deployments: %w", err)
	}
	autoscalerChanged := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return r.Autoscalers.Changed(e.ObjectOld, e.ObjectNew)
	}}
	err := ctrl.NewControllerManagedBy(mgr).
		Named("rollout").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers, RateLimiter: retries(), ReconciliationTimeout: reconcileTimeout,
		}).
		For(&appsv1.Deployment{}, builder.WithPredicates(relevantEvents())).
		Owns(&appsv1.Deployment{}).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.rolloutsAffectedBy)).
		Watches(&netv1.Ingress{}, handler.EnqueueRequestsFromMapFunc(r.rolloutsAffectedBy)).
		Watches(&netv1.IngressClass{}, handler.EnqueueRequestsFromMapFunc(r.rolloutsAffectedBy)).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(r.rolloutsScaledBy),
			builder.WithPredicates(autoscalerChanged)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(r.rolloutTestedBy)).
		WatchesRawSource(source.Func(r.startQuestions)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the controller: %w", err)
	}
	return nil
}

// retries is how soon a failed reconcile is tried again: after 50 ms, 100 ms and so
// on up to 5 s. A refused write that is allowed again is noticed within seconds; the
// default of controller-runtime lets up to 17 minutes pass.
func retries() workqueue.TypedRateLimiter[ctrl.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](50*time.Millisecond, 5*time.Second)
}

func ownerKey(obj client.Object) []string {
	if owner := metav1.GetControllerOf(obj); owner != nil {
		return []string{string(owner.UID)}
	}
	return nil
}

func activeKey(obj client.Object) []string {
	if a := obj.GetAnnotations(); a[spec.AnnotationRollout] != "" || a[spec.AnnotationPhase] != "" {
		return []string{"true"}
	}
	return nil
}

// relevantEvents passes the events of Deployments that are relevant, or were before an
// update. Any other event costs a few map look-ups.
func relevantEvents() predicate.Predicate {
	p := predicate.NewPredicateFuncs(isRelevant)
	p.UpdateFunc = func(e event.UpdateEvent) bool { return isRelevant(e.ObjectOld) || isRelevant(e.ObjectNew) }
	return p
}

// rolloutsAffectedBy returns the Deployments in a rollout to which obj may matter: a
// Service, an Ingress, an IngressClass or an autoscaler.
func (r *Reconciler) rolloutsAffectedBy(ctx context.Context, obj client.Object) []ctrl.Request {
	var list appsv1.DeploymentList
	if err := r.Client.List(ctx, &list, client.MatchingFields{activeIndex: "true"}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Deployments in a rollout")
		return nil
	}
	namespaces := r.namespacesAffectedBy(ctx, obj)
	var requests []ctrl.Request
	for i := range list.Items {
		if dep := &list.Items[i]; mayAffect(obj, dep) || slices.Contains(namespaces, dep.Namespace) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(dep)})
		}
	}
	return requests
}

// namespacesAffectedBy returns the other namespaces with rollouts to which obj may
// matter, if it is an Ingress. A canary Ingress may take the place of a canary Ingress
// of another namespace.
func (r *Reconciler) namespacesAffectedBy(ctx context.Context, obj client.Object) []string {
	ing, ok := obj.(*netv1.Ingress)
	if !ok {
		return nil
	}
	namespaces, err := r.Router.AffectedNamespaces(ctx, ing)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "finding the namespaces that an Ingress affects", "namespace", ing.Namespace, "ingress", ing.Name)
	}
	return namespaces
}

// rolloutsScaledBy returns the Deployments in a rollout to which an autoscaler may
// matter, and those for which it is held, existing or not: only a reconcile of these
// frees it.
func (r *Reconciler) rolloutsScaledBy(ctx context.Context, obj client.Object) []ctrl.Request {
	requests := r.rolloutsAffectedBy(ctx, obj)
	for _, deployment := range r.Autoscalers.HeldFor(obj) {
		requests = append(requests, ctrl.Request{NamespacedName: deployment})
	}
	return requests
}

// mayAffect says whether obj may matter to the rollout of dep. Objects of the same
// namespace may, and objects without a namespace. So may an Ingress of any namespace if
// dep has a preview host: it may begin or stop to serve that host.
func mayAffect(obj client.Object, dep *appsv1.Deployment) bool {
	_, isIngress := obj.(*netv1.Ingress)
	return obj.GetNamespace() == dep.Namespace || obj.GetNamespace() == "" ||
		isIngress && dep.Annotations[spec.AnnotationPreviewHost] != ""
}

// rolloutTestedBy returns the Deployment whose canary a Job tests: the owner of the owner
// of the Job.
func (r *Reconciler) rolloutTestedBy(ctx context.Context, obj client.Object) []ctrl.Request {
	owner := metav1.GetControllerOf(obj)
	if owner == nil || owner.Kind != "Deployment" || obj.GetLabels()[spec.LabelManagedBy] != spec.ManagedBy {
		return nil
	}
	canary := &appsv1.Deployment{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: obj.GetNamespace(), Name: owner.Name}, canary); err != nil {
		if !apierrors.IsNotFound(err) {
			ctrl.LoggerFrom(ctx).Error(err, "reading the Deployment of a Job", "namespace", obj.GetNamespace(), "job", obj.GetName())
		}
		return nil
	}
	stable := metav1.GetControllerOf(canary)
	if stable == nil {
		return nil
	}
	return []ctrl.Request{{NamespacedName: client.ObjectKey{Namespace: obj.GetNamespace(), Name: stable.Name}}}
}
