package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// The cache indexes by which a Reconciler finds objects.
const (
	// ownerIndex finds ReplicaSets and Jobs by the UID of the Deployment that owns them.
	ownerIndex = "headgate.owner"

	// leftoverIndex finds the Services and Ingresses that a Deployment owns, by its UID.
	leftoverIndex = "headgate.leftover"

	// activeIndex finds the Deployments in a rollout, by "true".
	activeIndex = "headgate.active"

	// podIndex finds the Deployments in a rollout, and their canaries, by
	// rollout.LabelKeys of their pods.
	podIndex = "headgate.pods"

	// namedIndex finds the Deployments in a rollout by what their annotations name,
	// such as Service/web, and by Deployment/ and their own name.
	namedIndex = "headgate.named"

	// previewIndex finds the Deployments in a rollout by their preview host, and by the
	// wildcard that covers it.
	previewIndex = "headgate.preview"

	// selectorIndex finds NetworkPolicies and PodDisruptionBudgets by the selectors in
	// them; see selectorKeys.
	selectorIndex = "headgate.selector"
)

var indexes = []struct {
	name string
	of   client.Object
	keys client.IndexerFunc
}{
	{ownerIndex, &appsv1.ReplicaSet{}, ownerKey},
	{ownerIndex, &batchv1.Job{}, ownerKey},
	{leftoverIndex, &corev1.Service{}, ownerKey},
	{leftoverIndex, &netv1.Ingress{}, ownerKey},
	{activeIndex, &appsv1.Deployment{}, activeKey},
	{podIndex, &appsv1.Deployment{}, podKeys},
	{namedIndex, &appsv1.Deployment{}, namedKeys},
	{previewIndex, &appsv1.Deployment{}, previewKeys},
	{selectorIndex, &netv1.NetworkPolicy{}, policyKeys},
	{selectorIndex, &policyv1.PodDisruptionBudget{}, budgetKeys},
}

// SetupWithManager registers the controller with mgr, which runs it on the leader only.
// It watches every kind on which a decision depends, and polls none. workers is how
// many Deployments are reconciled at the same time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, workers int) error {
	if err := SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
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
		Watches(&netv1.IngressClass{}, handler.EnqueueRequestsFromMapFunc(r.allRollouts)).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(r.rolloutsScaledBy),
			builder.WithPredicates(autoscalerChanged)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(r.rolloutTestedBy)).
		Watches(&appsv1.ReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.rolloutAdopting), builder.WithPredicates(adoptionEvents())).
		WatchesRawSource(source.Func(r.startQuestions)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the controller: %w", err)
	}
	return nil
}

// SetupIndexes registers the indexes that a Reconciler reads by. SetupWithManager calls
// it.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range indexes {
		if err := indexer.IndexField(ctx, i.of, i.name, i.keys); err != nil {
			return fmt.Errorf("adding index %s: %w", i.name, err)
		}
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

func isActive(obj client.Object) bool {
	a := obj.GetAnnotations()
	return a[spec.AnnotationRollout] != "" || a[spec.AnnotationPhase] != ""
}

func activeKey(obj client.Object) []string {
	if isActive(obj) {
		return []string{"true"}
	}
	return nil
}

// podKeys are for Deployments in a rollout and for their canaries.
func podKeys(obj client.Object) []string {
	dep, ok := obj.(*appsv1.Deployment)
	if !ok || !isActive(dep) && managedBy(dep) == "" {
		return nil
	}
	return rollout.LabelKeys(dep.Spec.Template.Labels)
}

// namedKeys returns the Services and Ingresses that the annotations of a Deployment
// in a rollout name, and the Deployment itself, for its autoscalers.
func namedKeys(obj client.Object) []string {
	if !isActive(obj) {
		return nil
	}
	keys := []string{"Deployment/" + obj.GetName()}
	for kind, annotation := range map[string]string{"Service/": spec.AnnotationService, "Ingress/": spec.AnnotationIngress} {
		for name := range strings.SplitSeq(obj.GetAnnotations()[annotation], ",") {
			keys = append(keys, kind+strings.TrimSpace(name))
		}
	}
	return keys
}

// namedKey returns the key by which namedIndex finds the Deployments for obj.
func namedKey(obj client.Object) string {
	switch obj := obj.(type) {
	case *corev1.Service:
		return "Service/" + obj.Name
	case *netv1.Ingress:
		return "Ingress/" + obj.Name
	case *autoscalingv2.HorizontalPodAutoscaler:
		return obj.Spec.ScaleTargetRef.Kind + "/" + obj.Spec.ScaleTargetRef.Name
	}
	return ""
}

// previewKeys returns the preview host of a Deployment in a rollout, and the wildcard
// that covers it.
func previewKeys(obj client.Object) []string {
	host := obj.GetAnnotations()[spec.AnnotationPreviewHost]
	if host == "" || !isActive(obj) {
		return nil
	}
	_, domain, _ := strings.Cut(host, ".")
	return []string{host, "*." + domain}
}

// managedBy returns the name of the Deployment for which Headgate made obj. "": it did
// not make it.
func managedBy(obj client.Object) string {
	owner := metav1.GetControllerOf(obj)
	if owner == nil || owner.Kind != "Deployment" || obj.GetLabels()[spec.LabelManagedBy] != spec.ManagedBy {
		return ""
	}
	return owner.Name
}

