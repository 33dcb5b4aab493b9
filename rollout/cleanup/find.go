package cleanup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// leftover is what is left of Headgate at one Deployment.
type leftover struct {
	deployment types.NamespacedName

	dep             *appsv1.Deployment // nil: it has no mark of Headgate, or is gone
	objects         []string           // such as "Ingress web-canary"
	onlyAutoscalers bool               // objects are autoscalers, and nothing else is left
	refused         string             // why the last write failed
}

// pageSize is how many Deployments the API server is asked for at a time.
const pageSize = 500

// finder collects what is left.
type finder struct {
	*Cleanup
	reader client.Reader
	live   bool
	rests  map[types.NamespacedName]*leftover
}

// find returns what is left, sorted. live says that r reads from the API server; a cache
// has no pages and no pods.
func (c *Cleanup) find(ctx context.Context, r client.Reader, live bool) ([]leftover, error) {
	f := &finder{Cleanup: c, reader: r, live: live, rests: map[types.NamespacedName]*leftover{}}
	for _, namespace := range c.Namespaces {
		for _, find := range []func(context.Context, string) error{f.deployments, f.autoscalers, f.objects, f.pods} {
			if err := find(ctx, namespace); err != nil {
				return nil, err
			}
		}
	}
	left := make([]leftover, 0, len(f.rests))
	for _, rest := range f.rests {
		left = append(left, *rest)
	}
	slices.SortFunc(left, func(a, b leftover) int { return cmp.Compare(a.deployment.String(), b.deployment.String()) })
	return left, nil
}

func (f *finder) at(deployment types.NamespacedName) *leftover {
	if f.rests[deployment] == nil {
		f.rests[deployment] = &leftover{deployment: deployment}
	}
	return f.rests[deployment]
}

// deployments finds those that have a mark of a rollout.
func (f *finder) deployments(ctx context.Context, namespace string) error {
	options := &client.ListOptions{Namespace: namespace}
	if f.live {
		options.Limit = pageSize
	}
	for {
		var list appsv1.DeploymentList
		if err := f.reader.List(ctx, &list, options); err != nil {
			return fmt.Errorf("listing Deployments: %w", err)
		}
		for i := range list.Items {
			dep := &list.Items[i]
			if isMarked(dep) {
				f.at(client.ObjectKeyFromObject(dep)).dep = dep
			}
		}
		if options.Continue = list.Continue; options.Continue == "" || !f.live {
			return nil // a cache returns all at once, and says there that it has no pages
		}
	}
}

// isMarked says whether dep has what Headgate keeps there during a rollout.
func isMarked(dep *appsv1.Deployment) bool {
	a := dep.Annotations
	return a[spec.AnnotationRollout] != "" || a[spec.AnnotationPhase] != "" || conditionOf(dep, spec.ConditionState) != nil
}

// autoscalers finds those that are held. It comes before what else is left.
func (f *finder) autoscalers(ctx context.Context, namespace string) error {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := f.reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	for i := range list.Items {
		hpa := &list.Items[i]
		for _, deployment := range f.Autoscalers.HeldFor(hpa) {
			rest := f.at(deployment)
			rest.objects = append(rest.objects, "HorizontalPodAutoscaler "+hpa.Name)
			rest.onlyAutoscalers = rest.dep == nil
		}
	}
	return nil
}

// objects finds what Headgate made.
func (f *finder) objects(ctx context.Context, namespace string) error {
	ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &netv1.IngressList{}, &batchv1.JobList{}, &appsv1.ReplicaSetList{},
	} {
		if err := f.reader.List(ctx, list, client.InNamespace(namespace), ours); err != nil {
			return fmt.Errorf("listing what Headgate made: %w", err)
		}
		switch list := list.(type) {
		case *appsv1.DeploymentList:
			add(f, "Deployment", list.Items)
		case *corev1.ServiceList:
			add(f, "Service", list.Items)
		case *netv1.IngressList:
			add(f, "Ingress", list.Items)
		case *batchv1.JobList:
			add(f, "Job", list.Items)
		case *appsv1.ReplicaSetList:
			add(f, "ReplicaSet", list.Items)
		}
	}
	return nil
}

// add notes the objects that Headgate made for a Deployment. The label alone is easily
// copied, so an object must also name the Deployment.
func add[T any, P interface {
	*T
	client.Object
}](f *finder, kind string, items []T) {
	for i := range items {
		obj := P(&items[i])
		name := obj.GetAnnotations()[spec.AnnotationAdoptedBy]
		if owner := metav1.GetControllerOf(obj); owner != nil && owner.Kind == "Deployment" {
			name = owner.Name
		}
		if name == "" {
			continue
		}
		rest := f.at(types.NamespacedName{Namespace: obj.GetNamespace(), Name: name})
		rest.objects, rest.onlyAutoscalers = append(rest.objects, kind+" "+obj.GetName()), false
	}
}

// pods finds pods of a canary, or with its labels.
func (f *finder) pods(ctx context.Context, namespace string) error {
	if !f.live {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := f.reader.List(ctx, list, client.InNamespace(namespace), client.HasLabels{spec.LabelCanary}); err != nil {
		return fmt.Errorf("listing pods of canaries: %w", err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp != nil {
			continue // it serves its last requests, and nothing is left to do
		}
		rest := f.at(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Labels[spec.LabelCanary]})
		rest.objects, rest.onlyAutoscalers = append(rest.objects, "Pod "+pod.Name), false
	}
	return nil
}

// undecided says whether the template is held and nobody has released it yet.
func (r *leftover) undecided() bool {
	if r.dep == nil || !isHeld(r.dep) {
		return false
	}
	switch r.mode() {
	case rollout.ModeAdopting, rollout.ModePromoting, rollout.ModeReturning, rollout.ModeRetiring:
		return false
	case rollout.ModeProgressing, rollout.ModeRolledBack:
	}
	return true
}

// rolledBack says whether the template was tried and found bad.
func (r *leftover) rolledBack() bool {
	return r.mode() == rollout.ModeRolledBack || spec.Phase(r.dep.Annotations[spec.AnnotationPhase]) == spec.RolledBack
}

// mode is what the manager does with the canary of the template that is held. "": there is
// no such canary, or it is not known.
func (r *leftover) mode() rollout.Mode {
	c := conditionOf(r.dep, spec.ConditionState)
	if c == nil {
		return ""
	}
	_, text, _ := strings.Cut(c.Message, ": ")
	state, err := rollout.DecodeState(text)
	if err != nil || state.Rollout != r.dep.Annotations[spec.AnnotationRollout] {
		return "" // it is of a rollout before
	}
	return state.Mode
}

// isHeld is as in package webhook.
func isHeld(dep *appsv1.Deployment) bool {
	return spec.OptedIn(dep.Annotations) && dep.Annotations[spec.AnnotationRollout] != "" && dep.Spec.Paused
}

func conditionOf(dep *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == kind {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// why is where the rollout is, in the words of its condition, and what is left of it.
func (r *leftover) why() string {
	var parts []string
	if r.dep != nil {
		text := "its rollout has not begun"
		if c := conditionOf(r.dep, spec.ConditionType); c != nil {
			text = c.Reason + ": " + c.Message
		}
		parts = append(parts, text)
	}
	if len(r.objects) > 0 {
		parts = append(parts, "there is still "+strings.Join(r.objects, ", "))
	}
	return strings.Join(parts, "; ")
}
