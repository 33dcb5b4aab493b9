package cleanup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// admissionGroup has every kind of object that takes part in admission.
var admissionGroup = schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}

// Admission is an object that makes the API server hold new templates. Example:
// MutatingWebhookConfiguration/zz-headgate.
type Admission struct{ Kind, Name string }

// ParseAdmission is the inverse of Admission.String.
func ParseAdmission(text string) (Admission, error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok || kind == "" || name == "" || strings.Contains(name, "/") {
		return Admission{}, fmt.Errorf("%q: want KIND/NAME, e.g. MutatingWebhookConfiguration/zz-headgate", text)
	}
	return Admission{kind, name}, nil
}

func (a Admission) String() string { return a.Kind + "/" + a.Name }

// Installation is what runs in a cluster so that there are rollouts.
type Installation struct {
	Client     client.Client        // reads from the API server
	Managers   types.NamespacedName // the Deployment of the managers
	Admission  []Admission          // deleted in this order
	Namespaces []string             // as in Cleanup
}

// admissionDelay is how long API servers may go on to ask the webhook when its configuration
// is gone.
const admissionDelay = 2 * time.Second

// stopLimit is how long the managers may take to stop. A manager that is told to stop serves for
// 5 s more, and then has 20 s to end what it does.
const stopLimit = time.Minute

// TakeAway ends the rollouts with c, and then what makes rollouts. It calls stop when no
// manager runs any more; stop ends what the caller runs in place of one.
func (i *Installation) TakeAway(ctx context.Context, c *Cleanup, stop func()) error {
	if err := c.Run(ctx); err != nil {
		return err
	}
	if err := i.RemoveAdmission(ctx); err != nil {
		return err
	}
	c.Print("nothing new is held from here on")
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(admissionDelay):
	}
	if err := c.Run(ctx); err != nil {
		return err
	}
	pods, err := i.StopManagers(ctx)
	if err != nil {
		return err
	}
	if err := i.awaitStop(ctx, pods); err != nil {
		c.Print(fmt.Sprintf("every rollout is over, but a manager may still run, so the conditions of Headgate stay: %v", err))
		return nil
	}
	stop()
	c.Print("the managers have stopped")
	if err := i.ForgetConditions(context.WithoutCancel(ctx)); err != nil { // a few writes are left
		return err
	}
	c.Print("Headgate can be removed")
	return nil
}

// RemoveAdmission deletes what holds new templates. One that does not exist is no error.
func (i *Installation) RemoveAdmission(ctx context.Context) error {
	for _, a := range i.Admission {
		obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: a.Name}}
		obj.SetGroupVersionKind(admissionGroup.WithKind(a.Kind))
		err := i.Client.Delete(ctx, obj)
		if client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("deleting %s: %w", a, err)
		}
	}
	return nil
}

// RemoveUnanswered waits until no manager is available, and then removes what holds new
// templates: with nobody to answer, a webhook refuses the writes that end a rollout, unless
// they are the manager's own. It ends with ctx. TakeAway removes again what it could not.
func (i *Installation) RemoveUnanswered(ctx context.Context) {
	unanswered := func(ctx context.Context) (bool, error) {
		dep := i.managers()
		// A patch of nothing reads: the Job of an uninstall may patch that Deployment, and not get it.
		err := i.Client.Patch(ctx, dep, client.RawPatch(types.MergePatchType, []byte("{}")), client.DryRunAll)
		return apierrors.IsNotFound(err) || err == nil && dep.Status.AvailableReplicas == 0, nil
	}
	if wait.PollUntilContextCancel(ctx, interval, true, unanswered) == nil {
		_ = i.RemoveAdmission(ctx)
	}
}

func (i *Installation) managers() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: i.Managers.Namespace, Name: i.Managers.Name}}
}

// StopManagers scales the Deployment of the managers to 0, and returns what selects their pods.
// Without a Deployment nothing runs: nil selects nothing.
func (i *Installation) StopManagers(ctx context.Context) (pods *metav1.LabelSelector, err error) {
	dep := i.managers()
	stop := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
	if err := i.Client.Patch(ctx, dep, stop, client.FieldOwner(fieldOwner)); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("stopping the managers, Deployment %s: %w", i.Managers, err)
	}
	return dep.Spec.Selector, nil
}

// awaitStop waits until no pod that selector selects runs. The Lease does not tell: a manager that
// was told to stop still takes it, if nobody has it, and would write the conditions again.
func (i *Installation) awaitStop(ctx context.Context, selector *metav1.LabelSelector) error {
	selected, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return fmt.Errorf("reading the selector of Deployment %s: %w", i.Managers, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stopLimit, fmt.Errorf("not within %s", stopLimit))
	defer cancel()
	err = wait.PollUntilContextCancel(ctx, interval, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := i.Client.List(ctx, &pods, &client.ListOptions{Namespace: i.Managers.Namespace, LabelSelector: selected})
		if apierrors.IsForbidden(err) {
			return false, fmt.Errorf("listing their pods: %w", err)
		}
		return err == nil && !slices.ContainsFunc(pods.Items, mayRun), nil
	})
	if wait.Interrupted(err) {
		return context.Cause(ctx)
	}
	return err
}

// mayRun is false for pods that were evicted, for example: they stay until somebody deletes them.
func mayRun(pod corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// ForgetConditions removes Headgate's conditions from every Deployment. No manager may run
// any more: it would write them again.
func (i *Installation) ForgetConditions(ctx context.Context) error {
	for _, namespace := range i.Namespaces {
		options := &client.ListOptions{Namespace: namespace, Limit: pageSize}
		for {
			var list appsv1.DeploymentList
			if err := i.Client.List(ctx, &list, options); err != nil {
				return fmt.Errorf("listing Deployments: %w", err)
			}
			for n := range list.Items {
				if err := i.forgetConditions(ctx, &list.Items[n]); err != nil {
					return err
				}
			}
			if options.Continue = list.Continue; options.Continue == "" {
				break
			}
		}
	}
	return nil
}

func (i *Installation) forgetConditions(ctx context.Context, dep *appsv1.Deployment) error {
	var gone []map[string]any
	for _, kind := range []appsv1.DeploymentConditionType{spec.ConditionType, spec.ConditionKnown, spec.ConditionState} {
		if conditionOf(dep, kind) != nil {
			gone = append(gone, map[string]any{"type": kind, "$patch": "delete"})
		}
	}
	if gone == nil {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": gone}})
	if err != nil {
		return fmt.Errorf("encoding conditions: %w", err)
	}
	err = i.Client.Status().Patch(ctx, dep, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(spec.FieldOwner))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the conditions of Deployment %s/%s: %w", dep.Namespace, dep.Name, err)
	}
	return nil
}