// relevantEvents passes the events of Deployments that are relevant, or were before an
// update. Any other event costs a few map look-ups.
func relevantEvents() predicate.Predicate {
	p := predicate.NewPredicateFuncs(isRelevant)
	p.UpdateFunc = func(e event.UpdateEvent) bool { return isRelevant(e.ObjectOld) || isRelevant(e.ObjectNew) }
	return p
}

// allRollouts returns every Deployment in a rollout. An IngressClass may matter to each
// of them, and changes once in months.
func (r *Reconciler) allRollouts(ctx context.Context, _ client.Object) []ctrl.Request {
	return r.findRollouts(ctx, activeIndex, "true", nil)
}

// rolloutsAffectedBy returns the Deployments in a rollout to which obj, a Service or an
// Ingress, may matter: those that it belongs to, those that name it, and those that the
// Router says. Each is found by an index, so that an event of one application does not
// cost a look at every other application of the namespace.
func (r *Reconciler) rolloutsAffectedBy(ctx context.Context, obj client.Object) []ctrl.Request {
	in := client.InNamespace(obj.GetNamespace())
	requests := r.findRollouts(ctx, namedIndex, namedKey(obj), nil, in)
	if owner := managedBy(obj); owner != "" {
		requests = append(requests, requestFor(obj.GetNamespace(), owner))
	}
	affected, err := r.Router.Affected(ctx, obj)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "finding the rollouts that an object affects", "namespace", obj.GetNamespace(), "name", obj.GetName())
	}
	for _, pods := range affected.Pods {
		selector, there := labels.SelectorFromSet(pods.Labels), client.InNamespace(pods.Namespace)
		requests = append(requests, r.findRollouts(ctx, podIndex, rollout.SelectorKey(pods.Labels), selector, there)...)
	}
	for _, host := range affected.Hosts {
		requests = append(requests, r.findRollouts(ctx, previewIndex, host, nil)...)
	}
	slices.SortFunc(requests, func(a, b ctrl.Request) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(requests)
}

// findRollouts returns the Deployments in a rollout that an index finds by key, those
// of a canary in its place. A selector leaves out those whose pods it does not select.
func (r *Reconciler) findRollouts(
	ctx context.Context, index, key string, selector labels.Selector, opts ...client.ListOption,
) []ctrl.Request {
	var list appsv1.DeploymentList
	opts = append(opts, client.MatchingFields{index: key}, client.UnsafeDisableDeepCopy)
	if err := r.Client.List(ctx, &list, opts...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Deployments in a rollout", "index", index, "key", key)
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		dep := &list.Items[i]
		if selector == nil || selector.Matches(labels.Set(dep.Spec.Template.Labels)) {
			requests = append(requests, requestFor(dep.Namespace, cmp.Or(managedBy(dep), dep.Name)))
		}
	}
	return requests
}

func requestFor(namespace, name string) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

// rolloutsScaledBy returns the Deployment that an autoscaler scales, if it is in a
// rollout, and those for which the autoscaler is held, existing or not: only a
// reconcile of these frees it.
func (r *Reconciler) rolloutsScaledBy(ctx context.Context, obj client.Object) []ctrl.Request {
	requests := r.findRollouts(ctx, namedIndex, namedKey(obj), nil, client.InNamespace(obj.GetNamespace()))
	for _, deployment := range r.Autoscalers.HeldFor(obj) {
		requests = append(requests, ctrl.Request{NamespacedName: deployment})
	}
	return requests
}

// rolloutTestedBy returns the Deployment whose canary a Job tests: the owner of the owner
// of the Job.
func (r *Reconciler) rolloutTestedBy(ctx context.Context, obj client.Object) []ctrl.Request {
	if owner := managedBy(obj); owner != "" {
		return r.rolloutOfCanary(ctx, obj, owner)
	}
	return nil
}

// rolloutAdopting returns the Deployment that takes the pods of a ReplicaSet: the one that
// the annotation names, or the owner of the canary that loses its ReplicaSet.
func (r *Reconciler) rolloutAdopting(ctx context.Context, obj client.Object) []ctrl.Request {
	if name := obj.GetAnnotations()[spec.AnnotationAdoptedBy]; name != "" {
		return []ctrl.Request{requestFor(obj.GetNamespace(), name)}
	}
	if owner := metav1.GetControllerOf(obj); owner != nil && owner.Kind == "Deployment" {
		return r.rolloutOfCanary(ctx, obj, owner.Name)
	}
	return nil
}

// adoptionEvents passes the two events of ReplicaSets for which an adoption waits: that
// of a canary is gone, and that of its pods has changed.
func adoptionEvents() predicate.Predicate {
	adopting := func(obj client.Object) bool { return obj.GetAnnotations()[spec.AnnotationAdoptedBy] != "" }
	p := predicate.NewPredicateFuncs(adopting)
	p.DeleteFunc = func(e event.DeleteEvent) bool { return adopting(e.Object) || rolloutOf(e.Object) != "" }
	return p
}

// rolloutOfCanary returns the Deployment that owns the canary Deployment of this name,
// which owns obj.
func (r *Reconciler) rolloutOfCanary(ctx context.Context, obj client.Object, owner string) []ctrl.Request {
	canary := &appsv1.Deployment{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: obj.GetNamespace(), Name: owner}, canary); err != nil {
		if !apierrors.IsNotFound(err) {
			ctrl.LoggerFrom(ctx).Error(err, "reading the canary that owns an object", "namespace", obj.GetNamespace(), "object", obj.GetName())
		}
		return nil
	}
	stable := metav1.GetControllerOf(canary)
	if stable == nil {
		return nil
	}
	return []ctrl.Request{requestFor(obj.GetNamespace(), stable.Name)}
}
